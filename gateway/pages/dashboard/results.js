// What the posts of each pillar reached against the others, with how sure that is.

import { api } from "./api.js";
import { count, lastPart, number, percent, word } from "./format.js";
import { h } from "./html.js";
import { marksOf, placeOf, widthOf } from "./lifts.js";
import { badge, choice, empty, heading, later, link, section } from "./parts.js";
import { to } from "./routes.js";

const METRICS = ["INTERACTIONS", "REACH", "IMPRESSIONS", "LIKES", "COMMENTS", "SAVES", "SHARES"];
const AGES = [[24, "a day old"], [72, "3 days old"], [168, "a week old"], [720, "30 days old"]];
const CLEAR = new Set(["FINDING_MORE", "FINDING_LESS"]);
const WINDOWS = [30, 90, 180, 365];

export function resultsView(context) {
  const { persona, query, signal, go } = context;
  const asked = { metric: query.get("metric") ?? "INTERACTIONS", age: query.get("age") ?? "168", days: query.get("days") ?? "180" };
  const change = (name) => (value) => go(to("results", persona.name, { ...asked, [name]: value }), { instead: true });
  return [
    heading("Results"),
    h("p.asked",
      choice("Number", METRICS.map((each) => [each, word(each)]), asked.metric, change("metric")), " of posts that are ",
      choice("Age", AGES.map(([hours, text]) => [String(hours), text]), asked.age, change("age")), ", of the last ",
      choice("Days", WINDOWS.map((each) => [String(each), count(each, "day")]), asked.days, change("days"))),
    later(() => summaryOf(persona.name, asked, signal), (summary) => shown(summary, context)),
  ];
}

async function summaryOf(parent, { metric, age, days }, signal) {
  const fields = { parent, metric: `METRIC_${metric}`, ageHours: age, windowDays: days };
  return (await api.get("/v1/{parent=personas/*}:summarizeResults", fields, { signal })).summary;
}

function shown(summary, { persona, zone }) {
  const { pillars, suggestion, comparedPosts, unknownPosts } = summary;
  if (!pillars.length) {
    return empty("There are no pillars yet, so there is nothing to compare. Add one:", `colonnade pillars create ${lastPart(persona.name)} --help`);
  }
  const width = widthOf(pillars.map((pillar) => pillar.lift).filter(Boolean));
  return [
    h("p.verdict", `${count(comparedPosts, "post")} since ${zone.date(summary.startTime)}`,
      unknownPosts > 0 && h("span.soft", `, ${number(unknownPosts)} without numbers of that age`)),
    h("table.lifts",
      h("thead", h("tr", h("th", "Pillar"), h("th.amount", "Posts"), h("th.amount", "Each, on average"),
        h("th", "A typical post, against the others", axis(width)), h("th", "What that says"))),
      h("tbody", pillars.map((pillar) => row(pillar, width)))),
    h("p.hint", `A bar is where the truth lies, with ${percent(summary.confidence)} certainty for all bars together. A pillar differs `
      + "if its bar leaves out the middle. Posts are compared with others on the same channels of about the same time."),
    section("Weights", h("p.reason", suggestion.reason), proposal(summary)),
  ];
}

function row({ pillar, title, weight, posts, mean, lift, finding, neededPosts }, width) {
  return h("tr",
    h("th", { scope: "row" }, link("pillar", pillar, title || lastPart(pillar)), " ", h("span.soft", weight ? `${weight} %` : "not planned")),
    h("td.amount", number(posts)),
    h("td.amount", mean === undefined ? "–" : number(mean, 1)),
    h("td", lift ? range(lift, width) : h("span.soft", "not known yet")),
    h("td", badge(word(finding)), neededPosts > 0 && !CLEAR.has(finding) && h("span.soft", ` about ${count(neededPosts, "post")} more would show a doubling`)));
}

function axis(width) {
  return h("div.axis", { "aria-hidden": "true" },
    marksOf(width).map(({ lift, text }) => h("span", { "--place": `${placeOf(lift, width)}%` }, text)));
}

function range({ value, low, high }, width) {
  const [from, until] = [placeOf(low, width), placeOf(high, width)];
  const words = `${number(value, 2)} times as much, between ${number(low, 2)} and ${number(high, 2)}`;
  return h("div.range", { role: "img", "aria-label": words, title: words },
    h("span.even"),
    h("span.span", { class: low > 1 ? "more" : high < 1 ? "less" : "open", "--from": `${from}%`, "--width": `${until - from}%` }),
    h("span.point", { "--place": `${placeOf(value, width)}%` }));
}

function proposal({ suggestion, pillars }) {
  if (!suggestion.weights.length) return null;
  const titles = new Map(pillars.map(({ pillar, title }) => [pillar, title]));
  return [
    h("ul.weights", suggestion.weights.map(({ pillar, weight, suggestedWeight }) =>
      h("li", link("pillar", pillar, titles.get(pillar)), ` ${weight} % `,
        suggestedWeight === weight ? h("span.soft", "stays") : h("strong", `→ ${suggestedWeight} %`)))),
    h("p.hint", "Nothing is set by this. To set one: ", h("code", `colonnade pillars update ${suggestion.weights[0].pillar} --weight ${suggestion.weights[0].suggestedWeight}`)),
  ];
}
