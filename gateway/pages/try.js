// The form that sends a request, and shows it as a curl command.

import { h } from "/docs/schema.js";

const MAX_SHOWN = 200_000;

function row(label, input) {
  return h("label", { class: "row" }, h("span", {}, label), input);
}

function inputFor(schemas, parameter) {
  const schema = schemas.inner(parameter.schema);
  if (schema.enum) {
    const options = ["", ...schema.enum].map((value) => h("option", { value }, value || "—"));
    return h("select", {}, ...options);
  }
  if (schema.type === "boolean") {
    return h("select", {}, ...["", "true", "false"].map((value) => h("option", { value }, value || "—")));
  }
  const list = schemas.resolve(parameter.schema).type === "array";
  return h("input", { placeholder: list ? "several, separated by commas" : "", "data-list": list });
}

function valuesOf(input) {
  if (!input.value) return [];
  return input.dataset.list === undefined ? [input.value] : input.value.split(",").map((part) => part.trim());
}

function addressOf(operation, fields) {
  let path = operation.path;
  const query = new URLSearchParams();
  for (const [parameter, input] of fields) {
    const shown = encodeURIComponent(input.value) || `{${parameter.name}}`;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, shown);
    else for (const value of valuesOf(input)) query.append(parameter.name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

function bodyInput(schemas, operation) {
  const content = operation.requestBody?.content;
  if (!content) return null;
  if (content["multipart/form-data"]) return h("input", { type: "file" });
  const schema = content["application/json"]?.schema;
  const area = h("textarea", { spellcheck: "false", "aria-label": "Body" });
  if (schema) area.value = JSON.stringify(schemas.example(schema), null, 2);
  return area;
}

function requestOf(operation, body) {
  const headers = {};
  const key = document.getElementById("key").value.trim();
  if (key) headers.authorization = `Bearer ${key}`;
  const request = { method: operation.method.toUpperCase(), headers };
  if (body?.type === "file") {
    request.body = body.files[0] ?? new Blob();
    headers["content-type"] = "application/octet-stream";
  } else if (body?.value.trim()) {
    request.body = body.value;
    headers["content-type"] = "application/json";
  }
  return request;
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curlOf(address, request, body) {
  const method = request.method === "GET" ? "" : `-X ${request.method} `;
  const lines = [`curl ${method}${quote(location.origin + address)}`];
  for (const [name, value] of Object.entries(request.headers)) {
    lines.push(`-H ${quote(name === "authorization" ? "authorization: Bearer $COLONNADE_KEY" : `${name}: ${value}`)}`);
  }
  if (body?.type === "file") lines.push(`--data-binary @${quote(body.files[0]?.name ?? "photo.jpg")}`);
  else if (request.body) lines.push(`--data ${quote(request.body)}`);
  // A variable is not replaced within single quotes.
  return lines.join(" \\\n  ").replace("'authorization: Bearer $COLONNADE_KEY'", '"authorization: Bearer $COLONNADE_KEY"');
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// Streams are shown as they come in.
async function show(answer, output) {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text = (text + value).slice(-MAX_SHOWN);
    output.textContent = text;
  }
  output.textContent = pretty(text);
}

export function tryForm(schemas, operation) {
  const fields = operation.parameters.map((parameter) => [parameter, inputFor(schemas, parameter)]);
  const body = bodyInput(schemas, operation);
  const status = h("span", { class: "status", role: "status" });
  const output = h("pre", { hidden: true });
  const curl = h("pre", {});
  const send = h("button", { class: "send", type: "submit" }, "Send");
  const stop = h("button", { type: "button", hidden: true }, "Stop");
  let running = null;

  const refresh = () => {
    curl.textContent = curlOf(addressOf(operation, fields), requestOf(operation, body), body);
  };

  async function submit(event) {
    event.preventDefault();
    running = new AbortController();
    send.disabled = true;
    stop.hidden = output.hidden = false;
    status.className = "status";
    status.textContent = "…";
    output.textContent = "";
    const started = performance.now();
    try {
      const request = { ...requestOf(operation, body), signal: running.signal };
      const answer = await fetch(addressOf(operation, fields), request);
      status.className = `status ${answer.ok ? "good" : "bad"}`;
      status.textContent = `${answer.status} · ${Math.round(performance.now() - started)} ms`;
      await show(answer, output);
    } catch (error) {
      status.textContent = error.name === "AbortError" ? "stopped" : error.message;
    }
    send.disabled = false;
    stop.hidden = true;
  }

  stop.addEventListener("click", () => running?.abort());
  const form = h(
    "form", { class: "try", onsubmit: submit, oninput: refresh },
    h("h3", {}, "Try it"),
    ...fields.map(([parameter, input]) => row(parameter.name + (parameter.required ? " *" : ""), input)),
    body?.type === "file" ? row("file", body) : body,
    h("div", { class: "actions" }, send, stop, status),
    output,
    h("h3", {}, "curl"),
    curl,
  );
  document.getElementById("key").addEventListener("input", refresh);
  refresh();
  return form;
}
