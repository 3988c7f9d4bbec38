// How a scope is grouped: what the last run came to, what waits, and the run that is on its way.

import { all, api } from "./api.js";
import { count, word } from "./format.js";
import { h, fill } from "./html.js";
import { badge, button, confirmed, link, notify } from "./parts.js";
import { changesOf, isActive, outcomeOf } from "./outcome.js";

const LOOKED_AT = 20;

export async function grouping({ zone, signal, reload }, scope) {
  const [page, scopes] = await Promise.all([
    api.get("/v1/{parent=personas/*}/clusteringRuns", { parent: scope, pageSize: LOOKED_AT }, { signal }),
    all("/v1/clusterScopes", {}, "clusterScopes"),
  ]);
  const runs = page.clusteringRuns.filter(({ shadow }) => !shadow);
  const waiting = scopes.find((each) => each.scope === scope)?.waitingCount ?? 0;
  const line = h("p", { role: "status" });
  const track = h("div.track");
  const element = h("section.grouping", line, track);
  const show = (run) => {
    const { state, text } = outcomeOf(run, zone);
    fill(line, badge(state), " ", text, h("span.soft", waiting ? ` ${count(waiting, "item")} waiting to be grouped.` : " Nothing is waiting."));
  };
  let active = "";
  const stop = button("Stop", () => api.call("/v1/{name=personas/*/clusteringRuns/*}:cancel", { name: active }));
  const follow = async (name) => {
    active = name;
    for (const each of starts) each.disabled = true;
    let run;
    try {
      await api.watch("/v1/{name=personas/*/clusteringRuns/*}:watch", { name }, (message) => {
        run = message.clusteringRun;
        if (!isActive(run)) return;
        fill(line, badge("running"), " ", run.progress?.phase || word(run.state), amount(run.progress));
        fill(track, bar(run.progress), stop);
      }, { signal });
    } finally {
      fill(track);
      for (const each of starts) each.disabled = false;
    }
    show(run);
    if (run.state === "JOB_STATE_SUCCEEDED") notify(said(run.stats));
    // What else is shown meanwhile is left alone.
    if (element.isConnected) reload();
  };
  const start = (mode) => async () => {
    if (mode === "MODE_REFIT" && !await confirmed("Group everything anew?",
      "Items may change their clusters. What people named, locked, merged or chose stays, and the history keeps how it was.", "Group anew")) return;
    await follow(await runOf(scope, mode));
  };
  const starts = [button("Group now", start("MODE_AUTO"), "button.primary"), button("Everything anew…", start("MODE_REFIT"))];
  const current = runs.find(isActive);
  show(runs.find((run) => !isActive(run)));
  element.append(h("div.actions", starts, link("history", scope, "History")));
  if (current) follow(current.name).catch((error) => error.name !== "AbortError" && notify(error.message, true));
  return element;
}

function amount({ done, total } = {}) {
  return total ? ` ${done} of ${total}` : "";
}

// A bar without a value moves by itself: nobody knows yet how much there is to do.
function bar({ done, total } = {}) {
  return h("progress", { "aria-label": "Progress of the run", max: total || undefined, value: total ? done : undefined });
}

function said(stats) {
  if (stats.noop) return "Nothing has changed since the last time.";
  const changes = changesOf(stats);
  return `${stats.clustered} of ${count(stats.items, "item")} in ${count(stats.clusters, "cluster")}${changes && `; ${changes}`}.`;
}

// The name of a new run, or of the one that is active already.
async function runOf(parent, mode) {
  try {
    return (await api.create("/v1/{parent=personas/*}/clusteringRuns", { parent }, { mode })).name;
  } catch (error) {
    if (error.reason !== "RUN_ACTIVE") throw error;
    return error.metadata.run;
  }
}
