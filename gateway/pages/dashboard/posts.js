// Posts by day, each with what became of it on every channel.

import { all, api } from "./api.js";
import { lastPart, number, word } from "./format.js";
import { h, fill } from "./html.js";
import { badge, button, confirmed, empty, endless, field, form, heading, link, notify, open, thumbnail } from "./parts.js";
import { to } from "./routes.js";

const OPEN = ["STATE_DRAFT", "STATE_AWAITING_IMAGE", "STATE_READY", "STATE_SCHEDULED"];
const TABS = [
  ["", "Coming", () => ({ filter: `scheduled_time >= "${startOfToday()}"`, orderBy: "scheduled_time" })],
  ["past", "Past", () => ({ filter: `scheduled_time < "${new Date().toISOString()}"`, orderBy: "scheduled_time desc" })],
  ["failed", "Failed", () => ({ filter: 'state = "FAILED"', orderBy: "scheduled_time desc" })],
  ["waiting", "Waiting for a photo", () => ({ filter: 'state = "AWAITING_IMAGE"', orderBy: "scheduled_time" })],
  ["drifted", "Changed there", () => ({ filter: 'remote != "UNCHANGED"', orderBy: "scheduled_time desc" })],
  ["all", "All", () => ({ filter: "", orderBy: "scheduled_time desc" })],
];

export async function postsView(context) {
  const { persona, query, signal } = context;
  const tab = TABS.find(([id]) => id === (query.get("show") ?? "")) ?? TABS[0];
  const channels = await all("/v1/{parent=personas/*}/channels", { parent: persona.name }, "channels");
  const inside = { ...context, channels: new Map(channels.map((channel) => [channel.name, channel])) };
  return [
    heading("Posts", h("span.soft", `times in ${context.zone.name}`)),
    !channels.length && empty("No channel is connected, so nothing can go out. Connect one:",
      `colonnade channels connect ${lastPart(persona.name)} ACCOUNT --provider buffer`),
    h("nav.tabs", { "aria-label": "Posts" }, TABS.map(([id, text]) =>
      h("a", { href: to("posts", persona.name, { show: id }), "aria-current": id === tab[0] && "page" }, text))),
    query.get("post") ? [await one(inside), h("p", link("posts", persona.name, "All posts"))] : agenda(inside, tab[2](), signal),
  ];
}

async function one(context) {
  const { persona, query, signal } = context;
  const name = `${persona.name}/posts/${query.get("post")}`;
  return postCard(await api.get("/v1/{name=personas/*/posts/*}", { name }, { signal }), context);
}

// The days as headings, with the posts of each below.
function agenda(context, conditions, signal) {
  const { persona, zone } = context;
  const days = h("div.agenda");
  const lists = new Map();
  return endless(days, async (pageToken) => {
    const page = await api.get("/v1/{parent=personas/*}/posts", { parent: persona.name, ...conditions, pageSize: 50, pageToken }, { signal });
    return { items: page.posts, next: page.nextPageToken };
  }, (post) => {
    const day = post.scheduledTime ? zone.key(post.scheduledTime) : "";
    const known = lists.get(day);
    const item = h("li", postCard(post, context));
    if (known) {
      known.append(item);
      return [];
    }
    lists.set(day, h("ol.posts", item));
    return h("section.day", h("h2", day ? zone.day(post.scheduledTime) : "Without a time", day === zone.key(new Date()) && " · today"), lists.get(day));
  }, empty("Nothing here. Choose photos in a pillar and schedule them, or:", "colonnade posts schedule --help")).element;
}

// A post with its picture, its text, and its outcome on each channel; can be called off or retried.
export function postCard(post, context) {
  const card = h("article.post");
  return fillCard(card, post, context);
}

function fillCard(card, post, context) {
  const { zone, pillars } = context;
  const state = word(post.state);
  const update = (answer) => fillCard(card, answer.post, context);
  return fill(
    card,
    post.photo ? h("a.shot", { href: to("photo", post.photo) }, thumbnail(post.photo, post.altText || "the photo of this post"))
      : h("span.shot.none", "no photo yet"),
    h("div",
      h("p.when", h("strong", post.scheduledTime ? zone.moment(post.scheduledTime) : "no time yet"), " ", badge(state), " ",
        post.pillar && link("pillar", post.pillar, pillars.get(post.pillar) ?? lastPart(post.pillar))),
      h("p.caption", post.finalText || post.caption || h("span.soft", "no caption")),
      post.stateReason && h("p.reason", post.stateReason),
      post.slotReason && h("p.soft", post.slotReason),
      h("ul.publications", post.publications.map((publication) => h("li", outcome(publication, context)))),
      actions(post, context, update)),
  );
}

function outcome(publication, { zone, channels }) {
  const { channel, state, stateReason, permalink, error, attempts, nextAttemptTime } = publication;
  const title = channels?.get(channel)?.displayName ?? (channel ? lastPart(channel) : "elsewhere");
  const reason = error?.message || stateReason;
  return [
    h("span.channel", title), " ", badge(word(state)), " ",
    permalink && /^https?:/.test(permalink) && h("a", { href: permalink, target: "_blank", rel: "noreferrer" }, "see it"),
    reason && h("span.soft", ` ${reason}`),
    error?.supportUri && /^https?:/.test(error.supportUri) && h("a", { href: error.supportUri, target: "_blank", rel: "noreferrer" }, "more"),
    attempts > 1 && h("span.soft", ` ${attempts} attempts`),
    drift(publication.remote, zone),
    reached(publication.results),
    state === "STATE_RETRY_WAIT" && nextAttemptTime && h("span.soft", `, again ${zone.moment(nextAttemptTime)}`),
  ];
}

// What it reached, the numbers that its provider tells.
function reached(results) {
  const told = [["reach", "reached"], ["impressions", "views"], ["likes", "likes"], ["comments", "comments"], ["saves", "saves"], ["shares", "shares"]]
    .filter(([name]) => results?.[name] !== undefined).map(([name, text]) => `${number(Number(results[name]))} ${text}`);
  return told.length > 0 && h("span.soft", ` ${told.join(", ")}`);
}

// What people did to it on the provider's own pages.
function drift(remote, zone) {
  if (!["STATE_EDITED", "STATE_REMOVED"].includes(remote?.state)) return null;
  return h("div.drift", badge(word(remote.state)), " ", h("span.soft", `there, seen ${zone.moment(remote.changeTime)}`),
    remote.text && h("blockquote", remote.text));
}

function actions(post, { zone }, update) {
  const { name, state } = post;
  const cancel = async () => {
    if (!await confirmed("Call this post off?", "It will not go out; its photo can be used again.", "Call it off")) return;
    update(await api.call("/v1/{name=personas/*/posts/*}:cancel", { name }));
    notify("Called off.");
  };
  const retry = async () => {
    update(await api.call("/v1/{name=personas/*/posts/*}:retry", { name }));
    notify("It will be tried again; what is out already stays out once.");
  };
  const buttons = [
    ["STATE_DRAFT", "STATE_AWAITING_IMAGE", "STATE_READY"].includes(state) && button("Give it a time…", () => timing(post, zone, update)),
    state === "STATE_FAILED" && button("Try again", retry, "button.primary"),
    [...OPEN, "STATE_FAILED"].includes(state) && button("Call off…", cancel),
  ].filter(Boolean);
  return buttons.length ? h("div.actions", buttons) : null;
}

function timing({ name, scheduledTime }, zone, update) {
  open("When does it go out?", (close) => form([
    field("scheduled_time", `In ${zone.name}`, h("input", { type: "datetime-local", required: true, value: zone.toInput(scheduledTime) })),
  ], "Schedule", async (values) => {
    update(await api.call("/v1/{name=personas/*/posts/*}:schedule", { name }, { scheduledTime: zone.fromInput(values.scheduled_time, "scheduled_time") }));
    close();
  }));
}

function startOfToday() {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  return day.toISOString();
}
