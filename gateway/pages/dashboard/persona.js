// "This morning": where each pillar stands, what to make next, what goes out next.

import { ApiError, all, api } from "./api.js";
import { briefs } from "./briefs.js";
import { count, number, percent } from "./format.js";
import { h, fill } from "./html.js";
import { badge, choice, empty, field, form, heading, later, link, notify, options, section } from "./parts.js";
import { postCard } from "./posts.js";
import { to } from "./routes.js";
import { supplyBar, supplyFacts, supplyState, weeklyRate } from "./supply.js";

const HORIZONS = [7, 14, 30, 60, 90, 180];
const UPCOMING = 6;

export function personaView(context) {
  const { persona, zone, query, signal, go } = context;
  const days = Number(query.get("days")) || 30;
  const horizon = choice("Days to look ahead", HORIZONS.map((each) => [String(each), `next ${each} days`]), String(days),
    (value) => go(to("persona", persona.name, { days: value }), { instead: true }));
  return [
    heading(persona.displayName, h("span.soft", `${zone.moment(new Date())} in ${zone.name}`)),
    h("div.troubles", TROUBLES.map((trouble) => later(() => trouble(persona.name, signal), (found) => found))),
    h("div.columns",
      h("section", h("div.heading", h("h2", "Pillars"), horizon), later(() => gapsOf(persona.name, days, signal), (report) => pillars(report, context))),
      h("div",
        briefs(context),
        section("Going out next", later(() => upcoming(persona.name, signal), (posts) => [
          posts.length ? h("ol.posts", posts.map((post) => h("li", postCard(post, context))))
            : empty("Nothing is scheduled. Choose photos in a pillar and schedule them, or:", "colonnade posts schedule --help"),
          h("p.actions", link("posts", persona.name, "All posts")),
        ])))),
  ];
}

function pillars(report, { persona, zone, weekly, reload }) {
  return [
    report ? [verdict(report), h("div.pillars", report.pillars.map((gap) => pillarCard(gap, report, zone, weekly.get(gap.pillar))))]
      : empty("There are no pillars yet, so nothing can be planned. Add one, or take a template:", "colonnade pillars apply-template --help"),
    h("details.section", { open: !report }, h("summary", "Add a pillar"), addition(persona, reload), templates(persona, reload)),
  ];
}

// The report as it stands, which is not kept; null where there are no pillars to report on.
async function gapsOf(parent, horizonDays, signal) {
  try {
    return (await api.ask("/v1/{parent=personas/*}:previewGaps", { parent }, { horizonDays }, { signal })).current;
  } catch (error) {
    if (error instanceof ApiError && error.reason === "NO_PILLARS") return null;
    throw error;
  }
}

async function upcoming(parent, signal) {
  const filter = `scheduled_time >= "${new Date().toISOString()}"`;
  const fields = { parent, filter, orderBy: "scheduled_time", pageSize: 2 * UPCOMING };
  const { posts } = await api.get("/v1/{parent=personas/*}/posts", fields, { signal });
  return posts.filter((post) => post.state !== "STATE_CANCELLED").slice(0, UPCOMING);
}

// What waits for a person, each with where to look at it.
const TROUBLES = [
  async (parent, signal) => {
    const page = await api.get("/v1/{parent=personas/*}/posts", { parent, filter: 'state = "FAILED"', pageSize: 200 }, { signal });
    return page.posts.length > 0 && [badge("failed"), " ", link("posts", parent, `${amount(page, "posts")} not out on every channel`, { show: "failed" })];
  },
  async (parent, signal) => {
    const page = await api.get("/v1/{parent=personas/*}/posts", { parent, filter: 'remote != "UNCHANGED"', pageSize: 200 }, { signal });
    return page.posts.length > 0 && [badge("changed"), " ", link("posts", parent, `${amount(page, "posts")} edited or removed at the provider`, { show: "drifted" })];
  },
  async (parent) => {
    const channels = await all("/v1/{parent=personas/*}/channels", { parent }, "channels");
    const sick = channels.filter((channel) => channel.state !== "STATE_CONNECTED");
    return sick.length > 0 && [badge("needs attention"), " ", link("channels", parent, `${count(sick.length, "channel")} not in use`)];
  },
  async (parent, signal) => {
    const page = await api.get("/v1/{parent=personas/*}/photos", { parent, filter: 'filing.state = "REVIEW"', pageSize: 200 }, { signal });
    return page.photos.length > 0 && [badge("review"), " ", link("inbox", parent, `${amount(page, "photos")} in the inbox`)];
  },
];

function amount(page, items) {
  return `${page[items].length}${page.nextPageToken ? " or more" : ""}`;
}

function verdict(report) {
  const short = report.recommendations.length;
  const text = short
    ? `${count(short, "pillar")} ${short === 1 ? "needs" : "need"} something; ${number(report.totalGap, 1)} photos are missing in all.`
    : "Every pillar is covered.";
  return h("p.verdict", text);
}

function pillarCard(gap, report, zone, postsPerWeek) {
  const advice = report.recommendations.find(({ pillar }) => pillar === gap.pillar);
  return h(
    "article.pillar",
    h("div.heading", h("h3", link("pillar", gap.pillar, gap.displayName)),
      h("span.soft", `${gap.weight} % of posts, got ${percent(gap.postedShare / 100)}${weeklyRate(postsPerWeek)}`),
      supplyState(gap)),
    supplyBar(gap),
    supplyFacts(gap, zone, report.horizonDays),
    advice && h("p.reason", advice.explanation),
  );
}

function addition(persona, reload) {
  return form([
    field("display_name", "Name", h("input", { required: true, maxlength: 100, autocomplete: "off" })),
    field("weight", "Weight in %", h("input", { type: "number", min: 0, max: 100, value: 0 }), "The weights of all pillars sum to 100 at most."),
    field("posts_per_week", "Posts a week", h("input", { type: "number", min: 0, max: 70 }), "Unset: its weight of what the persona posts."),
    field("description", "What belongs in it", h("textarea", { rows: 2 })),
  ], "Add", async (values) => {
    const pillar = {
      displayName: values.display_name,
      weight: Number(values.weight),
      postsPerWeek: values.posts_per_week === "" ? undefined : Number(values.posts_per_week),
      description: values.description,
    };
    await api.create("/v1/{parent=personas/*}/pillars", { parent: persona.name }, pillar);
    reload();
  });
}

function templates(persona, reload) {
  const select = h("select");
  const about = h("p.soft");
  all("/v1/pillarTemplates", {}, "pillarTemplates").then((found) => {
    const tell = () => {
      const chosen = found.find(({ name }) => name === select.value);
      fill(about, chosen && `${chosen.description} ${chosen.pillars.map((p) => `${p.displayName} ${p.weight} %`).join(", ")}.`);
    };
    select.append(...options(found.map(({ name, displayName }) => [name, displayName])));
    select.addEventListener("change", tell);
    tell();
  }).catch((error) => fill(about, error.message));
  return form([field("pillar_template", "Or take the pillars of a template", select), about], "Take them", async (values) => {
    const message = { pillarTemplate: values.pillar_template, mode: "MODE_SKIP_EXISTING" };
    const answer = await api.call("/v1/{parent=personas/*}/pillars:applyTemplate", { parent: persona.name }, message);
    notify(`${count(answer.pillars.length, "pillar")} added, ${answer.skipped.length} there already`);
    reload();
  });
}
