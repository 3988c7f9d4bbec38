// The members of a cluster, and what people do with some of them at once.

import { all, api } from "./api.js";
import { count, lastPart, likeness, number } from "./format.js";
import { h, fill } from "./html.js";
import {
  badge, button, busy, empty, endless, field, form, notify, open, options, problem, tellResults, thumbnail,
} from "./parts.js";
import { to } from "./routes.js";

const AT_ONCE = 200;
const HERO = [["", "Hero…"], ["set", "Make it the hero"], ["veto", "Never the hero"], ["allow", "May be the hero again"]];

// The members of `cluster`; with a `version` only to be looked at.
export function members(cluster, { texts, version, signal, reload, go }) {
  const chosen = new Map();
  const skipped = h("p.soft");
  const bar = version ? null : selectionBar(cluster, chosen, reload, go);
  const list = endless(h(texts ? "ol.texts" : "ul.grid"), async (pageToken) => {
    const fields = { parent: cluster.name, pageSize: 60, pageToken, version };
    const page = await api.get("/v1/{parent=personas/*/clusters/*}/members", fields, { signal });
    if (page.skippedCount) fill(skipped, "Some members are left out here: they were closed or deleted meanwhile.");
    return { items: page.members, next: page.nextPageToken };
  }, (member) => {
    const box = bar && select(member, chosen, bar.update);
    return texts ? textRow(member, box, signal) : tile(member, cluster, box);
  }, empty("It has no members. Put some in from another cluster, or with:", `colonnade clusters add ${cluster.name} ITEM`));
  return [list.element, skipped, bar?.element];
}

function select(member, chosen, update) {
  const box = h("input", { type: "checkbox", "aria-label": `Select member ${member.position}` });
  box.addEventListener("change", () => {
    if (box.checked) chosen.set(member.item, box);
    else chosen.delete(member.item);
    update();
  });
  return box;
}

function tile(member, { hero }, box) {
  const isHero = member.item === hero?.item;
  return h(
    "li.tile", { class: isHero ? "keep" : "" },
    h("a", { href: to("photo", member.item) }, thumbnail(member.item, isHero ? "the hero of the cluster" : `member ${member.position}`)),
    box,
    h("span.quality", { title: "cosine to the middle of the cluster" }, nearness(member)),
    h("p", isHero && badge(hero.pinned ? "chosen hero" : "hero"), marks(member)),
  );
}

function textRow(member, box, signal) {
  const whole = h("details", h("summary", "Read it"));
  whole.addEventListener("toggle", () => busy(whole, async () => {
    const item = await api.get("/v1/{name=projects/*/items/*}", { name: member.item }, { signal });
    fill(whole, h("summary", "Read it"), h("p.body", item.body || "It has a title only."),
      /^https?:\/\//.test(item.url) && h("p", h("a", { href: item.url, rel: "noreferrer", target: "_blank" }, "At its source")));
  }), { once: true });
  return h("li", box, h("div",
    h("p", h("strong", member.title || "without a title"), " ", member.source && h("span.tag", member.source), " ", marks(member),
      h("span.soft", { title: "cosine to the middle of the cluster" }, ` ${nearness(member)}`)),
    h("p.soft", member.excerpt), whole));
}

function nearness({ similarity }) {
  return similarity ? likeness(similarity) : "new";
}

function marks(member) {
  return [member.locked && badge("locked"), " ", member.duplicateOf && badge("duplicate")];
}

function selectionBar(cluster, chosen, reload, go) {
  const { name } = cluster;
  const told = h("strong", { role: "status" });
  const items = () => [...chosen.keys()];
  const clear = () => {
    for (const box of chosen.values()) box.checked = false;
    chosen.clear();
    update();
  };
  const batch = (done, work) => async () => {
    const results = [];
    for (let from = 0; from < chosen.size; from += AT_ONCE) results.push(...(await work(items().slice(from, from + AT_ONCE))).results);
    tellResults(results, done, ({ item }) => item);
    reload();
  };
  const hero = h("select", { "aria-label": "Hero" }, options(HERO, ""));
  hero.addEventListener("change", () => busy(hero, async () => {
    try {
      await setHero(name, hero.value, items());
      reload();
    } finally {
      hero.value = "";
    }
  }));
  const element = h(
    "div.selection", { role: "region", "aria-label": "Selection", hidden: true },
    told,
    button("Move…", () => moving(cluster, items(), reload)),
    button("Split off…", () => splitting(name, items(), go)),
    button("Take out", batch("taken out", (some) => api.call("/v1/{name=personas/*/clusters/*}:removeMembers", { name }, { items: some }))),
    button("Lock", batch("locked", (some) => api.call("/v1/{name=personas/*/clusters/*}:lockMembers", { name }, { items: some }))),
    button("Unlock", batch("unlocked", (some) => api.call("/v1/{name=personas/*/clusters/*}:unlockMembers", { name }, { items: some }))),
    hero,
    button("None", clear),
  );
  const update = () => {
    element.hidden = !chosen.size;
    hero.hidden = chosen.size !== 1;
    fill(told, `${chosen.size} selected`);
  };
  return { element, update };
}

async function setHero(name, what, [item]) {
  if (what === "set") await api.call("/v1/{name=personas/*/clusters/*}:setHero", { name }, { item });
  else await api.call("/v1/{name=personas/*/clusters/*}:vetoHero", { name }, { item, allow: what === "allow" });
  notify("Noted; every run keeps to it.");
}

function moving({ name }, items, reload) {
  open(`Move ${count(items.length, "member")}`, (close) => clusterForm(name, "To", "Move", async (target) => {
    const results = [];
    for (let from = 0; from < items.length; from += AT_ONCE) {
      const some = items.slice(from, from + AT_ONCE);
      results.push(...(await api.call("/v1/{name=personas/*/clusters/*}:addMembers", { name: target }, { items: some })).results);
    }
    close();
    tellResults(results, "moved; no run moves them away", ({ item }) => item);
    reload();
  }));
}

// A form that asks for another cluster of the scope.
export function clusterForm(name, label, text, submit) {
  const box = h("div", h("p.end", { role: "status" }, "Loading…"));
  const parent = name.split("/clusters/")[0];
  all("/v1/{parent=personas/*}/clusters", { parent }, "clusters").then((clusters) => {
    const others = clusters.filter((each) => each.name !== name);
    fill(box, others.length ? form([
      field("name", label, h("select", options(others.map((each) => [each.name, `${each.title || lastPart(each.name)} (${number(each.memberCount)})`])))),
    ], text, (values) => submit(values.name)) : empty("There is no other cluster."));
  }).catch((error) => fill(box, problem(error)));
  return box;
}

// Asks for the title of a new cluster of some members, and goes there.
export function splitting(name, items, go) {
  open(`Split off ${count(items.length, "member")}`, (close) => form([
    field("title", "Title of the new cluster", h("input", { required: true, maxlength: 100, autocomplete: "off" })),
  ], "Split off", async ({ title }) => {
    const { cluster } = await api.call("/v1/{name=personas/*/clusters/*}:split", { name }, { title, items });
    close();
    notify("Split off; it can be undone for a day.");
    go(to("cluster", cluster.name));
  }));
}
