// What a clustering run came to, in a word and a line.

import { count, word } from "./format.js";

const ACTIVE = new Set(["JOB_STATE_QUEUED", "JOB_STATE_RUNNING", "JOB_STATE_CANCELLING"]);

export function isActive(run) {
  return ACTIVE.has(run.state);
}

// How the last run of a scope ended, as {state, text}; `run` is undefined where there was none. What
// failed comes with its error's class and words.
export function outcomeOf(run, zone) {
  if (!run) return { state: "never run", text: "Nothing has been grouped here yet." };
  if (isActive(run)) return { state: "running", text: "" };
  const at = zone.moment(run.endTime);
  if (run.state === "JOB_STATE_SUCCEEDED") {
    const { noop, items } = run.stats;
    return noop ? { state: "nothing new", text: `succeeded at ${at}, ${count(items, "item")}, nothing had changed.` }
      : { state: "ok", text: `succeeded at ${at}, ${count(items, "item")}.` };
  }
  const { message, details = [] } = run.error ?? {};
  const reason = details.find((detail) => detail.reason)?.reason;
  const why = [reason, message].filter(Boolean).join(": ");
  return { state: word(run.state), text: `${word(run.state)} at ${at}${why && `: ${why}`}.` };
}

// What changed in a version or a run, such as "2 new, 1 merged"; empty where nothing did.
export function changesOf({ born, split, merged, retired }) {
  return [[born, "new"], [split, "split"], [merged, "merged"], [retired, "gone"]]
    .filter(([amount]) => amount).map(([amount, text]) => `${amount} ${text}`).join(", ");
}
