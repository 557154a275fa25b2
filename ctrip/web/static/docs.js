// Shows openapi.json to people. It only ever adds text to the page, never markup.
"use strict";

const METHODS = ["get", "post", "patch", "delete"];
const main = document.querySelector("main");
let api;

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// `code` between backticks is the only markup that texts have.
function prose(text) {
  return (text ?? "").split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part));
}

function resolve(thing) {
  if (!thing?.$ref) return thing;
  return thing.$ref.split("/").slice(1).reduce((at, name) => at[name], api);
}

function nameOf(schema) {
  return schema?.$ref?.split("/").pop();
}

// Numbers beyond 2^53 are shown as they are written, where the browser knows how.
function exact(_name, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value) || !context?.source) return value;
  return /^-?\d+$/.test(context.source) ? context.source : value;
}

function kindOf(schema) {
  if (!schema) return "any";
  if (schema.$ref) return nameOf(schema);
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.map(kindOf).join(" or ");
  if (schema.allOf) return schema.allOf.map(kindOf).filter((kind) => kind !== "object").join(" and ");
  if (schema.type === "array") return `list of ${kindOf(schema.items)}`;
  if (schema.type === "object" && schema.additionalProperties && !schema.properties) {
    return `object of ${kindOf(schema.additionalProperties)}`;
  }
  return schema.format ?? schema.type ?? (schema.const !== undefined ? JSON.stringify(schema.const) : "any");
}

// What a value must be, beside its type.
function rules(schema) {
  const parts = [];
  for (const part of [schema, ...(schema.anyOf ?? []), ...(schema.items ? [schema.items] : [])]) {
    if (part.enum) parts.push(["one of ", part.enum.flatMap((value, place) => [place ? ", " : "", h("code", {}, String(value))])]);
    if (part.minimum !== undefined || part.maximum !== undefined) {
      parts.push(`${part.minimum ?? "any"} to ${part.maximum ?? "any"}`);
    }
    if (part.minLength !== undefined || part.maxLength !== undefined) {
      parts.push(`${part.minLength ?? 0} to ${part.maxLength ?? "any number of"} characters`);
    }
    if (part.minItems !== undefined || part.maxItems !== undefined) {
      parts.push(`${part.minItems ?? 0} to ${part.maxItems ?? "any number of"} entries`);
    }
    if (part.maxProperties !== undefined) parts.push(`at most ${part.maxProperties} entries`);
    if (part.pattern && part.pattern !== "^[^\\x00]*$") parts.push(["pattern ", h("code", {}, part.pattern)]);
  }
  if (schema.default !== undefined) parts.push(["default ", h("code", {}, JSON.stringify(schema.default))]);
  return parts.flatMap((part, place) => [place ? "; " : "", part]);
}

// The structs inside a schema that are worth opening.
function inner(schema) {
  if (!schema) return [];
  if (schema.$ref) return [nameOf(schema)];
  return [...(schema.anyOf ?? []), ...(schema.allOf ?? []), schema.items, schema.additionalProperties]
    .filter((part) => typeof part === "object")
    .flatMap(inner);
}

function field(name, schema, required, description) {
  const opened = [...new Set(inner(schema))].filter((struct) => api.components.schemas[struct]?.properties);
  return h("div", {},
    h("dt", {}, name),
    h("span", { class: "kind" }, kindOf(schema)),
    required ? h("span", { class: "must" }, "required") : null,
    h("dd", {}, prose(description ?? schema.description)),
    h("dd", {}, rules(schema)),
    opened.map((struct) => lazily(struct, () => fields(api.components.schemas[struct]))));
}

function fields(schema) {
  const must = new Set(schema.required ?? []);
  const said = schema.additionalProperties === false; // a request: what is required matters
  return h("dl", {}, Object.entries(schema.properties ?? {}).map(([name, part]) =>
    field(name, part, said && must.has(name))));
}

// What is closed is not made before it is opened: structs may hold themselves.
function lazily(label, make) {
  const details = h("details", {}, h("summary", {}, label));
  details.addEventListener("toggle", () => details.children.length > 1 || details.append(make()));
  return details;
}

function shape(schema) {
  const whole = schema.allOf?.[0] ?? schema;
  const known = resolve(whole);
  return known.properties ? fields(known) : h("p", { class: "soft" }, kindOf(schema));
}

function code(text) {
  const button = h("button", { class: "copy", type: "button" }, "copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text);
    button.textContent = "copied";
  });
  return h("pre", {}, button, text);
}

function json(value) {
  return code(JSON.stringify(value, null, 2));
}

function body(content) {
  const [[type, media]] = Object.entries(content);
  return { type, schema: media.schema, example: media.example };
}

function answer([status, given]) {
  const told = resolve(given);
  if (!told.content || status < 400) {
    const about = h("summary", {}, h("span", { class: "status" }, status), told.description);
    if (!told.content) return h("p", {}, h("span", { class: "status" }, status), told.description);
    const { type, schema } = body(told.content);
    return h("details", { open: "" }, about, h("p", { class: "soft" }, `${type}: ${kindOf(schema)}`), shape(schema));
  }
  const codes = told.description.split("\n").map((line) => h("p", {}, prose(line.replace(/^- /, ""))));
  return h("details", {}, h("summary", {}, h("span", { class: "status" }, status),
    [...told.description.matchAll(/^- `(\w+)`/gm)].flatMap(([, name], place) => [place ? ", " : "", name])), codes);
}

function curl(method, path, operation) {
  const lines = [`curl -s ${location.origin}${path.replace(/\{\w+\}/g, (id) => `<${id.slice(1, -1)}>`)}`];
  if (method !== "get" && method !== "post") lines[0] += ` -X ${method.toUpperCase()}`;
  if (method === "post" && !operation.requestBody) lines[0] += " -X POST";
  if (operation.security.length) lines.push("  -H 'Authorization: Bearer <key>'");
  if (operation.requestBody) {
    lines.push("  -H 'Content-Type: application/json'");
    lines.push(`  -d '${JSON.stringify(body(operation.requestBody.content).example).replaceAll("'", "'\\''")}'`);
  }
  return lines.join(" \\\n");
}

function parameters(operation) {
  const groups = Object.groupBy
    ? Object.groupBy(operation.parameters ?? [], (one) => one.in)
    : { parameters: operation.parameters ?? [] };
  return Object.entries(groups).filter(([, found]) => found.length).map(([place, found]) => [
    h("h4", {}, { path: "In the path", query: "Query", header: "Headers" }[place] ?? "Parameters"),
    h("dl", {}, found.map((one) => field(one.name, one.schema, one.required, one.description))),
  ]);
}

function article(label, kind, path, operation, right) {
  const scope = Object.values(operation.security?.[0] ?? {})[0]?.[0];
  const request = operation.requestBody;
  return h("article", { id: operation.operationId, "data-words": `${label} ${path} ${operation.operationId}`.toLowerCase() },
    h("h3", {}, h("span", { class: `method ${kind}` }, label), path,
      scope ? h("span", { class: "tag" }, `scope ${scope}`) : null),
    h("p", {}, prose(operation.summary)),
    h("div", { class: "halves" },
      h("div", {},
        parameters(operation),
        request ? [h("h4", {}, request.required ? "Body" : "Body, which may be left out"), shape(body(request.content).schema)] : null,
        h("h4", {}, "Answers"),
        Object.entries(operation.responses).map(answer)),
      h("div", {}, right)));
}

function example(operation) {
  const [, success] = Object.entries(operation.responses).find(([status]) => status < 400) ?? [];
  const shown = success?.content ? body(success.content) : null;
  return shown?.example === undefined ? null : [h("h4", {}, "Example of an answer"), json(shown.example)];
}

function operations(tag) {
  return Object.entries(api.paths).flatMap(([path, item]) => METHODS
    .filter((method) => item[method]?.tags.includes(tag.name))
    .map((method) => article(method.toUpperCase(), method, path, item[method], [
      h("h4", {}, "Request"), code(curl(method, path, item[method])), example(item[method]),
    ])));
}

function webhooks() {
  return Object.entries(api.webhooks ?? {}).map(([name, item]) => article("EVENT", "event", name, item.post, [
    h("h4", {}, "Example of a body"), json(body(item.post.requestBody.content).example),
  ]));
}

function section(id, title, says, articles) {
  const links = articles.map((one) => h("a", { href: `#${one.id}`, "data-words": one.dataset.words },
    h("span", { class: one.querySelector(".method").className }, one.querySelector(".method").textContent),
    h("span", {}, one.querySelector("h3").childNodes[1].textContent.replace("/api/v1", "").replace(/\{\w+\}/, "{id}"))));
  document.querySelector(".index").append(h("div", {}, h("h2", {}, title), links));
  return h("section", { id }, h("h2", {}, title), h("p", { class: "soft" }, prose(says)), articles);
}

function show() {
  const keys = Object.values(api.components.securitySchemes)
    .map((one) => (one.scheme ? "Authorization: Bearer <key>" : `${one.name}: <key>`));
  main.replaceChildren(
    h("h1", {}, `${api.info.title} ${api.info.version}`),
    h("p", {}, prose(api.info.description)),
    h("p", {}, "A key is sent as ", h("code", {}, keys[0]), " or ", h("code", {}, keys[1]), ". ",
      h("a", { href: source() }, "openapi.json"), " is what this page shows."),
    ...api.tags.map((tag) => section(`tag-${tag.name}`, tag.name, tag.description, operations(tag))),
    section("webhooks", "webhooks", "What receivers are sent.", webhooks()));
  document.querySelector("nav input").addEventListener("input", filter);
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function filter(event) {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const one of document.querySelectorAll("[data-words]")) {
    one.hidden = !words.every((word) => one.dataset.words.includes(word));
  }
  for (const group of document.querySelectorAll(".index > div, main > section")) {
    group.hidden = !group.querySelector("[data-words]:not([hidden])");
  }
}

// Beside this page, wherever a proxy has put it, and with or without a slash at its end.
function source() {
  return location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "openapi.json");
}

fetch(source())
  .then((found) => (found.ok ? found.text() : Promise.reject(new Error(`status ${found.status}`))))
  .then((text) => {
    api = JSON.parse(text, exact);
    show();
  })
  .catch((fault) => main.replaceChildren(h("p", {}, `openapi.json cannot be shown: ${fault.message}`)));
