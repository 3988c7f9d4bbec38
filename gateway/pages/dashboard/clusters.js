// Groups of photos that belong together: found by runs, or made by people.

import { all, api } from "./api.js";
import { count, lastPart, number, word } from "./format.js";
import { h, fill } from "./html.js";
import { badge, busy, button, choice, empty, endless, field, form, heading, link, notify, open, options, section, thumbnail } from "./parts.js";
import { to } from "./routes.js";

const RUNNING = new Set(["JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"]);

export async function clustersView(context) {
  const { persona, query, signal, go } = context;
  const archived = query.get("show") === "archived";
  const grid = h("ul.cards.clusters");
  const list = endless(grid, async (pageToken) => {
    const filter = archived ? 'state = "ARCHIVED"' : "";
    const page = await api.get("/v1/{parent=personas/*}/clusters", { parent: persona.name, filter, pageSize: 60, pageToken }, { signal });
    return { items: page.clusters, next: page.nextPageToken };
  }, clusterCard, archived ? empty("No cluster is archived.")
    : empty("Nothing is grouped yet. Group the photos, here or with:", `colonnade clusters run ${lastPart(persona.name)}`));
  return [
    heading("Clusters", [
      choice("Which", [["", "in use"], ["archived", "archived"]], archived ? "archived" : "", (show) => go(to("clusters", persona.name, { show }))),
      grouping(context),
      button("New cluster…", () => creation(context)),
    ]),
    list.element,
  ];
}

function clusterCard(cluster) {
  return h(
    "li.card",
    h("a.cover", { href: to("cluster", cluster.name) },
      cluster.hero?.item ? thumbnail(cluster.hero.item, `the photo that stands for ${cluster.title}`) : h("span.none", "no photo"),
      h("h2", cluster.title || "without a title")),
    h("p.soft", count(cluster.memberCount, "photo"), cluster.cohesion > 0 && `, cohesion ${cluster.cohesion.toFixed(2)}`,
      cluster.origin === "ORIGIN_CURATED" && [" ", badge("curated")], cluster.state !== "STATE_ACTIVE" && [" ", badge(word(cluster.state))]),
    cluster.summary && h("p", cluster.summary),
  );
}

function grouping({ persona, signal, reload }) {
  const told = h("span.soft", { role: "status" });
  const start = h("button", { type: "button" }, "Group anew");
  start.addEventListener("click", () => busy(start, async () => {
    let run;
    const name = await runOf(persona.name);
    await api.watch("/v1/{name=personas/*/clusteringRuns/*}:watch", { name }, (message) => {
      run = message.clusteringRun;
      const { phase, done, total } = run.progress ?? {};
      if (RUNNING.has(run.state)) fill(told, phase || "queued", total ? ` ${done} of ${total}` : "");
    }, { signal });
    if (run.state !== "JOB_STATE_SUCCEEDED") throw new Error(run.error?.message || `the run is ${word(run.state)}`);
    const { noop, clusters, clustered, items, born, retired } = run.stats;
    notify(noop ? "Nothing has changed since the last time."
      : `${clustered} of ${items} photos in ${clusters} clusters; ${born} new, ${retired} no longer found`);
    reload();
  }));
  return [told, start];
}

// The name of a new run, or of the one that is active already.
async function runOf(parent) {
  try {
    return (await api.create("/v1/{parent=personas/*}/clusteringRuns", { parent }, { mode: "MODE_AUTO" })).name;
  } catch (error) {
    if (error.reason !== "RUN_ACTIVE") throw error;
    return error.metadata.run;
  }
}

function creation({ persona, go }) {
  open("New cluster", (close) => form([
    field("title", "Title", h("input", { required: true, maxlength: 100, autocomplete: "off" })),
    field("prompt_hint", "How to get more of it", h("textarea", { rows: 2 }), "For image backends; optional."),
  ], "Create", async (values) => {
    const wanted = { title: values.title, promptHint: values.prompt_hint };
    const cluster = await api.create("/v1/{parent=personas/*}/clusters", { parent: persona.name }, wanted);
    close();
    go(to("cluster", cluster.name));
  }));
}

export async function clusterView(context) {
  const { pillars, name, signal, reload } = context;
  const [cluster, assigned] = await Promise.all([
    api.get("/v1/{name=personas/*/clusters/*}", { name }, { signal }),
    all("/v1/{parent=personas/*/clusters/*}/pillars", { parent: name }, "clusterPillars"),
  ]);
  const grid = h("ul.grid");
  const list = endless(grid, async (pageToken) => {
    const page = await api.get("/v1/{parent=personas/*/clusters/*}/members", { parent: name, pageSize: 60, pageToken }, { signal });
    return { items: page.members, next: page.nextPageToken };
  }, (member) => memberTile(member, cluster, reload), empty("It has no photos yet.", `colonnade clusters --help`));
  return [
    heading(cluster.title || "without a title", [
      h("span.soft", `${count(cluster.memberCount, "photo")}, version ${number(cluster.version)}`),
      badge(cluster.origin === "ORIGIN_CURATED" ? "curated" : "found"), cluster.state !== "STATE_ACTIVE" && badge(word(cluster.state)),
    ]),
    cluster.mergedInto && h("p", "Its photos are in ", link("cluster", cluster.mergedInto, "another cluster"), " now."),
    cluster.summary && h("p", cluster.summary),
    h("details.section", h("summary", "Rename, archive, assign"),
      naming(cluster, reload), archiving(cluster, reload), assigning(cluster, pillars, assigned, reload)),
    section("Members", list.element),
  ];
}

function memberTile(member, cluster, reload) {
  const isHero = member.item === cluster.hero?.item;
  return h(
    "li.tile", { class: isHero ? "keep" : "" },
    h("a", { href: to("photo", member.item) }, thumbnail(member.item, isHero ? "the hero of the cluster" : `member ${member.position}`)),
    h("span.quality", { title: "cosine to the middle of the cluster" }, member.similarity ? member.similarity.toFixed(2) : "new"),
    h("p", isHero ? badge(cluster.hero.pinned ? "chosen hero" : "hero") : button("Hero", async () => {
      await api.call("/v1/{name=personas/*/clusters/*}:setHero", { name: cluster.name }, { item: member.item });
      reload();
    }, "button.small"), member.locked && badge("put here by hand"), member.duplicateOf && badge("duplicate")),
  );
}

function naming(cluster, reload) {
  return form([
    field("title", "Title", h("input", { value: cluster.title, required: true, maxlength: 100 }), "No run changes a title that you gave."),
    field("prompt_hint", "How to get more of it", h("textarea", { rows: 2, value: cluster.promptHint })),
  ], "Save", async (values) => {
    const wanted = { title: values.title, promptHint: values.prompt_hint, etag: cluster.etag };
    await api.update("/v1/{cluster.name=personas/*/clusters/*}", { "cluster.name": cluster.name }, wanted, ["title", "prompt_hint"]);
    reload();
  });
}

function archiving(cluster, reload) {
  if (cluster.state === "STATE_ARCHIVED") {
    return button("Take back into use", async () => {
      await api.call("/v1/{name=personas/*/clusters/*}:unarchive", { name: cluster.name });
      reload();
    });
  }
  return button("Archive the cluster", async () => {
    await api.call("/v1/{name=personas/*/clusters/*}:archive", { name: cluster.name });
    reload();
  });
}

function assigning(cluster, pillars, assigned, reload) {
  const { name } = cluster;
  const taken = new Set(assigned.map(({ pillar }) => pillar));
  const free = [...pillars].filter(([pillar]) => !taken.has(pillar));
  return [
    assigned.length > 0 && h("ul.chips", assigned.map(({ pillar, primary }) => h("li",
      link("pillar", pillar, `${pillars.get(pillar)}${primary ? ", first" : ""}`), " ",
      button("×", async () => {
        await api.call("/v1/{name=personas/*/clusters/*}:unassignFromPillar", { name }, { pillar });
        reload();
      }, "button.small")))),
    cluster.origin === "ORIGIN_CURATED" && free.length > 0 && form([
      field("pillar", "Feeds the pillar", h("select", options(free))),
      h("label.check", h("input", { type: "checkbox", name: "primary" }), "its first one"),
    ], "Assign", async (values) => {
      const message = { pillar: values.pillar, primary: values.primary === "on" };
      await api.call("/v1/{name=personas/*/clusters/*}:assignToPillar", { name }, message);
      reload();
    }),
  ];
}
