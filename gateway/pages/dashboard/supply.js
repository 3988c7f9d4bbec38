// What a pillar has against what it needs, as a bar and in words.

import { count, number, word } from "./format.js";
import { h } from "./html.js";
import { badge } from "./parts.js";

// What shows a scene that others show, too, is usable but counts as little more than one.
const PARTS = [
  ["effective", "usable"],
  ["alike", "usable, of the same scenes"],
  ["awaitingVote", "awaiting vote"],
  ["pending", "being embedded"],
  ["unsorted", "in the inbox"],
  ["scheduled", "scheduled"],
  ["spent", "spent"],
  ["held", "held"],
];

export function supplyBar({ supply, needed }) {
  const amounts = { ...supply, alike: supply.usable - supply.effective };
  const parts = PARTS.map(([id, text]) => ({ id, text, amount: amounts[id] }));
  const shown = parts.filter(({ amount }) => amount > 0);
  const sum = Math.max(shown.reduce((total, { amount }) => total + amount, 0), needed, 1);
  const words = shown.map(({ amount, text }) => `${number(amount, 1)} ${text}`).join(", ") || "nothing";
  return h(
    "div.supply",
    h("div.bar", { role: "img", "aria-label": `${words}; ${number(needed)} needed` },
      shown.map(({ id, amount }) => h("span.part", { class: id, "--share": `${(100 * amount) / sum}%` })),
      needed > 0 && h("span.needed", { "--share": `${(100 * needed) / sum}%` })),
    h("ul.legend", { "aria-hidden": "true" },
      shown.map(({ id, text, amount }) => h("li", h("span.swatch", { class: id }), `${number(amount, 1)} ${text}`)),
      needed > 0 && h("li", h("span.swatch.mark"), `${number(needed)} needed`)),
  );
}

export function supplyFacts(gap, zone, days) {
  const lack = gap.gap > 0 ? h("strong", `${number(gap.gap, 1)} missing`) : `${number(-gap.gap, 1)} to spare`;
  const stock = gap.daysOfStock === undefined ? "nothing planned" : `lasts ${count(Math.floor(gap.daysOfStock), "day")}`;
  return h(
    "p.figures",
    h("span", h("strong", number(gap.supply.effective, 1)), " effective of ", h("strong", number(gap.needed)),
      ` needed in ${count(days, "day")}`),
    h("span", lack),
    h("span", stock, gap.runOutTime && `, until ${zone.date(gap.runOutTime)}`),
  );
}

// What decides how many a pillar needs where it is not its weight.
export function weeklyRate(postsPerWeek) {
  return postsPerWeek === undefined ? "" : `; planned for ${number(postsPerWeek)} a week`;
}

export function supplyState(gap) {
  return gap.planned ? badge(word(gap.status)) : badge("not planned");
}
