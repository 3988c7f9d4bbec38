// One photo: large, with everything that is known of it, and its rights.

import { api } from "./api.js";
import { bytes, lastPart, number, percent, word } from "./format.js";
import { h } from "./html.js";
import {
  altOf, badge, busy, button, confirmed, empty, facts, field, form, heading, later, link, notify, options, picture, section, thumbnail,
} from "./parts.js";
import { to } from "./routes.js";

const SIMILAR = 12;

export async function photoView({ persona, zone, pillars, name, signal, go, reload }) {
  const photo = await api.get("/v1/{name=personas/*/photos/*}", { name }, { signal });
  return [
    heading(photo.fileName || lastPart(name), [
      badge(word(photo.usage)),
      photo.state === "STATE_ARCHIVED" && badge("archived"),
      photo.rights?.held && badge("held"),
      link("pillar", photo.pillar, pillars.get(photo.pillar) ?? lastPart(photo.pillar)),
    ]),
    h("div.columns.photo",
      h("div",
        h("figure.large", picture(photo.contentUri.replace(/content$/, "publish"), altOf(photo))),
        h("div.actions", button("Original", () => save(photo)), mover(photo, pillars, reload), archiver(photo, reload),
          button("Delete…", () => remove(photo, go, persona), "button.danger")),
        section("Similar", similar(persona, photo, signal))),
      h("div",
        section("Facts", about(photo, zone)),
        section("Measured", measures(photo)),
        filing(photo, pillars),
        section("Posts", photo.posts.length
          ? h("ul.rows", photo.posts.map((post) => h("li", badge(post.state.replaceAll("_", " ").toLowerCase()), " ",
            link("posts", persona.name, post.postedTime ? `out ${zone.moment(post.postedTime)}` : "not out yet", { post: lastPart(post.post) }))))
          : empty("No post shows it.", `colonnade posts schedule ${name} --at +2h`)),
        section("Text and rights", editing(photo, zone, reload)),
        lineage(photo))),
  ];
}

function about(photo, zone) {
  return facts([
    ["Size", `${number(photo.width)} × ${number(photo.height)} pixels, ${bytes(photo.sizeBytes)}`],
    ["Kind", photo.mimeType],
    ["Taken", zone.moment(photo.takenTime)],
    ["Imported", zone.moment(photo.createTime)],
    ["From", photo.sourcePath],
    ["Embedding", photo.embedding?.state === "STATE_READY"
      ? lastPart(photo.embedding.model)
      : [badge(word(photo.embedding?.state)), " ", photo.embedding?.error?.message]],
    ["SHA-256", h("code", photo.sha256)],
  ]);
}

function measures(photo) {
  const known = photo.analysis?.measures.filter(({ state }) => state !== "STATE_SKIPPED") ?? [];
  if (!known.length) return empty("Nothing was measured yet.", `colonnade photos analyze ${lastPart(photo.name.split("/photos/")[0])}`);
  return h("dl.measures", known.map((measure) => h("div",
    h("dt", measure.id),
    h("dd", measure.state === "STATE_READY" ? shown(measure) : [badge(word(measure.state)), " ", measure.error?.message]))));
}

function shown({ id, value, text }) {
  return text || [h("meter", { min: 0, max: 1, value, "aria-label": id }), ` ${number(100 * value)}`];
}

function filing(photo, pillars) {
  const { state, confidence, reason, alternatives } = photo.filing ?? {};
  if (!state || state === "STATE_CONFIRMED") return null;
  return section("Filed by what it shows",
    h("p", badge(word(state)), ` ${percent(confidence)} sure: ${reason}`),
    alternatives.length > 0 && h("p.soft", `Or: ${alternatives.map((each) => `${pillars.get(each.pillar)} ${percent(each.confidence)}`).join(", ")}`));
}

function editing(photo, zone, reload) {
  const rights = photo.rights ?? {};
  return form([
    field("tags", "Tags", h("input", { value: photo.tags.join(" "), autocomplete: "off" }), "Separated by spaces."),
    field("alt_text", "What it shows", h("textarea", { rows: 2, value: photo.altText, maxlength: 1500 }), "For people who cannot see it."),
    field("caption", "Caption", h("textarea", { rows: 2, value: photo.caption, maxlength: 2200 })),
    field("embargo_time", "Not to go out before", h("input", { type: "datetime-local", value: zone.toInput(rights.embargoTime) })),
    field("expire_time", "Not to go out after", h("input", { type: "datetime-local", value: zone.toInput(rights.expireTime) }), `In ${zone.name}.`),
    field("notice", "Who holds the rights", h("input", { value: rights.notice ?? "", maxlength: 1000 })),
    h("label.check", h("input", { type: "checkbox", name: "held", checked: rights.held }), "On hold: no post may use it"),
  ], "Save", async (values) => {
    const wanted = {
      tags: values.tags.split(/[\s,]+/).filter(Boolean),
      altText: values.alt_text,
      caption: values.caption,
      rights: {
        embargoTime: zone.fromInput(values.embargo_time, "embargo_time", rights.embargoTime),
        expireTime: zone.fromInput(values.expire_time, "expire_time", rights.expireTime),
        notice: values.notice,
        held: values.held === "on",
      },
      etag: photo.etag,
    };
    await api.update("/v1/{photo.name=personas/*/photos/*}", { "photo.name": photo.name }, wanted, ["tags", "alt_text", "caption", "rights"]);
    notify("Saved.");
    reload();
  });
}

function similar(persona, photo, signal) {
  const load = () => api.ask("/v1/{parent=personas/*}:searchSimilar", { parent: persona.name }, { item: photo.name, limit: SIMILAR }, { signal });
  return later(load, ({ items }) => (items.length ? h("ul.grid.small", items.map(({ item, score }) => h("li.tile",
    h("a", { href: to("photo", item) }, thumbnail(item, `a similar photo, cosine ${score.toFixed(2)}`)),
    h("span.quality", { title: "cosine" }, score.toFixed(2))))) : empty("Nothing is like it.")));
}

function mover(photo, pillars, reload) {
  const select = h("select", { "aria-label": "Pillar" }, options([...pillars], photo.pillar));
  select.addEventListener("change", () => busy(select, async () => {
    await api.call("/v1/{name=personas/*/photos/*}:move", { name: photo.name }, { pillar: select.value });
    notify("Moved.");
    reload();
  }));
  return select;
}

function archiver(photo, reload) {
  if (photo.state === "STATE_ARCHIVED") {
    return button("Take back", async () => {
      await api.call("/v1/{name=personas/*/photos/*}:unarchive", { name: photo.name });
      reload();
    });
  }
  return button("Archive", async () => {
    await api.call("/v1/{name=personas/*/photos/*}:archive", { name: photo.name });
    reload();
  });
}

async function remove(photo, go, persona) {
  const sure = await confirmed("Delete this photo?", "Its bytes, its vector and its place in clusters go with it.", "Delete");
  if (!sure) return;
  await api.remove("/v1/{name=personas/*/photos/*}", { name: photo.name, etag: photo.etag });
  notify("Deleted.");
  go(to("library", persona.name), { instead: true });
}

async function save(photo) {
  const address = URL.createObjectURL(await api.picture(photo.contentUri));
  h("a", { href: address, download: photo.fileName || "photo" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function lineage({ lineage: of }) {
  if (!of?.run && !of?.suggestion) return null;
  return section("Where it came from", facts([
    ["Run", of.run && link("run", of.run, lastPart(of.run))],
    ["Brief", of.suggestion && lastPart(of.suggestion)],
    ["Campaign", of.campaign && lastPart(of.campaign)],
  ]));
}
