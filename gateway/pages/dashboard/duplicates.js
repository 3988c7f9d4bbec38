// Photos that are the same: in which way, which one to keep, and what a person says about it for good.

import { api } from "./api.js";
import { count, number, percent, word } from "./format.js";
import { h, fill } from "./html.js";
import { badge, button, empty, endless, heading, nearScreen, notify, problem, tellResults, thumbnail } from "./parts.js";
import { to } from "./routes.js";

const VERDICTS = [
  ["duplicate", "Copies", "copies of one picture"],
  ["variant", "Variants", "edits of one picture"],
  ["burst", "Bursts", "shots of one moment"],
];
const REASONS = {
  REASON_POSTED: "keep: it was posted", REASON_PIXELS: "keep: most pixels", REASON_QUALITY: "keep: best quality",
  REASON_OLDEST: "keep: came in first", REASON_SCHEDULED: "keep: it is scheduled",
};

export async function duplicatesView({ persona, query, signal, go }) {
  const [id, , meaning] = VERDICTS.find(([verdict]) => verdict === query.get("show")) ?? VERDICTS[0];
  const least = query.get("structure") ?? undefined;
  const told = h("span.soft", { role: "status" });
  const strength = h("span");
  const list = endless(h("div.groups"), async (pageToken) => {
    const fields = { parent: persona.name, verdicts: `DUPLICATE_VERDICT_${id.toUpperCase()}`, "thresholds.minStructure": least, pageSize: 30, pageToken };
    const page = await api.get("/v1/{parent=personas/*}/duplicateSets", fields, { signal });
    fill(told, page.waitingCount ? `${count(page.waitingCount, "photo")} still to be compared` : "every photo was compared");
    if (!pageToken) fill(strength, slider(page.thresholds.minStructure));
    return { items: page.duplicateSets, next: page.nextPageToken };
  }, (set) => setCard(persona.name, set), empty(`There are no ${meaning} that nobody has decided about.`));
  const slider = (now) => {
    const shown = h("output", number(now, 3));
    const input = h("input", { type: "range", min: 0.7, max: 1, step: 0.005, value: now, "aria-label": "Least likeness of details" });
    input.addEventListener("input", () => fill(shown, number(input.value, 3)));
    input.addEventListener("change", () => go(to("duplicates", persona.name, { show: id, structure: input.value }), { instead: true }));
    return h("label", "Copies are alike in their details from ", shown, " ", input);
  };
  return [
    heading("Duplicates", told),
    h("nav.tabs", { "aria-label": "Duplicates" }, VERDICTS.map(([verdict, text]) => h("a", {
      href: to("duplicates", persona.name, { show: verdict, structure: query.get("structure") }), "aria-current": verdict === id && "page",
    }, text))),
    id === "duplicate" && h("div.toolbar", strength),
    list.element,
  ];
}

function setCard(parent, { verdict, keeper, keeperReason, others }) {
  const card = h("article.group");
  const names = others.map(({ photo }) => photo);
  const archive = async () => {
    const { results } = await api.call("/v1/{parent=personas/*}/photos:batchArchive", { parent }, { names });
    tellResults(results, "archived");
    if (results.every(({ status }) => !status?.code)) card.remove();
  };
  const decide = (decision) => async () => {
    const decisions = names.map((second) => ({ first: keeper.photo, second, decision }));
    await api.call("/v1/{parent=personas/*}:reviewDuplicatePairs", { parent }, { decisions });
    notify("Noted; they are not asked about again.");
    card.remove();
  };
  return fill(
    card,
    h("ul.grid.small", member(keeper, REASONS[keeperReason] ?? "keep", true), others.map((other) => member(other, likeness(other.evidence), false))),
    h("div.actions", button("Archive the others", archive), button("They are different", decide("DUPLICATE_VERDICT_DIFFERENT")),
      button("So it is, keep all", decide(verdict))),
  );
}

function likeness({ structure, cosine }) {
  return structure === undefined ? `cosine ${number(cosine ?? 0, 3)}` : `${number(100 * structure, 1)} % alike`;
}

function member({ photo, posted }, mark, keep) {
  const about = h("p", mark);
  nearScreen(about, async () => {
    try {
      const found = await api.get("/v1/{name=personas/*/photos/*}", { name: photo });
      about.append(h("span.name", found.fileName), h("span.soft", `${number(found.width)} × ${number(found.height)}, quality ${percent(found.quality ?? 0)}`));
      if (word(found.usage) === "scheduled") about.prepend(badge("scheduled"));
    } catch (error) {
      about.append(problem(error));
    }
  });
  return h("li.tile", { class: keep ? "keep" : "" },
    h("a", { href: to("photo", photo) }, thumbnail(photo, keep ? "the one to keep" : `a photo ${mark}`)), posted && h("span.quality", "posted"), about);
}
