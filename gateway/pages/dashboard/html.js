// Makes elements. Text is always set as text, so nothing that people wrote can become markup.

// h("li.card.wide", { onclick, value }, "text", element, [more])
export function h(kind, given, ...children) {
  const attributes = isAttributes(given) ? given : {};
  if (given !== undefined && attributes !== given) children.unshift(given);
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  add(element, children);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  return element;
}

function isAttributes(given) {
  return given !== null && typeof given === "object" && !(given instanceof Node) && !Array.isArray(given);
}

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name.startsWith("--")) element.style.setProperty(name, value);
  else if (name === "class") element.classList.add(...value.split(" ").filter(Boolean));
  else if (["checked", "disabled", "value", "selected", "indeterminate"].includes(name)) element[name] = value;
  else element.setAttribute(name, value === true ? "" : value);
}

function add(element, children) {
  const shown = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...shown);
}

// Puts new content in place of what an element holds.
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}
