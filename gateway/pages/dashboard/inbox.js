// Photos that could not be filed surely, to be sorted in bulk.

import { all, api } from "./api.js";
import { count, lastPart, percent } from "./format.js";
import { h, fill } from "./html.js";
import { altOf, button, choice, empty, heading, notify, tellResults, thumbnail } from "./parts.js";
import { to } from "./routes.js";

const MOST = 1000;

export async function inboxView(context) {
  const { persona, pillars, reload } = context;
  const photos = await all("/v1/{parent=personas/*}/photos", { parent: persona.name, filter: 'filing.state = "REVIEW"' }, "photos", MOST);
  if (!photos.length) {
    return [heading("Inbox"), empty("Nothing waits here. Photos that are imported without a pillar and cannot be filed surely come here:",
      `colonnade photos import ~/Pictures --persona ${lastPart(persona.name)}`)];
  }
  photos.sort((a, b) => b.filing.confidence - a.filing.confidence);
  const boxes = new Map();
  const rows = photos.map((photo) => row(photo, pillars, boxes, reload));
  const again = button("Propose anew", async () => {
    const { filed, waiting } = await api.call("/v1/{parent=personas/*}/photos:proposePillars", { parent: persona.name });
    notify(`${count(filed, "photo")} filed, ${waiting} still waiting`);
    reload();
  });
  return [
    heading("Inbox", h("span.soft", `${count(photos.length, "photo")}, surest first; not counted as usable until sorted`)),
    bulk(persona, photos, boxes, pillars, reload, again),
    h("ul.inbox", rows),
  ];
}

function row(photo, pillars, boxes, reload) {
  const { confidence, reason, alternatives } = photo.filing;
  const box = h("input", { type: "checkbox", "aria-label": `Select ${altOf(photo)}` });
  boxes.set(photo.name, box);
  const item = h("li");
  const file = (pillar) => async () => {
    await api.call("/v1/{name=personas/*/photos/*}:move", { name: photo.name }, { pillar });
    notify(`${photo.fileName} is in ${pillars.get(pillar)}.`);
    boxes.delete(photo.name);
    item.remove();
    if (!boxes.size) reload();
  };
  const others = [...pillars].filter(([name]) => name !== photo.pillar);
  const sure = new Map(alternatives.map((each) => [each.pillar, each.confidence]));
  others.sort(([a], [b]) => (sure.get(b) ?? 0) - (sure.get(a) ?? 0));
  return fill(
    item, box,
    h("a.shot", { href: to("photo", photo.name) }, thumbnail(photo.name, altOf(photo))),
    h("div",
      h("p", h("strong", photo.sourcePath || photo.fileName)),
      h("p.reason", h("meter", { min: 0, max: 1, value: confidence, "aria-label": "how sure" }),
        ` ${percent(confidence)} sure of ${pillars.get(photo.pillar)}: ${reason}`),
      h("div.actions", button(`${pillars.get(photo.pillar)}`, file(photo.pillar), "button.primary"),
        others.map(([name, title]) => button(sure.has(name) ? `${title} ${percent(sure.get(name))}` : title, file(name))))),
  );
}

function bulk(persona, photos, boxes, pillars, reload, again) {
  const least = h("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Least confidence in per cent" });
  const accept = h("button.primary", { type: "button" });
  const tell = () => {
    const amount = photos.filter(({ filing }) => 100 * filing.confidence >= least.value).length;
    fill(accept, `Accept the ${amount} from ${least.value} % on`);
    accept.disabled = !amount;
  };
  least.addEventListener("input", tell);
  accept.addEventListener("click", async () => {
    accept.disabled = true;
    try {
      const { filed } = await api.call("/v1/{parent=personas/*}/photos:acceptProposals", { parent: persona.name }, { minConfidence: least.value / 100 });
      notify(`${count(filed, "photo")} filed`);
      reload();
    } catch (error) {
      notify(error.message, true);
      tell();
    }
  });
  tell();
  const chosen = () => [...boxes].filter(([, box]) => box.checked).map(([name]) => name).slice(0, 200);
  const some = (work) => async (pillar) => {
    if (!chosen().length) return notify("Choose some photos first.", true);
    tellResults((await work(chosen(), pillar)).results, "filed");
    return reload();
  };
  const parent = persona.name;
  return h(
    "div.toolbar",
    least, accept,
    button("Accept the chosen", some((photosOf) => api.call("/v1/{parent=personas/*}/photos:acceptProposals", { parent }, { photos: photosOf }))),
    choice("Pillar", [["", "Move the chosen to…"], ...pillars], "", some((names, pillar) =>
      api.call("/v1/{parent=personas/*}/photos:batchMove", { parent }, { names, pillar }))),
    again,
  );
}
