// Shows the view that the address means, and what surrounds it.

import { all, api, key, whenChanged, whenKeyIsNeeded } from "./api.js";
import { channelsView } from "./channels.js";
import { clusterView } from "./cluster.js";
import { clustersView } from "./clusters.js";
import { duplicatesView } from "./duplicates.js";
import { Zone } from "./format.js";
import { watchHealth, healthView } from "./health.js";
import { historyView } from "./history.js";
import { h, fill } from "./html.js";
import { inboxView } from "./inbox.js";
import { empty, field, form, heading, open, problem } from "./parts.js";
import { personaView } from "./persona.js";
import { personasView } from "./personas.js";
import { photoView } from "./photo.js";
import { libraryView, pillarView } from "./photos.js";
import { postsView } from "./posts.js";
import { resultsView } from "./results.js";
import { to, viewOf } from "./routes.js";
import { runView, runsView, voteView } from "./runs.js";

const VIEWS = {
  personas: personasView,
  health: healthView,
  persona: personaView,
  library: libraryView,
  pillar: pillarView,
  photo: photoView,
  inbox: inboxView,
  duplicates: duplicatesView,
  clusters: clustersView,
  cluster: clusterView,
  history: historyView,
  runs: runsView,
  run: runView,
  vote: voteView,
  posts: postsView,
  results: resultsView,
  channels: channelsView,
};
const SECTIONS = [
  ["persona", "This morning"], ["library", "Photos"], ["inbox", "Inbox"], ["duplicates", "Duplicates"],
  ["clusters", "Clusters"], ["runs", "Runs"], ["posts", "Posts"], ["results", "Results"], ["channels", "Channels"],
];
// The section that stands for a view of one thing.
const WITHIN = { pillar: "persona", photo: "library", cluster: "clusters", history: "clusters", run: "runs", vote: "runs" };
const KEPT = 6;

const main = document.getElementById("main");
// Views by history entry, so that going back shows what was there, until something is changed.
const kept = new Map();
const contexts = new Map();
let current = null;
let moved = false;

// Shows the view of the address: what is kept of it if `restore` says so, else anew, at the top or
// where the page stands if it is to `stay`.
async function show({ restore = false, stay = false } = {}) {
  leave();
  const entry = history.state?.entry ?? remember();
  const found = viewOf(location.pathname);
  const before = restore ? kept.get(entry) : undefined;
  current = before ?? { entry, control: new AbortController() };
  if (!before) forget(entry);
  showSections(found);
  if (before) {
    main.replaceChildren(before.node);
    scrollTo(0, before.scroll);
    return entitle();
  }
  const mine = current;
  const waiting = setTimeout(() => mine === current && !stay && fill(main, h("p.end", { role: "status" }, "Loading…")), 150);
  try {
    mine.node = h("div.view", await render(found, mine.control.signal));
  } catch (error) {
    if (mine.control.signal.aborted) return undefined;
    mine.node = h("div.view", heading(error.code === 404 ? "Not here" : "This did not work"), problem(error, () => show()));
  } finally {
    clearTimeout(waiting);
  }
  if (mine !== current) return undefined;
  const top = stay ? scrollY : 0;
  main.replaceChildren(mine.node);
  kept.set(entry, mine);
  scrollTo(0, top);
  entitle();
  // A page that was just opened has its focus at its start, where browsers put it.
  if (!stay && moved) main.querySelector("h1")?.focus({ preventScroll: true });
  return undefined;
}

async function render(found, signal) {
  if (!found) return [heading("Nothing here"), empty(`There is no page at ${location.pathname}.`)];
  const query = new URLSearchParams(location.search);
  const { persona: id, project } = found.ids;
  const context = { ids: found.ids, query, signal, name: location.pathname.slice(1), reload: () => show({ stay: true }), go };
  if (id) {
    Object.assign(context, await about(`personas/${id}`, signal));
    fill(document.getElementById("who"), h("a", { href: to("persona", context.persona.name) }, context.persona.displayName));
  }
  if (project) {
    Object.assign(context, { zone: new Zone(Intl.DateTimeFormat().resolvedOptions().timeZone), pillars: new Map() });
    fill(document.getElementById("who"), h("a", { href: to("clusters", `projects/${project}`) }, project));
  }
  return VIEWS[found.view](context);
}

// What every view of a persona needs: itself, its time zone, and what its pillars are called.
async function about(name, signal) {
  if (!contexts.has(name)) {
    const [persona, pillars] = await Promise.all([
      api.get("/v1/{name=personas/*}", { name }, { signal }),
      all("/v1/{parent=personas/*}/pillars", { parent: name }, "pillars"),
    ]);
    const titles = new Map(pillars.map((pillar) => [pillar.name, pillar.displayName]));
    const weekly = new Map(pillars.map((pillar) => [pillar.name, pillar.postsPerWeek]));
    contexts.set(name, { persona, zone: new Zone(persona.timeZone), pillars: titles, weekly });
  }
  return contexts.get(name);
}

function showSections(found) {
  const { persona: id, project } = found?.ids ?? {};
  const here = WITHIN[found?.view] ?? found?.view;
  fill(document.getElementById("sections"), id && SECTIONS.map(([view, text]) =>
    h("a", { href: to(view, `personas/${id}`), "aria-current": view === here && "page" }, text)));
  document.querySelector("#sections [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  if (!id && !project) fill(document.getElementById("who"));
  document.getElementById("health").toggleAttribute("aria-current", found?.view === "health");
}

function entitle() {
  const title = main.querySelector("h1")?.textContent;
  document.title = title ? `${title} – Colonnade` : "Colonnade";
}

// Notes where the page stood, and stops what still loads for a view that was never shown.
function leave() {
  if (!current) return;
  current.scroll = scrollY;
  if (!current.node) current.control.abort();
  for (const entry of [...kept.keys()].slice(0, -KEPT)) forget(entry);
}

function forget(entry) {
  kept.get(entry)?.control.abort();
  kept.delete(entry);
}

// Gives an entry of the history a name, if it has none: one that the browser made.
function remember() {
  const entry = newEntry();
  history.replaceState({ entry }, "");
  return entry;
}

function newEntry() {
  return `${Date.now()}-${Math.random()}`;
}

// Goes to an address of the dashboard; `instead` replaces the one that is shown.
function go(address, { instead = false } = {}) {
  moved = true;
  const state = { entry: newEntry() };
  if (instead) history.replaceState(state, "", address);
  else history.pushState(state, "", address);
  show();
}

function onClick(event) {
  const anchor = event.target.closest("a[href]");
  if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(anchor.href);
  if (url.origin !== location.origin || url.hash || anchor.target || anchor.download || !viewOf(url.pathname)) return;
  event.preventDefault();
  go(url.pathname + url.search);
}

function askForKey(message) {
  return new Promise((resolve) => {
    const dialog = open("Sign in", (close) => [
      h("p", "This suite asks for an API key. It is kept in this tab until you close it."),
      form([field("key", "API key", h("input", { type: "password", autocomplete: "off", required: true }), message)], "Sign in", async (values) => {
        key.set(values.key.trim());
        const answer = await fetch("/v1/personas?pageSize=1", { headers: { authorization: `Bearer ${key.get()}` } });
        if (answer.status === 401) {
          key.set("");
          throw new Error((await answer.json()).error.message);
        }
        close();
        showKey();
        resolve();
      }),
      h("p.hint.actions", "Make one with ", h("code", "colonnade keys create"), "."),
    ]);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
  });
}

function showKey() {
  document.getElementById("sign-out").hidden = !key.get();
}

whenKeyIsNeeded(askForKey);
whenChanged(() => {
  contexts.clear();
  for (const entry of [...kept.keys()]) if (entry !== current?.entry) forget(entry);
});
document.getElementById("sign-out").addEventListener("click", () => {
  key.set("");
  location.assign("/");
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.addEventListener("click", onClick);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select, dialog")) return;
  const filter = main.querySelector("[data-filter]");
  if (filter) {
    event.preventDefault();
    filter.focus();
  }
});
addEventListener("popstate", () => show({ restore: true }));
history.scrollRestoration = "manual";
showKey();
watchHealth(document.getElementById("health"));
show();
