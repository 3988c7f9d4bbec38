// Whether every part of the suite is ready, and what does not work.

import { all } from "./api.js";
import { lastPart, word } from "./format.js";
import { h, fill } from "./html.js";
import { badge, facts, heading, problem, section } from "./parts.js";

const EVERY = 15_000;

// Colours the dot of the header, now and every so often.
export async function watchHealth(mark) {
  const look = async () => {
    if (document.hidden) return;
    const { ready, failures, warnings } = await readiness();
    const told = Object.entries(ready ? warnings : failures).map((entry) => entry.join(": "));
    mark.dataset.state = ready ? (told.length ? "warn" : "good") : "bad";
    mark.title = told.join("\n") || "every part is ready";
  };
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
  await look();
}

export async function healthView({ reload, signal }) {
  const { ready, failures, warnings, working } = await readiness();
  const models = h("div");
  if (ready) {
    all("/v1/models", {}, "models").then((found) => fill(models, section("Models", h("ul.cards.wide", found.map(modelCard)))))
      .catch((error) => fill(models, problem(error)));
  }
  const timer = setTimeout(() => !signal.aborted && models.isConnected && !ready && reload(), 3000);
  signal.addEventListener("abort", () => clearTimeout(timer));
  return [
    heading("Health", badge(ready ? "ready" : "not ready")),
    ready ? h("p.verdict", "Every part answers: each has just made a real query or inference.")
      : [section("What does not work", reasons(failures)),
        h("p.soft.machines", "Looking again every few seconds. In a terminal: ", h("code", "colonnade status"))],
    Object.keys(warnings).length > 0 && section("What does not work as it should", reasons(warnings)),
    working.length > 0 && section("What works", h("ul.working", working.map((part) => h("li", part.split(".").pop())))),
    models,
    h("p.soft.machines", "For machines: ", h("a", { href: "/readyz" }, "/readyz"), ", ", h("a", { href: "/healthz" }, "/healthz"), ", ",
      h("a", { href: "/metrics" }, "/metrics"), ", ", h("a", { href: "/openapi.json" }, "/openapi.json")),
  ];
}

function reasons(parts) {
  return h("dl.failures", Object.entries(parts).map(([part, reason]) => h("div", h("dt", part), h("dd", reason))));
}

function modelCard(model) {
  return h("li.card",
    h("div.heading", h("h3", lastPart(model.name)), badge(word(model.state)), model.default && badge("default")),
    facts([
      ["What", model.displayName],
      ["Revision", model.revision],
      ["Dimension", model.dimension],
      ["Runs on", model.provider],
      ["Licence", model.licence],
    ]));
}

// The gateway's document; where there is not even one, that is what does not work.
async function readiness() {
  try {
    const answer = await fetch("/readyz", { signal: AbortSignal.timeout(10_000) });
    const { failures = {}, warnings = {}, working = [] } = await answer.json();
    return { ready: answer.ok, failures, warnings, working };
  } catch (error) {
    return { ready: false, failures: { gateway: `does not answer (${error.message})` }, warnings: {}, working: [] };
  }
}
