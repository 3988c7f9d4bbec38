// Briefs: what to make next, with the reason; accepted they become runs.

import { all, api } from "./api.js";
import { count, lastPart } from "./format.js";
import { h, fill } from "./html.js";
import { badge, button, busy, empty, link, notify, problem, section, thumbnail } from "./parts.js";
import { to } from "./routes.js";

const WANTED = 5;
const NEAREST = 4;

// The briefs that wait for a decision. Without a pillar there is nothing to write for.
export function briefs({ persona, pillars, signal, go }) {
  const list = h("ol.briefs");
  const told = h("div", { role: "status" });
  const more = h("button", { type: "button", disabled: !pillars.size }, `Write ${WANTED} more`);
  const show = async () => {
    try {
      const found = await pending(persona.name);
      fill(list, found.map((brief) => h("li", briefCard(brief, pillars, go))));
      fill(told, found.length ? null : empty("No brief waits for a decision. Have some written, here or with",
        `colonnade suggestions generate ${lastPart(persona.name)}`));
    } catch (error) {
      fill(told, problem(error, show));
    }
  };
  more.addEventListener("click", () => busy(more, async () => {
    const batch = await api.create("/v1/{parent=personas/*}/suggestionBatches", { parent: persona.name }, { count: WANTED });
    let last = batch;
    await api.watch("/v1/{name=personas/*/suggestionBatches/*}:watch", { name: batch.name }, ({ suggestionBatch: now }) => {
      last = now;
      fill(told, h("p.soft", `${now.written} of ${now.count} written`));
    }, { signal });
    await show();
    if (last.exhausted) notify("Every further idea would have been a repetition.");
    if (last.error?.message) notify(last.error.message, last.error.code > 0);
  }));
  show();
  return section("Make next", told, list, h("p.actions", more));
}

// The newest batch first, each in its ranking.
async function pending(parent) {
  const found = await all("/v1/{parent=personas/*}/suggestions", { parent, filter: 'state = "PENDING"' }, "suggestions", 200);
  const batches = [...new Set(found.map(({ suggestionBatch }) => suggestionBatch))];
  return found.sort((a, b) => batches.indexOf(a.suggestionBatch) - batches.indexOf(b.suggestionBatch) || a.rank - b.rank);
}

function briefCard(brief, pillars, go) {
  const card = h("article.brief");
  const why = h("input", { "aria-label": "Why not", placeholder: "Why not? It steers the next ones.", maxlength: 500 });
  const accept = button("Accept", async () => {
    const { run } = await api.call("/v1/{name=personas/*/suggestions/*}:accept", { name: brief.name }, { etag: brief.etag });
    notify(`“${brief.title}” is now a run.`);
    go(to("run", run.name));
  }, "button.primary");
  const reject = button("Reject", async () => {
    await api.call("/v1/{name=personas/*/suggestions/*}:reject", { name: brief.name }, { reason: why.value, etag: brief.etag });
    fill(card, h("p.soft", `“${brief.title}” is rejected.`));
  });
  return fill(
    card,
    h("div.heading", h("h3", `${brief.rank}. ${brief.title}`), link("pillar", brief.pillar, pillars.get(brief.pillar) ?? lastPart(brief.pillar)),
      brief.source !== "template" && badge(brief.source)),
    h("p", brief.description),
    h("p.reason", brief.reason),
    brief.nearestPhotos.length > 0 && h("p.nearest", h("span.soft", `${count(Math.min(brief.nearestPhotos.length, NEAREST), "photo")} nearest to it`),
      brief.nearestPhotos.slice(0, NEAREST).map((photo) => h("a", { href: to("photo", photo) }, thumbnail(photo, "a photo near to this brief")))),
    brief.prompt && h("details", h("summary", "Prompt"), h("p.prompt", brief.prompt), button("Copy", () => navigator.clipboard.writeText(brief.prompt))),
    h("div.actions", accept, why, reject),
  );
}
