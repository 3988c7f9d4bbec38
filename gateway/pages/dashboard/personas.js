// All personas, with what their libraries hold.

import { all, api } from "./api.js";
import { bytes, count, lastPart, number } from "./format.js";
import { h } from "./html.js";
import { badge, empty, endless, field, form, heading, later, link, section, thumbnail } from "./parts.js";
import { to } from "./routes.js";

export async function personasView({ signal, go }) {
  const grid = h("ul.cards.personas");
  const list = endless(
    grid,
    async (pageToken) => {
      const page = await api.get("/v1/personas", { includeStats: true, pageSize: 50, pageToken }, { signal });
      return { items: page.personas.map((persona, i) => ({ persona, stats: page.stats[i] })), next: page.nextPageToken };
    },
    card,
    empty("There is no persona yet. Create the first one below, or in a terminal:", 'colonnade personas create "Mila Sand" --time-zone Europe/Lisbon'),
  );
  await list.done;
  return [
    heading("Personas"),
    list.element,
    h("details.section", { open: !list.items.length }, h("summary", "New persona"), creation(go)),
    later(() => all("/v1/clusterScopes", {}, "clusterScopes"), projects),
  ];
}

// Projects are there as soon as they have texts.
function projects(scopes) {
  const found = scopes.filter(({ scope }) => scope.startsWith("projects/"));
  return found.length > 0 && section("Projects", h("ul.rows", found.map(({ scope, itemCount, clusterCount, waitingCount }) => h("li",
    link("clusters", scope, lastPart(scope)), " ",
    h("span.soft", `${count(itemCount, "text")} in ${count(clusterCount, "cluster")}`, waitingCount > 0 && `, ${number(waitingCount)} waiting`)))));
}

function card({ persona, stats }) {
  return h(
    "li.card",
    h("a.cover", { href: to("persona", persona.name) }, covers(persona), h("h2", persona.displayName)),
    h("p.soft", persona.timeZone, persona.state === "STATE_ARCHIVED" && [" ", badge("archived")]),
    h("p",
      link("library", persona.name, count(stats.photos, "photo")), `, ${bytes(stats.sizeBytes)}. `,
      `${number(stats.unused)} unused, ${number(stats.scheduled)} scheduled, ${number(stats.posted)} posted.`),
    stats.embeddingPending > 0 && h("p.soft", `${count(stats.embeddingPending, "photo")} waiting for an embedding.`),
    stats.embeddingFailed > 0 && h("p", badge("failed"), " ",
      link("library", persona.name, `${count(stats.embeddingFailed, "photo")} could not be embedded`, { filter: 'embedding.state = "FAILED"' })),
  );
}

// A few of its best pictures.
function covers(persona) {
  const strip = h("div.covers");
  api.get("/v1/{parent=personas/*}/photos", { parent: persona.name, pageSize: 4, orderBy: "quality desc" })
    .then(({ photos }) => (photos.length ? strip.append(...photos.map((photo) => thumbnail(photo.name)))
      : strip.replaceWith(h("div.none", "no photos yet"))))
    // The pictures are an ornament here; what is wrong shows where they are the content.
    .catch(() => strip.remove());
  return strip;
}

function creation(go) {
  const zones = Intl.supportedValuesOf("timeZone");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return form([
    field("display_name", "Name", h("input", { required: true, maxlength: 100, autocomplete: "off" })),
    field("time_zone", "Time zone", h("input", { list: "zones", value: here }), "In which it plans and posts."),
    h("datalist", { id: "zones" }, zones.map((zone) => h("option", { value: zone }))),
    field("voice", "Voice", h("textarea", { rows: 3 }), "How it speaks; optional."),
  ], "Create", async (values) => {
    const wanted = { displayName: values.display_name, timeZone: values.time_zone, voice: values.voice };
    const persona = await api.create("/v1/personas", {}, wanted);
    go(to("persona", persona.name));
  });
}
