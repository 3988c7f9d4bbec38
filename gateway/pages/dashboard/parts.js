// The pieces that views are made of.

import { api, key } from "./api.js";
import { lastPart } from "./format.js";
import { h, fill } from "./html.js";
import { to } from "./routes.js";

// A picture that is loaded when it comes near the screen. With a key it is fetched by us, as
// pictures of a page cannot carry one.
export function picture(path, alt) {
  const image = h("img", { alt, loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => {
    image.classList.add("missing");
    image.title = "this picture could not be loaded";
  });
  if (!key.get()) image.src = path;
  else nearScreen(image, () => load(image, path));
  return image;
}

async function load(image, path) {
  try {
    const address = URL.createObjectURL(await api.picture(path));
    image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    image.src = address;
  } catch (error) {
    image.classList.add("missing");
    image.title = error.message;
  }
}

// Calls `action` once, when the element comes near the screen.
export function nearScreen(element, action) {
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    action();
  }, { rootMargin: "400px" });
  watcher.observe(element);
}

export function thumbnail(photo, alt = "") {
  return picture(`/v1/${photo}/thumbnail`, alt);
}

// What a photo is called in lists, and read out.
export function altOf(photo) {
  return photo.altText || photo.caption || photo.fileName || `photo ${lastPart(photo.name)}`;
}

export function link(view, name, text, query) {
  return h("a", { href: to(view, name, query) }, text);
}

const TONES = {
  ready: "good", posted: "good", completed: "good", connected: "good", succeeded: "good", active: "good", winner: "good", ok: "good", tight: "good",
  low: "warn", minimal: "soft", critical: "bad", exhausted: "bad", failed: "bad", missed: "bad", "needs review": "bad",
  "needs attention": "bad", "not ready": "bad", unknown: "warn", waiting: "warn", paused: "warn", "awaiting image": "warn", "retry wait": "warn",
  pending: "warn", review: "warn", changed: "warn", edited: "warn", removed: "bad", loose: "warn", rejected: "soft", cancelled: "soft", archived: "soft", retired: "soft",
  more: "good", less: "bad", "no clear difference": "soft", "too few posts": "soft",
  "never run": "soft", "nothing new": "soft", scheduled: "info", running: "info",
};

export function badge(text) {
  return h("span.badge", { class: TONES[text] ?? "info" }, text);
}

export function heading(title, aside = null) {
  return h("div.heading", h("h1", { tabindex: "-1" }, title), aside);
}

export function section(title, ...content) {
  return h("section", h("h2", title), ...content);
}

// What stands where nothing is, and what to do about it; `command` is one for the terminal.
export function empty(text, command = "") {
  return h("div.empty", h("p", text), command ? h("p", h("code", command)) : null);
}

// An error as the API tells it: the words, and the fields that are wrong.
export function problem(error, retry) {
  const fields = (error.violations ?? []).filter((violation) => !error.message.includes(violation.description));
  return h(
    "div.problem", { role: "alert" },
    h("p", error.message),
    fields.length ? h("ul", fields.map(({ field, description }) => h("li", h("code", field), " ", description))) : null,
    retry ? h("button", { type: "button", onclick: retry }, "Try again") : null,
  );
}

// Tells at the edge of the screen what happened; errors stay until they are put away.
export function notify(text, bad = false) {
  const box = document.getElementById("notices");
  const note = h("div.notice", { class: bad ? "bad" : "good" }, h("span", text),
    h("button", { type: "button", "aria-label": "Put away", onclick: () => note.remove() }, "×"));
  box.append(note);
  if (!bad) setTimeout(() => note.remove(), 6000);
}

// A button that does some work, cannot be pressed twice, and tells what went wrong.
export function button(text, work, kind = "button") {
  const element = h(kind, { type: "button" }, text);
  element.addEventListener("click", () => busy(element, work));
  return element;
}

export async function busy(element, work) {
  element.disabled = true;
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") notify(error.message, true);
    return undefined;
  } finally {
    element.disabled = false;
  }
}

// One field of a form. `name` is that of the field in the API, so that its errors find it.
export function field(name, label, input, hint = "") {
  input.name ||= name;
  return h("label.field", { "data-field": name }, h("span.label", label), input, hint ? h("span.hint", hint) : null,
    h("span.wrong", { role: "alert" }));
}

// A form; `submit` gets its values by name and may refuse them like the API does.
export function form(fields, text, submit) {
  const rest = h("div");
  const send = h("button.primary", { type: "submit" }, text);
  const element = h("form.form", ...fields, rest, h("div.actions", send));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    clear(element, rest);
    send.disabled = true;
    try {
      await submit(Object.fromEntries(new FormData(element)), element);
    } catch (error) {
      tell(element, rest, error);
    } finally {
      send.disabled = false;
    }
  });
  return element;
}

function clear(element, rest) {
  fill(rest);
  for (const wrong of element.querySelectorAll(".wrong")) fill(wrong);
  for (const input of element.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function tell(element, rest, error) {
  const homeless = (error.violations ?? []).filter(({ field: name, description }) => {
    const whole = name.replace(/\[\d+\]$/, "");
    const found = [...element.querySelectorAll("[data-field]")].find(({ dataset }) =>
      whole === dataset.field || whole.endsWith(`.${dataset.field}`));
    if (found) {
      found.querySelector(".wrong").append(description, " ");
      found.querySelector("input, select, textarea")?.setAttribute("aria-invalid", "true");
    }
    return !found;
  });
  if (homeless.length || !error.violations?.length) fill(rest, problem(error));
}

// A part of a view that is loaded by itself, so that what else there is does not wait for it and
// does not fail with it.
export function later(load, show) {
  const element = h("div", h("p.end", { role: "status" }, "Loading…"));
  const work = async () => {
    try {
      fill(element, show(await load()));
    } catch (error) {
      if (error.name !== "AbortError") fill(element, problem(error, work));
    }
  };
  work();
  return element;
}

// A list that grows when its end comes near the screen. `load` gets a page token and answers
// {items, next}; `show` makes the element of an item; `none` stands for an empty list.
export function endless(container, load, show, none) {
  const end = h("div.end", { role: "status" });
  const items = [];
  const more = async (token) => {
    fill(end, "Loading…");
    try {
      const page = await load(token);
      items.push(...page.items);
      container.append(...page.items.flatMap((item) => show(item)));
      fill(end, items.length ? null : none);
      if (page.next) nearScreen(end, () => more(page.next));
    } catch (error) {
      if (error.name !== "AbortError") fill(end, problem(error, () => more(token)));
    }
  };
  const done = more("");
  return { element: h("div", container, end), items, done };
}

// What became of each item of a batch: how many were done, and why the others were not.
export function tellResults(results, done, nameOf = (result) => result.name) {
  const failed = results.filter((result) => result.status?.code);
  const good = results.length - failed.length;
  if (good) notify(`${good} ${done}`);
  if (!failed.length) return;
  open(`${failed.length} of ${results.length} were left as they were`, (close) => [
    h("ul.results", failed.map((result) => h("li", thumbnail(nameOf(result)), h("span", result.status.message)))),
    h("div.actions", h("button.primary", { type: "button", onclick: close }, "Close")),
  ]);
}

// A dialog; `content` makes what it holds and gets what closes it.
export function open(title, content) {
  const dialog = h("dialog", { "aria-label": title });
  const close = () => dialog.close();
  fill(dialog, h("h2", title), content(close));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// Asks before something that cannot be undone; says whether it may be done.
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    const dialog = open(title, (close) => [
      h("p", text),
      h("div.actions",
        h("button.danger", { type: "button", onclick: () => { resolve(true); close(); } }, action),
        h("button", { type: "button", onclick: close }, "Leave it")),
    ]);
    dialog.addEventListener("close", () => resolve(false));
  });
}

export function options(entries, chosen) {
  return entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
}

// A choice whose change is told to `change`.
export function choice(label, entries, chosen, change) {
  const select = h("select", { "aria-label": label, onchange: (event) => change(event.target.value) });
  select.append(...options(entries, chosen));
  return select;
}

// Facts as terms and descriptions; those without a value are left out.
export function facts(entries) {
  return h("dl.facts", entries.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([term, value]) => h("div", h("dt", term), h("dd", value))));
}


