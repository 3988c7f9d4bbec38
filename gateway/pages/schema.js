// Draws JSON schemas as lists of fields, and makes examples of them.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Text with `code` in it.
export function prose(text, tag = "p") {
  const parts = text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
  return h(tag, {}, ...parts);
}

export class Schemas {
  constructor(document) {
    this.components = document.components?.schemas ?? {};
  }

  resolve(schema) {
    if (!schema?.$ref) return schema ?? {};
    const { $ref, ...own } = schema;
    return { ...this.components[$ref.split("/").pop()], ...own };
  }

  shortName(schema) {
    return schema.$ref?.split("/").pop().split(".").filter((part) => /^[A-Z]/.test(part)).join(".");
  }

  type(schema) {
    const known = this.resolve(schema);
    if (known.type === "array") return `list of ${this.type(known.items)}`;
    if (known.additionalProperties) return `map to ${this.type(known.additionalProperties)}`;
    if (schema.$ref) return known.enum ? "one of" : this.shortName(schema);
    const type = [known.type ?? "anything"].flat().join(" or ");
    return known.format ? `${type} (${known.format})` : type;
  }

  inner(schema) {
    const known = this.resolve(schema);
    if (known.type === "array") return this.inner(known.items);
    if (known.additionalProperties) return this.inner(known.additionalProperties);
    return known;
  }

  rules(schema) {
    const known = this.resolve(schema);
    const named = {
      minimum: "at least", maximum: "at most", exclusiveMinimum: "more than", exclusiveMaximum: "less than",
      minLength: "min. length", maxLength: "max. length", minItems: "min. items", maxItems: "max. items",
    };
    const rules = Object.entries(named)
      .filter(([key]) => known[key] !== undefined)
      .map(([key, label]) => `${label} ${known[key]}`);
    if (known.pattern) rules.push(h("code", {}, known.pattern));
    return rules;
  }

  fields(schema, requestOnly) {
    const known = this.inner(schema);
    const required = new Set(known.required ?? []);
    const rows = Object.entries(known.properties ?? {})
      .filter(([, property]) => !(requestOnly && property.readOnly))
      .map(([name, property]) => this.field(name, property, required.has(name), requestOnly));
    return h("ul", { class: "fields" }, ...rows);
  }

  field(name, schema, required, requestOnly) {
    const inner = this.inner(schema);
    const known = this.resolve(schema);
    const notes = this.rules(schema).flatMap((rule) => [" · ", rule]);
    return h(
      "li", {},
      h("span", { class: "name" }, name), " ",
      h("span", { class: "type" }, this.type(schema)),
      required ? h("span", { class: "must" }, " required") : null,
      known.readOnly ? h("span", { class: "note" }, " · read only") : null,
      known["x-immutable"] ? h("span", { class: "note" }, " · set once") : null,
      known.deprecated ? h("span", { class: "must" }, " deprecated") : null,
      notes.length ? h("span", { class: "note" }, ...notes) : null,
      inner.enum ? this.values(inner) : null,
      schema.description ? prose(schema.description) : null,
      inner.properties ? this.nested(schema, requestOnly) : null,
    );
  }

  values(schema) {
    const chips = schema.enum.map((value) =>
      h("span", { class: "chip", title: schema["x-enum-descriptions"]?.[value] }, value));
    return h("div", { class: "chips" }, ...chips);
  }

  // Drawn when it is opened: messages may contain themselves.
  nested(schema, requestOnly) {
    const details = h("details", {}, h("summary", {}, "fields"));
    details.addEventListener("toggle", () => details.append(this.fields(schema, requestOnly)), { once: true });
    return details;
  }

  // What must be given; where nothing must, a few fields that may.
  example(schema, depth = 0) {
    const known = this.resolve(schema);
    if (known.enum) return known.enum[1] ?? known.enum[0];
    if (known.type === "array") return depth > 3 ? [] : [this.example(known.items, depth + 1)];
    if (known.type === "object") return depth > 3 ? {} : this.exampleObject(known, depth);
    if (known.format === "date-time") return "2026-08-01T09:30:00Z";
    return { integer: known.minimum ?? 0, number: 0, boolean: false }[[known.type].flat()[0]] ?? "";
  }

  exampleObject(schema, depth) {
    const writable = Object.entries(schema.properties ?? {}).filter(([name, property]) =>
      !property.readOnly && !property["x-identifier"] && name !== "etag" && name !== "requestId");
    const required = writable.filter(([name]) => schema.required?.includes(name));
    const shown = required.length || depth ? required : writable.slice(0, 3);
    return Object.fromEntries(shown.map(([name, property]) => [name, this.example(property, depth + 1)]));
  }
}
