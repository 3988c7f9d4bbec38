// The photos of a persona or of one pillar: a grid that grows, a filter in the words of the API,
// and changes to many at once.

import { all, api } from "./api.js";
import { count, lastPart, number, word } from "./format.js";
import { h, fill } from "./html.js";
import {
  altOf, badge, busy, button, choice, empty, endless, field, form, heading, link, notify, open, options, tellResults, thumbnail,
} from "./parts.js";
import { postCard } from "./posts.js";
import { to } from "./routes.js";
import { runList, runStart } from "./runs.js";
import { supplyBar, supplyFacts, supplyState, weeklyRate } from "./supply.js";
import { uploader } from "./upload.js";

const PRESETS = [
  ["All", ""],
  ["Usable", 'usage = "UNUSED" AND embedding.state = "READY" AND filing.state != "REVIEW"'],
  ["Scheduled", 'usage = "SCHEDULED"'],
  ["Posted", 'usage = "POSTED"'],
  ["Inbox", 'filing.state = "REVIEW"'],
  ["Being embedded", 'embedding.state = "PENDING"'],
  ["Not embeddable", 'embedding.state = "FAILED"'],
  ["Archived", 'state = "ARCHIVED"'],
];
const ORDERS = [["create_time desc", "newest first"], ["create_time", "oldest first"], ["quality desc", "best first"]];
const HELP = "pillar, tag, usage, state, filing.state, embedding.state, file_name (with * at its end), create_time (with <, <=, "
  + '>, >=); joined by AND, alternatives as (tag = "sea" OR tag = "sun")';

export async function libraryView(context) {
  const { persona, query, signal, go } = context;
  const page = h("div");
  const words = query.get("words") ?? "";
  const input = h("input", { type: "search", value: words, "aria-label": "Words", placeholder: "Find by words, such as red boat at dusk" });
  const find = (event) => {
    event.preventDefault();
    go(to("library", persona.name, { words: input.value.trim() }));
  };
  const counted = await all("/v1/{parent=personas/*}/pillars", { parent: persona.name }, "pillars");
  const stats = await api.get("/v1/{name=personas/*/libraryStats}", { name: `${persona.name}/libraryStats` }, { signal });
  return fill(
    page,
    heading("Photos", h("span.soft", `${number(stats.photos)} in all, ${number(stats.unused)} unused`)),
    h("ul.chips", counted.map((pillar) => h("li", link("pillar", pillar.name, `${pillar.displayName} ${number(pillar.photoCount)}`)))),
    h("form.toolbar", { onsubmit: find }, input, h("button", { type: "submit" }, "Find")),
    words ? hits(context, words) : [photoUploader(context, "", page), photoGrid(context, "library", persona.name)],
  );
}

// What words find: by what pictures show where the model reads texts, else by what is written of them.
function hits({ persona, signal }, words) {
  const parent = persona.name;
  const told = h("p.soft");
  const list = endless(h("ul.grid"), async (pageToken) => {
    const page = await api.ask("/v1/{parent=personas/*}:searchItems", { parent }, { text: words, pageSize: 60, pageToken }, { signal });
    fill(told, page.matchedBy === "MATCHED_BY_WORDS" ? "Found by what is written of them: names, tags, captions." : "Found by what they show.", " ",
      link("library", parent, "All photos"));
    return { items: page.hits, next: page.nextPageToken };
  }, (hit) => h("li.tile",
    h("a", { href: to("photo", hit.item) }, thumbnail(hit.item, `a photo found by ${words}`)),
    h("span.quality", { title: "how well it fits" }, hit.score.toFixed(2)),
    h("p", hit.words.map((word) => h("span.tag", word)))), empty("Nothing fits these words. Try fewer or other ones."));
  return [told, list.element];
}

export async function pillarView(context) {
  const { persona, zone, name, query, signal } = context;
  const page = h("div");
  const [pillar, report, clusters] = await Promise.all([
    api.get("/v1/{name=personas/*/pillars/*}", { name }, { signal }),
    api.ask("/v1/{parent=personas/*}:previewGaps", { parent: persona.name }, {}, { signal }),
    all("/v1/{parent=personas/*}/clusters", { parent: persona.name, filter: `pillar = "${name}"` }, "clusters"),
  ]);
  const gap = report.current.pillars.find((each) => each.pillar === name);
  const advice = report.current.recommendations.find((each) => each.pillar === name);
  const tab = query.get("show") ?? "photos";
  const tabs = [["photos", `Photos ${number(pillar.photoCount)}`], ["runs", "Runs"], ["posts", "Posts"], ["about", "About"]];
  return fill(
    page,
    heading(pillar.displayName, [h("span.soft", `${pillar.weight} % of ${persona.displayName}’s posts${weeklyRate(pillar.postsPerWeek)}`), gap && supplyState(gap)]),
    gap && [supplyBar(gap), supplyFacts(gap, zone, report.current.horizonDays)],
    advice && h("p.reason", advice.explanation),
    clusters.length > 0 && h("ul.chips", { "aria-label": "Its clusters" }, clusters.map((cluster) => h("li", link("cluster", cluster.name, cluster.title)))),
    h("nav.tabs", { "aria-label": "Pillar" }, tabs.map(([id, text]) =>
      h("a", { href: to("pillar", name, id === "photos" ? {} : { show: id }), "aria-current": id === tab && "page" }, text))),
    tab === "photos" && [
      photoUploader(context, name, page),
      photoGrid(context, "pillar", name),
    ],
    tab === "runs" && [h("details.section", h("summary", "New run"), runStart(context, name)), runList(context, `pillar = "${name}"`)],
    tab === "posts" && postList(persona.name, name, context),
    tab === "about" && about(pillar, context),
  );
}

// Takes in photos for a pillar, or for none: then each is filed by what it shows.
function photoUploader({ persona, reload }, pillar, page) {
  return uploader({
    title: "Add photos",
    drop: ["Drop pictures anywhere on this page, or choose files. Whole folders are for ", h("code", "colonnade photos import"), "."],
    page,
    send: async (file, progress) => {
      const fields = { "header.parent": persona.name, pillar, fileName: file.name, sourcePath: file.name };
      const answer = await api.upload("/v1/{header.parent=personas/*}/photos:upload", fields, file, progress);
      return { duplicate: answer.duplicate, shown: link("photo", answer.photo.name, "show") };
    },
    done: reload,
  });
}

function postList(parent, pillar, context) {
  return endless(h("ol.posts"), async (pageToken) => {
    const fields = { parent, filter: `pillar = "${pillar}"`, pageToken };
    const page = await api.get("/v1/{parent=personas/*}/posts", fields, { signal: context.signal });
    return { items: page.posts, next: page.nextPageToken };
  }, (post) => h("li", postCard(post, context)), empty("No post shows a photo of this pillar yet. Choose photos and schedule them.")).element;
}

function about(pillar, { reload }) {
  return form([
    field("display_name", "Name", h("input", { value: pillar.displayName, required: true, maxlength: 100 })),
    field("weight", "Weight in %", h("input", { type: "number", min: 0, max: 100, value: pillar.weight })),
    field("posts_per_week", "Posts a week", h("input", { type: "number", min: 0, max: 70, value: pillar.postsPerWeek ?? "" }),
      "Unset: its weight of what the persona posts."),
    field("description", "What belongs in it", h("textarea", { rows: 3, value: pillar.description })),
    field("state", "In use", h("select", options([["STATE_ACTIVE", "planned for"], ["STATE_INACTIVE", "kept, not planned for"]], pillar.state))),
  ], "Save", async (values) => {
    const wanted = {
      displayName: values.display_name,
      weight: Number(values.weight),
      postsPerWeek: values.posts_per_week === "" ? undefined : Number(values.posts_per_week),
      description: values.description,
      state: values.state,
      etag: pillar.etag,
    };
    const mask = ["display_name", "weight", "posts_per_week", "description", "state"];
    await api.update("/v1/{pillar.name=personas/*/pillars/*}", { "pillar.name": pillar.name }, wanted, mask);
    notify("Saved.");
    reload();
  });
}

function photoGrid(context, view, name) {
  const { persona, query, signal, go } = context;
  const filter = query.get("filter") ?? "";
  const order = query.get("order") || ORDERS[0][0];
  const chosen = new Map();
  const grid = h("ul.grid");
  const bar = selectionBar(context, chosen, grid);
  const conditions = [view === "pillar" && `pillar = "${name}"`, filter].filter(Boolean).join(" AND ");
  const show = (changes) => go(to(view, name, { filter, order: query.get("order"), ...changes }), { instead: true });

  const list = endless(grid, async (pageToken) => {
    const fields = { parent: persona.name, filter: conditions, orderBy: order, pageSize: 60, pageToken };
    const page = await api.get("/v1/{parent=personas/*}/photos", fields, { signal });
    return { items: page.photos, next: page.nextPageToken };
  }, (photo) => tile(photo, chosen, bar.update), filter
    ? empty("No photo is like this. Choose “All” to see every one.")
    : empty("There is no photo here yet. Drop some on this page, or:", `colonnade photos import ~/Pictures --persona ${lastPart(persona.name)}`));

  const input = h("input", {
    type: "search", value: filter, "aria-label": "Filter", placeholder: 'Filter, such as tag = "sea"  ( / )', title: HELP,
    spellcheck: "false", "data-filter": true,
  });
  return [
    h("form.toolbar", { onsubmit: (event) => { event.preventDefault(); show({ filter: input.value.trim() }); } },
      input,
      choice("Order", ORDERS, order, (value) => show({ order: value }))),
    h("ul.chips", PRESETS.map(([text, words]) => h("li", h("a", {
      href: to(view, name, { filter: words, order: query.get("order") }), "aria-current": words === filter && "true",
    }, text)))),
    list.element,
    bar.element,
  ];
}

function tile(photo, chosen, update) {
  const box = h("input", { type: "checkbox", "aria-label": `Select ${altOf(photo)}` });
  box.addEventListener("change", () => {
    if (box.checked) chosen.set(photo.name, box);
    else chosen.delete(photo.name);
    update();
  });
  const usage = word(photo.usage);
  return h(
    "li.tile",
    h("a", { href: to("photo", photo.name) }, thumbnail(photo.name, altOf(photo))),
    box,
    h("span.quality", { title: "quality, 0 to 100" }, photo.quality === undefined ? "" : number(100 * photo.quality)),
    h("p",
      usage !== "unused" && badge(usage),
      photo.filing?.state === "STATE_REVIEW" && badge("review"),
      photo.embedding?.state !== "STATE_READY" && badge(word(photo.embedding?.state)),
      photo.rights?.held && badge("held"),
      h("span.name", { title: photo.sourcePath || photo.fileName }, photo.fileName),
      photo.tags.map((tag) => h("span.tag", tag))),
  );
}

function selectionBar(context, chosen, grid) {
  const { persona, pillars, reload } = context;
  const told = h("strong", { role: "status" });
  const names = () => [...chosen.keys()];
  const clear = () => {
    for (const box of chosen.values()) box.checked = false;
    chosen.clear();
    update();
  };
  const parent = persona.name;
  const batch = async (done, work) => {
    const results = [];
    for (let from = 0; from < chosen.size; from += 200) results.push(...(await work(names().slice(from, from + 200))).results);
    tellResults(results, done);
    clear();
    reload();
  };
  const move = (to) => batch("moved", (some) => api.call("/v1/{parent=personas/*}/photos:batchMove", { parent }, { names: some, pillar: to }));
  const tag = (addTags, removeTags) => batch("tagged", (some) =>
    api.call("/v1/{parent=personas/*}/photos:batchTag", { parent }, { names: some, addTags, removeTags }));
  const archive = (unarchive) => batch(unarchive ? "in use again" : "archived", (some) =>
    api.call("/v1/{parent=personas/*}/photos:batchArchive", { parent }, { names: some, unarchive }));
  const pillar = h("select", { "aria-label": "Pillar" }, h("option", { value: "" }, "Move to…"), options([...pillars]));
  pillar.addEventListener("change", () => busy(pillar, async () => {
    if (pillar.value) await move(pillar.value);
    pillar.value = "";
  }));
  const element = h(
    "div.selection", { role: "region", "aria-label": "Selection", hidden: true },
    told,
    pillar,
    button("Tag…", () => tagDialog(tag)),
    button("Schedule…", () => scheduleDialog(context, names())),
    button("Archive", () => archive(false)),
    button("Take back", () => archive(true)),
    button("All shown", () => {
      for (const box of grid.querySelectorAll("input:not(:checked)")) box.click();
    }),
    button("None", clear),
  );
  const update = () => {
    element.hidden = !chosen.size;
    fill(told, `${chosen.size} selected`);
  };
  return { element, update };
}

function tagDialog(apply) {
  const tags = (text) => text.split(/[\s,]+/).filter(Boolean);
  open("Tags", (close) => form([
    field("add_tags", "Give", h("input", { autocomplete: "off" }), "Separated by spaces; letters, digits and hyphens."),
    field("remove_tags", "Take away", h("input", { autocomplete: "off" })),
  ], "Apply", async (values) => {
    await apply(tags(values.add_tags), tags(values.remove_tags));
    close();
  }));
}

// Posts of the chosen photos, each in a free slot of the persona's cadence.
function scheduleDialog({ persona, zone, go }, photos) {
  open(`Schedule ${count(photos.length, "photo")}`, (close) => [
    h("p.soft", `Each gets a free slot of the cadence, in ${zone.name}, on every channel of the persona.`),
    form([
      field("caption", "Caption", h("textarea", { rows: 3, maxlength: 2200 }), "The same for all; change single ones afterwards."),
      field("hashtags", "Hashtags", h("input", { autocomplete: "off" }), "Separated by spaces."),
      field("start_time", "Not before", h("input", { type: "datetime-local" })),
    ], "Schedule", async (values) => {
      const message = {
        posts: photos.map((photo) => ({ photo })),
        caption: values.caption,
        hashtags: values.hashtags.split(/[\s,]+/).filter(Boolean),
        startTime: zone.fromInput(values.start_time, "start_time"),
      };
      const { results } = await api.call("/v1/{parent=personas/*}/posts:batchCreate", { parent: persona.name }, message);
      close();
      go(to("posts", persona.name));
      tellResults(results, "scheduled", (result) => result.photo);
    }),
  ]);
}

