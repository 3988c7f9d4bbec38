// Renders /openapi.json: the list of methods, what each takes and answers, and a form to try it.

import { Schemas, h, prose } from "/docs/schema.js";
import { tryForm } from "/docs/try.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

const byId = (id) => document.getElementById(id);

function operationsOf(api) {
  const all = [];
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS) {
      if (item[method]) all.push({ ...item[method], path, method });
    }
  }
  return all;
}

function highlightedPath(path) {
  const parts = path.split(/(\{[^}]+\})/).map((part) => (part.startsWith("{") ? h("b", {}, part) : part));
  return h("span", { class: "path" }, ...parts);
}

function parameterList(schemas, parameters) {
  const rows = parameters.map((parameter) =>
    schemas.field(parameter.name, { ...parameter.schema, description: parameter.description }, parameter.required));
  return h("ul", { class: "fields" }, ...rows);
}

function titled(title, ...content) {
  return [h("h3", {}, title), ...content];
}

function bodyDocs(schemas, operation) {
  const content = operation.requestBody?.content;
  if (!content) return [];
  const form = content["application/json"] ?? content["multipart/form-data"];
  const kinds = Object.keys(content).map((kind) => h("span", { class: "chip" }, kind));
  return titled("Body", h("div", { class: "chips" }, ...kinds), form ? schemas.fields(form.schema, true) : "");
}

function answerDocs(schemas, operation) {
  const content = operation.responses["200"]?.content ?? {};
  const [kind, media] = Object.entries(content)[0] ?? [];
  if (!kind) return [];
  const stream = kind === "application/x-ndjson";
  const schema = stream ? media.schema.oneOf[0].properties.result : media.schema;
  const name = schemas.shortName(schema);
  const note = stream ? "A stream: one JSON object a line, or events." : name ?? kind;
  return titled("Answer", h("div", { class: "chips" }, h("span", { class: "chip" }, note)), schemas.fields(schema));
}

function docsOf(schemas, operation) {
  const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
  const inQuery = operation.parameters.filter((parameter) => parameter.in === "query");
  const scope = operation.security?.[0]?.bearer?.[0];
  return h(
    "div", {},
    operation.description ? prose(operation.description) : "",
    h("div", { class: "chips" },
      scope ? h("span", { class: "chip" }, `scope ${scope}`) : null,
      operation["x-rpc"] ? h("span", { class: "chip" }, operation["x-rpc"]) : null),
    ...(inPath.length ? titled("Path", parameterList(schemas, inPath)) : []),
    ...(inQuery.length ? titled("Query", parameterList(schemas, inQuery)) : []),
    ...bodyDocs(schemas, operation),
    ...answerDocs(schemas, operation),
  );
}

function card(schemas, operation) {
  const details = h(
    "details", { class: "operation", id: operation.operationId },
    h("summary", {},
      h("span", { class: `verb ${operation.method}` }, operation.method.toUpperCase()),
      highlightedPath(operation.path),
      h("span", { class: "about" }, operation.summary ?? operation.operationId)),
  );
  // Drawn when it is opened: drawing all at once would take seconds.
  details.addEventListener("toggle", () => {
    details.append(h("div", { class: "body" }, docsOf(schemas, operation), tryForm(schemas, operation)));
  }, { once: true });
  return details;
}

// A method that has several paths is listed once for each, told apart by where the path starts.
function entry(operation) {
  const [, name, count] = operation.operationId.match(/^[^_]*_(.*?)(_\d+)?$/);
  return h("a", { href: `#${operation.operationId}`, title: operation.path },
    h("span", { class: `verb ${operation.method}` }, operation.method.toUpperCase()),
    name, count ? h("span", { class: "aside" }, operation.path.split("/")[2]) : null);
}

function heading(tag) {
  return h("h2", {}, tag.name.replace(/(.)Service$/, "$1"));
}

function render(api) {
  const schemas = new Schemas(api);
  const rows = [];
  const main = byId("main");
  main.replaceChildren();
  if (api.info.description) main.append(h("div", { class: "intro" }, prose(api.info.description)));
  for (const tag of api.tags) {
    const operations = operationsOf(api).filter((operation) => operation.tags.includes(tag.name));
    const group = h("div", {}, heading(tag));
    const section = h("section", {}, heading(tag), tag.description ? prose(tag.description) : "");
    for (const operation of operations) {
      const row = { link: entry(operation), card: card(schemas, operation), group, section, text: textOf(operation) };
      rows.push(row);
      group.append(row.link);
      section.append(row.card);
    }
    byId("list").append(group);
    main.append(section);
  }
  byId("title").textContent = api.info.title;
  byId("version").textContent = api.info.version;
  return rows;
}

function textOf(operation) {
  return `${operation.method} ${operation.path} ${operation.operationId} ${operation.summary ?? ""}`.toLowerCase();
}

function filter(rows, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) {
    row.hidden = !words.every((word) => row.text.includes(word));
    row.link.hidden = row.card.hidden = row.hidden;
  }
  for (const { group, section } of rows) {
    group.hidden = section.hidden = rows.every((row) => row.group !== group || row.hidden);
  }
  byId("nothing").hidden = rows.some((row) => !row.hidden);
}

function openFromAddress(rows) {
  const id = decodeURIComponent(location.hash.slice(1));
  for (const row of rows) {
    const here = row.card.id === id;
    row.link.classList.toggle("here", here);
    if (here) {
      row.card.open = true;
      row.card.scrollIntoView();
    }
  }
}

function keepKey() {
  const field = byId("key");
  field.value = sessionStorage.getItem("colonnade.key") ?? "";
  field.addEventListener("input", () => sessionStorage.setItem("colonnade.key", field.value));
}

async function start() {
  keepKey();
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`/openapi.json answers ${answer.status}`);
  const rows = render(await answer.json());
  byId("search").addEventListener("input", (event) => filter(rows, event.target.value));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
      event.preventDefault();
      byId("search").focus();
    }
  });
  addEventListener("hashchange", () => openFromAddress(rows));
  openFromAddress(rows);
}

start().catch((error) => byId("main").replaceChildren(h("p", {}, `The document cannot be shown: ${error.message}`)));
