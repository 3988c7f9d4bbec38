// The addresses of the views. Those of resources are their names in the API behind a slash.

const PATTERNS = {
  personas: "/",
  health: "/health",
  persona: "/personas/:persona",
  library: "/personas/:persona/photos",
  pillar: "/personas/:persona/pillars/:pillar",
  photo: "/personas/:persona/photos/:photo",
  inbox: "/personas/:persona/inbox",
  duplicates: "/personas/:persona/duplicates",
  clusters: "/personas/:persona/clusters",
  cluster: "/personas/:persona/clusters/:cluster",
  history: "/personas/:persona/clusterVersions",
  runs: "/personas/:persona/runs",
  run: "/personas/:persona/runs/:run",
  vote: "/personas/:persona/runs/:run/vote",
  posts: "/personas/:persona/posts",
  results: "/personas/:persona/results",
  channels: "/personas/:persona/channels",
};

// Views that projects have too, at the same place below their names.
const SHARED = new Set(["clusters", "cluster", "history"]);

// The address of a view; `name` is the resource that it is about, such as personas/nora/photos/1.
export function to(view, name = "", query = {}) {
  const ids = idsOf(name);
  const pattern = ids.project ? ofProject(PATTERNS[view]) : PATTERNS[view];
  const path = pattern.replace(/:(\w+)/g, (_, id) => encodeURIComponent(ids[id]));
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return search.size ? `${path}?${search}` : path;
}

// The view that an address means, with its ids; null if there is none.
export function viewOf(path) {
  for (const [view, pattern] of Object.entries(PATTERNS)) {
    for (const each of SHARED.has(view) ? [pattern, ofProject(pattern)] : [pattern]) {
      const found = path.replace(/(.)\/$/, "$1").match(new RegExp(`^${each.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`));
      if (found) return { view, ids: found.groups ?? {} };
    }
  }
  return null;
}

function ofProject(pattern) {
  return pattern.replace("/personas/:persona", "/projects/:project");
}

function idsOf(name) {
  const parts = name.split("/");
  const ids = {};
  for (let i = 0; i + 1 < parts.length; i += 2) ids[parts[i].replace(/s$/, "")] = parts[i + 1];
  return ids;
}
