// Takes in files by drag and drop, a few at a time, and tells what became of each.

import { bytes, count } from "./format.js";
import { h, fill } from "./html.js";

const AT_ONCE = 3;

// `send` gets a file and what is told of its progress, and answers whether it was there already and
// what to show for it. What is dropped anywhere on `page` is taken. `done` shows what came of it.
export function uploader({ title, drop, page, send, done }) {
  const input = h("input", { type: "file", multiple: true, accept: "image/*" });
  const rows = h("ul.uploads");
  const summary = h("span", { role: "status" });
  const show = h("button", { type: "button", hidden: true, onclick: done }, "Show them");
  const waiting = [];
  const outcomes = {};
  let active = 0;

  const take = (files) => {
    for (const file of files) {
      const row = rowOf(file);
      rows.append(row.element);
      waiting.push({ file, row });
    }
    tell();
    for (let i = active; i < AT_ONCE; i += 1) work();
  };

  const work = async () => {
    const next = waiting.shift();
    if (!next) return;
    active += 1;
    const outcome = await through(next);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    active -= 1;
    tell();
    if (waiting.length) work();
    else if (!active) show.hidden = false;
  };

  const through = async ({ file, row }) => {
    try {
      const { duplicate, shown } = await send(file, row.progress);
      row.end(duplicate ? "here already" : "imported", shown);
      return duplicate ? "here already" : "imported";
    } catch (error) {
      row.end("refused:", error.message);
      return "refused";
    }
  };

  const tell = () => {
    const left = waiting.length + active;
    const parts = Object.entries(outcomes).map(([outcome, amount]) => `${amount} ${outcome}`);
    fill(summary, [left ? `${count(left, "file")} to go` : null, ...parts].filter(Boolean).join(", "));
  };

  input.addEventListener("change", () => { take(input.files); input.value = ""; });
  dropInto(page, take);
  return h("details.section.upload", h("summary", title),
    h("label.drop", input, h("span", drop)), h("div.actions", summary, show), rows);
}

function rowOf(file) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
  const state = h("span.state", "waiting");
  const element = h("li", h("span.name", file.name), h("span.soft", bytes(file.size)), bar, state);
  return {
    element,
    progress: (share) => {
      bar.value = share;
      fill(state, share < 1 ? `${Math.round(100 * share)} %` : "being looked at");
    },
    end: (text, more) => {
      bar.remove();
      fill(state, text, " ", more);
    },
  };
}

function dropInto(page, take) {
  page.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    page.classList.add("dropping");
  });
  page.addEventListener("dragleave", (event) => {
    if (!page.contains(event.relatedTarget)) page.classList.remove("dropping");
  });
  page.addEventListener("drop", (event) => {
    event.preventDefault();
    page.classList.remove("dropping");
    page.querySelector(".upload").open = true;
    take(event.dataTransfer.files);
  });
}
