// Groups of photos or texts that belong together: found by runs, or made by people.
//
// A scope is a persona or a project. Calls are written with `personas`; those about clusters are the
// same for projects.

import { api } from "./api.js";
import { count, lastPart, likeness, number, word } from "./format.js";
import { grouping } from "./grouping.js";
import { h, fill } from "./html.js";
import { badge, button, choice, empty, endless, field, form, heading, later, link, nearScreen, open, options, problem, thumbnail } from "./parts.js";
import { to } from "./routes.js";

const SHEETS = [4, 2, 1, 0];
const ORDERS = [["", "largest first"], ["recent", "changed last first"]];
const SHOWN = [["", "in use"], ["archived", "archived"], ["retired", "no longer found"]];

export async function clustersView(context) {
  const { ids, query, signal, go } = context;
  const scope = scopeOf(ids);
  const texts = Boolean(ids.project);
  const [show, order, version] = ["show", "order", "version"].map((each) => query.get(each) ?? "");
  const change = (changes) => go(to("clusters", scope, { show, order, version, ...changes }), { instead: true });
  const list = endless(h("ul.cards.clusters"), async (pageToken) => {
    const fields = {
      parent: scope, pageToken, version, pageSize: 60, filter: show && `state = "${show.toUpperCase()}"`,
      orderBy: order && "update_time desc",
    };
    const page = await api.get("/v1/{parent=personas/*}/clusters", fields, { signal });
    return { items: page.clusters, next: page.nextPageToken };
  }, (cluster) => clusterCard(cluster, texts, version), show || version ? empty("There is no such cluster.")
    : empty("Nothing is grouped yet. Group it, here or with:", `colonnade clusters run ${texts ? scope : lastPart(scope)}`));
  return [
    heading("Clusters", version && badge(`as of version ${version}`)),
    version ? h("p.actions", link("clusters", scope, "As they are now"), link("history", scope, "History"))
      : later(() => grouping(context, scope), (element) => element),
    h("div.toolbar",
      choice("Order", ORDERS, order, (value) => change({ order: value })),
      choice("Which", SHOWN, show, (value) => change({ show: value })),
      !version && button("New cluster…", () => creation(scope, go))),
    list.element,
  ];
}

// The scope that an address is about, from its ids.
export function scopeOf({ persona, project }) {
  return persona ? `personas/${persona}` : `projects/${project}`;
}

export function titleOf(cluster) {
  return cluster.title || "without a title";
}

function clusterCard({ digest: written, ...cluster }, texts, version) {
  // What was written about a cluster is about its members of now.
  const digest = version ? null : written;
  const summary = cluster.summary || digest?.summary;
  return h(
    "li.card",
    h("a.cover", { href: to("cluster", cluster.name, { version }) }, !texts && sheet(cluster, digest), h("h2", titleOf(cluster))),
    h("p.soft", count(cluster.memberCount, texts ? "text" : "photo"), cluster.cohesion > 0 && `, cohesion ${likeness(cluster.cohesion)}`,
      cluster.origin === "ORIGIN_CURATED" && [" ", badge("curated")], cluster.state !== "STATE_ACTIVE" && [" ", badge(word(cluster.state))]),
    summary && h("p", summary),
    texts && cluster.memberCount > 0 && beginning(cluster, version),
  );
}

// The hero, and others that were chosen to tell of the cluster.
function sheet({ title, hero }, digest) {
  if (!hero?.item) return h("span.none", "no photo");
  const others = (digest?.representatives ?? []).filter((item) => item !== hero.item);
  // Those that leave no hole.
  const shown = others.slice(0, SHEETS.find((amount) => amount <= others.length));
  return h("div.sheet", { class: `with-${shown.length}` }, thumbnail(hero.item, `the photo that stands for ${title}`),
    shown.map((item) => thumbnail(item)));
}

// Where the texts of a cluster come from, and what the most central ones are called.
function beginning({ name }, version) {
  const element = h("div");
  nearScreen(element, async () => {
    try {
      const page = await api.get("/v1/{parent=personas/*/clusters/*}/members", { parent: name, pageSize: 3, version });
      fill(element, sources(page.sourceCounts), h("ul.openings", page.members.map(({ title, excerpt }) => h("li", title || excerpt.slice(0, 80)))));
    } catch (error) {
      fill(element, problem(error));
    }
  });
  return element;
}

export function sources(counts) {
  return h("p.sources", Object.entries(counts ?? {}).sort((a, b) => b[1] - a[1]).map(([source, amount]) => [h("span.tag", `${source} ${number(amount)}`), " "]));
}

function creation(scope, go) {
  open("New cluster", (close) => form([
    field("title", "Title", h("input", { required: true, maxlength: 100, autocomplete: "off" })),
    field("summary", "What its members have in common", h("textarea", { rows: 2 })),
    field("prompt_hint", "How to get more of it", h("textarea", { rows: 2 }), "For image backends; optional."),
    field("state", "State", h("select", options([["STATE_ACTIVE", "in use"], ["STATE_DRAFT", "a draft"]]))),
  ], "Create", async (values) => {
    const wanted = { title: values.title, summary: values.summary, promptHint: values.prompt_hint, state: values.state };
    const cluster = await api.create("/v1/{parent=personas/*}/clusters", { parent: scope }, wanted);
    close();
    go(to("cluster", cluster.name));
  }));
}
