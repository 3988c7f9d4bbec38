// The versions of a scope's clusters: what each changed, comparing two, and going back.

import { api } from "./api.js";
import { scopeOf, titleOf } from "./clusters.js";
import { edits } from "./edits.js";
import { count, lastPart, number, word } from "./format.js";
import { h, fill } from "./html.js";
import { changesOf } from "./outcome.js";
import { badge, button, confirmed, empty, endless, field, form, heading, later, link, notify, section } from "./parts.js";
import { to } from "./routes.js";

const NAMED = 12;

export async function historyView(context) {
  const { ids, zone, signal, reload } = context;
  const scope = scopeOf(ids);
  const list = endless(h("ol.rows.versions"), async (pageToken) => {
    const page = await api.get("/v1/{parent=personas/*}/clusterVersions", { parent: scope, pageSize: 50, pageToken }, { signal });
    return { items: page.clusterVersions, next: page.nextPageToken };
  }, (version) => row(version, scope, zone, reload), empty("There is no version yet. The first run makes one:", "colonnade clusters run --help"));
  return [
    heading("History", link("clusters", scope, "Clusters")),
    h("div.columns.long",
      section("Versions", list.element),
      h("div",
        section("Compare", comparing(scope, context.query, signal)),
        section("Last changes of people", edits(context, scope)))),
  ];
}

function row(version, scope, zone, reload) {
  const { name, version: n, diff } = version;
  const changes = changesOf({ born: diff?.born.length, split: diff?.splits.length, merged: diff?.merges.length, retired: diff?.retired.length });
  const details = h("details", h("summary", changes || "what changed"));
  details.addEventListener("toggle", () => fill(details, h("summary", changes || "what changed"), later(
    () => api.get("/v1/{name=personas/*/clusterVersions/*}:diff", { name }), (found) => comparison(found, n, n - 1))), { once: true });
  return h(
    "li",
    h("div.split", h("span", h("strong", `Version ${n}`), " ", badge(word(version.kind)), version.pinned && [" ", badge("kept")]),
      h("span.soft", zone.moment(version.createTime))),
    h("p.soft", `${count(version.clusterCount, "cluster")}, ${number(version.clusteredCount)} of ${count(version.itemCount, "item")}`),
    details,
    h("div.actions", h("a", { href: to("clusters", scope, { version: n }) }, "Look at it"),
      version.pinned ? button("Let it go in time", async () => {
        await api.call("/v1/{name=personas/*/clusterVersions/*}:unpin", { name });
        reload();
      }, "button.small") : button("Keep for good", async () => {
        await api.call("/v1/{name=personas/*/clusterVersions/*}:pin", { name });
        reload();
      }, "button.small"),
      button("Go back to it…", () => restore(name, n, reload), "button.small")),
  );
}

async function restore(name, version, reload) {
  if (!await confirmed(`Go back to version ${version}?`, "The clusters become what they were then, by a new version. Items that came since are in none until "
    + "they are grouped; nothing is lost, and you can go back again.", "Go back")) return;
  const { clusterVersion } = await api.call("/v1/{name=personas/*/clusterVersions/*}:restore", { name });
  notify(`It is as it was in version ${version}; this is version ${clusterVersion.version}.`);
  reload();
}

function comparing(scope, query, signal) {
  const told = h("div");
  const input = (value) => h("input", { type: "number", min: 1, required: true, value });
  return [
    form([
      field("base_version", "From version", input(query.get("base") ?? "")),
      field("name", "to version", input(query.get("version") ?? "")),
    ], "Compare", async ({ base_version: base, name: version }) => {
      fill(told);
      const name = `${scope}/clusterVersions/${version}`;
      const found = await api.get("/v1/{name=personas/*/clusterVersions/*}:diff", { name, baseVersion: base }, { signal });
      fill(told, comparison(found, Number(version), Number(base)));
    }),
    told,
  ];
}

// How two versions differ. What is gone is named as it was in the older one.
function comparison({ diff, joinedCount, leftCount, movedCount, stayedCount }, now, before) {
  const newer = (name) => named(name, now);
  const older = (name) => named(name, before);
  const rows = [
    ["New", diff.born, newer],
    ["Split", diff.splits, ({ cluster, parts }) => [older(cluster), " into ", parts.map((part, i) => [i > 0 && ", ", newer(part)])]],
    ["Merged", diff.merges, ({ cluster, into }) => [older(cluster), " into ", newer(into)]],
    ["Gone", diff.retired, older],
  ].filter(([, found]) => found.length);
  return h("div.comparison",
    h("p.soft", `${number(stayedCount)} items stayed, ${number(movedCount)} are in another cluster, ${number(joinedCount)} joined one, ${number(leftCount)} left.`),
    rows.map(([title, found, show]) => [h("h3", `${title} (${found.length})`), h("ul", found.slice(0, NAMED).map((each) => h("li", show(each))),
      found.length > NAMED && h("li.soft", `and ${number(found.length - NAMED)} more`))]));
}

function named(name, version) {
  const anchor = h("a", { href: to("cluster", name, { version }) }, lastPart(name).slice(-8));
  api.get("/v1/{name=personas/*/clusters/*}", { name, version }).then((cluster) => fill(anchor, titleOf(cluster)))
    // The id stays in place of a title that cannot be read.
    .catch(() => undefined);
  return anchor;
}
