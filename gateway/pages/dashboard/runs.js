// Runs: pictures in the making. People add candidates, vote in pairs, and the winner becomes a photo.

import { all, api } from "./api.js";
import { count, lastPart, percent, word } from "./format.js";
import { h, fill } from "./html.js";
import {
  badge, button, choice, confirmed, empty, endless, facts, field, form, heading, link, notify, options, picture, section,
} from "./parts.js";
import { to } from "./routes.js";
import { uploader } from "./upload.js";

const STATES = [
  ["", "all"], ["RUNNING", "gathering candidates"], ["WAITING", "waiting for votes"], ["COMPLETED", "completed"], ["FAILED", "failed"],
  ["CANCELLED", "cancelled"],
];
const OVER = {
  REASON_CONFIDENT: "The vote is over: it is sure enough who leads.",
  REASON_NO_PAIRS_LEFT: "The vote is over: every pair was asked.",
  REASON_TOO_FEW: "Fewer than two candidates can be voted on. Add some first.",
  REASON_CLOSED: "The vote is closed: the run has a winner, or was cancelled.",
};

export async function runsView(context) {
  const { persona, query, go } = context;
  const state = query.get("state") ?? "";
  return [
    heading("Runs", choice("State", STATES, state, (value) => go(to("runs", persona.name, { state: value }), { instead: true }))),
    h("details.section", h("summary", "New run"), runStart(context)),
    runList(context, state && `state = "${state}"`),
  ];
}

export function runList({ persona, zone, pillars, signal }, filter) {
  return endless(h("ol.rows"), async (pageToken) => {
    const page = await api.get("/v1/{parent=personas/*}/runs", { parent: persona.name, filter, pageToken }, { signal });
    return { items: page.runs, next: page.nextPageToken };
  }, (run) => h("li",
    h("a", { href: to("run", run.name) }, titleOf(run)), " ", badge(word(run.state)), " ",
    h("span.soft", pillars.get(run.pillar) ?? "no pillar", ", ", zone.moment(run.createTime))),
  empty("There is no run yet. Accept a brief, or start one here.", `colonnade suggestions list ${lastPart(persona.name)}`)).element;
}

// The form of a new run: a pipeline and a pillar are all it needs.
export function runStart({ persona, pillars, go }, pillar) {
  return form([
    field("pipeline", "Pipeline", h("select", options([["", "pictures that people upload"]]))),
    field("pillar", "Pillar", h("select", options([...pillars], pillar)), "Where the winner goes."),
  ], "Start", async (values) => {
    const wanted = { pipeline: values.pipeline, pillar: values.pillar };
    const run = await api.create("/v1/{parent=personas/*}/runs", { parent: persona.name }, wanted);
    go(to("run", run.name));
  });
}

export async function runView(context) {
  const { name, pillars, zone, signal, reload } = context;
  const page = h("div");
  const [run, candidates] = await Promise.all([
    api.get("/v1/{name=personas/*/runs/*}", { name }, { signal }),
    all("/v1/{parent=personas/*/runs/*}/candidates", { parent: name }, "candidates"),
  ]);
  const active = candidates.filter(({ state }) => state === "STATE_ACTIVE");
  const open = ["STATE_RUNNING", "STATE_WAITING"].includes(run.state);
  const done = run.winner && candidates.find((each) => each.name === run.winner);
  return fill(
    page,
    heading(titleOf(run), [badge(word(run.state)), run.pillar && link("pillar", run.pillar, pillars.get(run.pillar) ?? lastPart(run.pillar))]),
    run.error?.message && h("p.reason", run.error.message),
    done && winner(run, done, context),
    open && h("div.actions",
      active.length > 1 && h("a.button", { href: to("vote", name) }, `Vote on ${count(active.length, "candidate")}`),
      button("Cancel the run…", () => cancel(run, reload))),
    open && uploader({
      title: "Add candidates",
      drop: "Drop pictures anywhere on this page, or choose files.",
      page,
      send: async (file, progress) => {
        const fields = { "header.parent": name, fileName: file.name };
        const answer = await api.upload("/v1/{header.parent=personas/*/runs/*}/candidates:upload", fields, file, progress);
        return { duplicate: answer.duplicate };
      },
      done: reload,
    }),
    section("Candidates", candidates.length
      ? h("ul.grid", candidates.map((candidate) => candidateTile(candidate, run, context)))
      : empty("No picture yet. Add some: they are voted on in pairs, and the winner becomes a photo.")),
    section("About", facts([
      ["Brief", run.suggestion && lastPart(run.suggestion)],
      ["Prompt", run.prompt],
      ["Pipeline", run.pipeline || "pictures that people upload"],
      ["Cluster", run.cluster && link("cluster", run.cluster, lastPart(run.cluster))],
      ["Started", zone.moment(run.createTime)],
    ])),
  );
}

function titleOf(run) {
  return run.displayName || run.prompt.split(/[,.;]/)[0].slice(0, 80) || `Run ${lastPart(run.name).slice(-6)}`;
}

function pictureOf(candidate, alt) {
  return picture(candidate.thumbnailUri || candidate.contentUri, alt);
}

function winner(run, candidate, { pillars, reload }) {
  const place = (pillar) => api.call("/v1/{name=personas/*/runs/*}:placeWinner", { name: run.name }, { pillar, etag: run.etag });
  const select = choice("Pillar", [["", "Place it in…"], ...pillars], "", async (pillar) => {
    try {
      await place(pillar);
      reload();
    } catch (error) {
      notify(error.message, true);
    }
  });
  return h("section.winner", pictureOf(candidate, "the winner"),
    h("div",
      h("h2", "The winner"),
      run.photo ? h("p", link("photo", run.photo, "It is a photo of the library.")) : h("p", "It is no photo yet: the run has no pillar. ", select),
      h("div.actions", button("Take the choice back", async () => {
        await api.call("/v1/{name=personas/*/runs/*}:unchooseWinner", { name: run.name }, { etag: run.etag });
        reload();
      }))));
}

function candidateTile(candidate, run, { reload }) {
  const { name, state } = candidate;
  const choosable = state === "STATE_ACTIVE" && ["STATE_RUNNING", "STATE_WAITING", "STATE_COMPLETED"].includes(run.state);
  const choose = async () => {
    await chosen(name);
    reload();
  };
  const reject = async () => {
    if (!await confirmed("Take this candidate out?", "It is out for good and cannot be voted on.", "Take it out")) return;
    await api.call("/v1/{name=personas/*/runs/*/candidates/*}:reject", { name }, { cascade: true });
    reload();
  };
  return h(
    "li.tile", { class: state === "STATE_WINNER" ? "keep" : "" },
    candidate.sha256 ? pictureOf(candidate, candidate.fileName || "a candidate") : h("span.none.square", word(state)),
    candidate.score > 0 && h("span.quality", { title: "score" }, candidate.score.toFixed(0)),
    h("p", state !== "STATE_ACTIVE" && badge(word(state)), h("span.name", candidate.fileName),
      candidate.voteCount > 0 && h("span.soft", count(candidate.voteCount, "vote")), candidate.error?.message && h("span.soft", candidate.error.message)),
    choosable && h("p", button("Choose", choose, "button.small"), button("Take out…", reject, "button.small")),
  );
}

async function chosen(name) {
  const { photo } = await api.call("/v1/{name=personas/*/runs/*/candidates/*}:chooseWinner", { name });
  notify(photo ? "Chosen; it is a photo of its pillar now." : "Chosen; place it in a pillar to make it a photo.");
}

async function cancel(run, reload) {
  if (!await confirmed("Cancel this run?", "Everything of it stays readable; nothing more is added.", "Cancel it")) return;
  await api.call("/v1/{name=personas/*/runs/*}:cancel", { name: run.name }, { etag: run.etag });
  reload();
}

// Two pictures side by side: the arrow keys choose, U takes the last vote back.
export async function voteView({ ids, signal, go }) {
  const name = `personas/${ids.persona}/runs/${ids.run}`;
  const stage = h("div");
  let voting = false;
  let pair = null;
  let leader = null;

  const next = async () => {
    pair = await api.get("/v1/{name=personas/*/runs/*}:nextPair", { name }, { signal });
    leader = pair.leader ? await api.get("/v1/{name=personas/*/runs/*/candidates/*}", { name: pair.leader }, { signal }) : null;
    show();
  };
  const vote = async (winner, loser) => act(() =>
    api.call("/v1/{name=personas/*/runs/*}:recordVote", { name }, { winner: winner.name, loser: loser.name }));
  const undo = () => act(() => api.call("/v1/{name=personas/*/runs/*}:undoVote", { name }));
  const act = async (work) => {
    if (voting) return;
    voting = true;
    try {
      await work();
      await next();
    } catch (error) {
      if (error.name !== "AbortError") notify(error.message, true);
    } finally {
      voting = false;
    }
  };
  const show = () => fill(
    stage,
    h("p.soft", { role: "status" }, `${count(pair.voteCount, "vote")} so far; there are ${count(pair.pairCount, "pair")}, and rarely all are asked.`),
    pair.done ? over(pair, leader, name, go) : h("div.duel",
      side(pair.left, "Left", "←", () => vote(pair.left, pair.right)),
      side(pair.right, "Right", "→", () => vote(pair.right, pair.left))),
    h("div.actions", pair.voteCount > 0 && button("Take the last vote back", undo),
      !pair.done && h("span.soft", h("kbd", "←"), " ", h("kbd", "→"), " choose, ", h("kbd", "U"), " takes back"),
      link("run", name, "Back to the run")),
  );
  const onKey = (event) => {
    if (!stage.isConnected || event.target.closest("input, textarea, select, dialog") || event.metaKey || event.ctrlKey || event.altKey) return;
    if (!pair.done && event.key === "ArrowLeft") vote(pair.left, pair.right);
    else if (!pair.done && event.key === "ArrowRight") vote(pair.right, pair.left);
    else if (event.key.toLowerCase() === "u") undo();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", onKey, { signal });
  await next();
  return [heading("Which one is better?"), stage];
}

function side(candidate, where, arrow, pick) {
  return h("button", { type: "button", onclick: pick, "aria-label": `${where}: ${candidate.fileName || "candidate"}` },
    picture(candidate.contentUri, `${where} candidate`), h("span", h("kbd", arrow)));
}

function over(pair, leader, name, go) {
  return [
    empty(OVER[pair.reason] ?? "The vote is over."),
    leader && h("section.winner", pictureOf(leader, "the leader"),
      h("div", h("h2", "The leader"), h("p", `It is the best one with a probability of ${percent(pair.probability)}.`),
        pair.reason !== "REASON_CLOSED" && h("div.actions", button("Make it the winner", async () => {
          await chosen(leader.name);
          go(to("run", name));
        }, "button.primary")))),
  ];
}
