// One cluster: what it is about, how good it is, who is in it, and what people can make of it.

import { all, api } from "./api.js";
import { scopeOf, sources, titleOf } from "./clusters.js";
import { edits } from "./edits.js";
import { count, lastPart, likeness, number, word } from "./format.js";
import { h } from "./html.js";
import { clusterForm, members, splitting } from "./members.js";
import { badge, button, confirmed, empty, field, form, heading, later, link, notify, open, options, section, thumbnail } from "./parts.js";
import { to } from "./routes.js";

export async function clusterView(context) {
  const { ids, pillars, name, query, signal, reload } = context;
  const texts = Boolean(ids.project);
  const version = query.get("version") ?? "";
  const [cluster, assigned] = await Promise.all([
    api.get("/v1/{name=personas/*/clusters/*}", { name, version }, { signal }),
    texts ? [] : all("/v1/{parent=personas/*/clusters/*}/pillars", { parent: name }, "clusterPillars"),
  ]);
  const list = section("Members", members(cluster, { ...context, texts, version }));
  return [
    heading(titleOf(cluster), [
      h("span.soft", count(cluster.memberCount, texts ? "text" : "photo")),
      badge(word(cluster.origin)), cluster.state !== "STATE_ACTIVE" && badge(word(cluster.state)),
      version ? [badge(`as of version ${version}`), link("cluster", name, "As it is now")] : null,
    ]),
    cluster.mergedInto && h("p", "Its members are in ", link("cluster", cluster.mergedInto, "another cluster"), " now."),
    about(cluster, texts, version, signal),
    version ? list : h("div.columns.long",
      h("div", list),
      h("div",
        cluster.memberCount > 0 && section("Quality", later(() => analysis(name, signal), (found) => quality(found, cluster, texts, context))),
        section("Change it",
          h("details.section", h("summary", "Name and describe"), naming(cluster, reload)),
          h("div.actions", archiving(cluster, reload), button("Merge others into it…", () => merging(name, reload)),
            cluster.hero?.pinned && button("Let the service choose the hero", () => freeHero(name, reload)),
            cluster.origin === "ORIGIN_CURATED" && !cluster.memberCount && button("Delete…", () => remove(cluster, context), "button.danger"))),
        !texts && cluster.origin === "ORIGIN_CURATED" && section("Feeds these pillars", assigning(cluster, pillars, assigned, reload)),
        section("Last changes", edits(context, scopeOf(ids), name),
          h("p.actions", link("history", scopeOf(ids), "All versions"))))),
  ];
}

// What was written about a cluster is about its members of now.
function about({ name, summary, digest }, texts, version, signal) {
  const text = summary || (!version && digest?.summary);
  const issue = !version && digest?.issueTitle;
  return [
    text && h("p", text),
    texts && later(() => api.get("/v1/{parent=personas/*/clusters/*}/members", { parent: name, pageSize: 1, version }, { signal }),
      ({ sourceCounts }) => sources(sourceCounts)),
    issue && h("details.section", h("summary", `An issue about it${digest.repository ? ` for ${digest.repository}` : ""}`),
      h("h3", issue), h("p.body", digest.issueBody)),
  ];
}

async function analysis(name, signal) {
  return (await api.get("/v1/{name=personas/*/clusters/*}:analyze", { name }, { signal })).analysis;
}

function quality(found, cluster, texts, { go, reload }) {
  const { split, outliers, similarClusters } = found;
  const picture = (item) => (texts ? lastPart(item) : h("a", { href: to("photo", item) }, thumbnail(item, "a member")));
  const row = (items) => h("ul.strip", items.slice(0, 8).map((item) => h("li", picture(item))));
  const { name } = cluster;
  const takeOut = async () => {
    await api.call("/v1/{name=personas/*/clusters/*}:removeMembers", { name }, { items: outliers.map(({ item }) => item) });
    notify("Taken out; no run puts them back. It can be undone for a day.");
    reload();
  };
  return [
    h("p", badge(word(found.quality)), ` cohesion ${likeness(found.cohesion)}`,
      found.examinedCount < found.memberCount && h("span.soft", `, by ${number(found.examinedCount)} of ${count(found.memberCount, "member")}`)),
    outliers.length > 0 && [h("p.reason", `${count(outliers.length, "member")} may not belong here:`), row(outliers.map(({ item }) => item)),
      h("p.actions", button(outliers.length === 1 ? "Take it out" : "Take them out", takeOut, "button.small"))],
    split && [h("p.reason", `It may be two groups: ${count(split.items.length, "member")} at ${likeness(split.cohesion)}, the rest at ${likeness(split.restCohesion)}.`),
      row(split.items), h("p.actions", button("Split them off…", () => splitting(name, split.items.slice(0, 200), go), "button.small"))],
    similarClusters.length > 0 && [h("p.reason", "Nearest clusters:"), h("ul.rows", similarClusters.map((near) => h("li.split",
      h("span", link("cluster", near.cluster, titleOf(near)), h("span.soft", ` ${likeness(near.likeness)}`)),
      near.mergeSuggested && button("Merge it in", () => merge(name, near.cluster, reload), "button.small"))))],
  ];
}

function naming(cluster, reload) {
  return form([
    field("title", "Title", h("input", { value: cluster.title, required: true, maxlength: 100 }),
      cluster.titlePinned ? "A person gave it; no run changes it." : "No run changes a title that you give."),
    field("summary", "What its members have in common", h("textarea", { rows: 2, value: cluster.summary })),
    field("prompt_hint", "How to get more of it", h("textarea", { rows: 2, value: cluster.promptHint })),
  ], "Save", async (values) => {
    const wanted = { title: values.title, summary: values.summary, promptHint: values.prompt_hint };
    // What stays as it is is not named, so that a found title does not become a given one.
    const mask = Object.entries(values).filter(([each]) => values[each] !== cluster[each === "prompt_hint" ? "promptHint" : each]).map(([each]) => each);
    if (!mask.length) return notify("Nothing is different.");
    await api.update("/v1/{cluster.name=personas/*/clusters/*}", { "cluster.name": cluster.name }, { ...wanted, etag: cluster.etag }, mask);
    notify("Saved.");
    return reload();
  });
}

function archiving({ name, state }, reload) {
  if (state === "STATE_ARCHIVED") {
    return button("Take back into use", async () => {
      await api.call("/v1/{name=personas/*/clusters/*}:unarchive", { name });
      reload();
    });
  }
  return button("Archive", async () => {
    await api.call("/v1/{name=personas/*/clusters/*}:archive", { name });
    reload();
  });
}

function merging(name, reload) {
  open("Merge into this cluster", (close) => clusterForm(name, "Which becomes part of it", "Merge", async (source) => {
    await merge(name, source, reload);
    close();
  }));
}

async function merge(name, source, reload) {
  await api.call("/v1/{name=personas/*/clusters/*}:merge", { name }, { sources: [source] });
  notify("Merged, for later runs too; it can be undone for a day.");
  reload();
}

async function freeHero(name, reload) {
  await api.call("/v1/{name=personas/*/clusters/*}:setHero", { name }, { item: "" });
  reload();
}

async function remove({ name, etag }, { ids, go }) {
  if (!await confirmed("Delete this cluster?", "It has no members; its title and notes go.", "Delete")) return;
  await api.remove("/v1/{name=personas/*/clusters/*}", { name, etag });
  go(to("clusters", scopeOf(ids)), { instead: true });
}

function assigning(cluster, pillars, assigned, reload) {
  const { name } = cluster;
  const taken = new Set(assigned.map(({ pillar }) => pillar));
  const free = [...pillars].filter(([pillar]) => !taken.has(pillar));
  return [
    assigned.length > 0 ? h("ul.chips", assigned.map(({ pillar, primary }) => h("li",
      link("pillar", pillar, `${pillars.get(pillar) ?? lastPart(pillar)}${primary ? ", first" : ""}`), " ",
      button("×", async () => {
        await api.call("/v1/{name=personas/*/clusters/*}:unassignFromPillar", { name }, { pillar });
        reload();
      }, "button.small")))) : empty("None yet."),
    free.length > 0 && form([
      field("pillar", "Pillar", h("select", options(free))),
      h("label.check", h("input", { type: "checkbox", name: "primary" }), "its first one"),
      field("notes", "Notes", h("input", { autocomplete: "off" })),
    ], "Assign", async (values) => {
      const message = { pillar: values.pillar, primary: values.primary === "on", notes: values.notes };
      await api.call("/v1/{name=personas/*/clusters/*}:assignToPillar", { name }, message);
      reload();
    }),
  ];
}
