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
  runs: "/personas/:persona/runs",
  run: "/personas/:persona/runs/:run",
  vote: "/personas/:persona/runs/:run/vote",
  posts: "/personas/:persona/posts",
  channels: "/personas/:persona/channels",
};

// The address of a view; `name` is the resource that it is about, such as personas/nora/photos/1.
export function to(view, name = "", query = {}) {
  const ids = idsOf(name);
  const path = PATTERNS[view].replace(/:(\w+)/g, (_, id) => encodeURIComponent(ids[id]));
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return search.size ? `${path}?${search}` : path;
}

// The view that an address means, with its ids; null if there is none.
export function viewOf(path) {
  for (const [view, pattern] of Object.entries(PATTERNS)) {
    const found = path.replace(/(.)\/$/, "$1").match(new RegExp(`^${pattern.replace(/:(\w+)/g, "(?<$1>[^/]+)")}$`));
    if (found) return { view, ids: found.groups ?? {} };
  }
  return null;
}

function idsOf(name) {
  const parts = name.split("/");
  const ids = {};
  for (let i = 0; i + 1 < parts.length; i += 2) ids[parts[i].replace(/s$/, "")] = parts[i + 1];
  return ids;
}
