/**
 * One argument, by menu: what would fit comes first, and then everything else, for what is wrong can be tried as well.
 *
 * @typedef {{ names: Record<string, string>, pages: string[], devices: string[], vocabulary: any }} Context
 *   `names`: what earlier calls have bound, and what each is
 */

import { h } from "./dom.js";

const LISTS = { requests: "request", sources: "source", destinations: "destination", integers: "integer", entries: "entry" };
const NUMBERS = new Set(["integer", "count", "nanoseconds", "flags", "queue", "code"]);
const FRESH = { buffer: "a fresh buffer", sg: "a fresh SgEntry" };

/** What an argument begins as. @param {{ name: string, kind: string }} param @param {Context} context */
export function first(param, context) {
  const ref = Object.keys(context.names).findLast((name) => context.names[name] === fits(param.kind));
  if (param.kind in LISTS) {
    const item = { name: param.name, kind: LISTS[param.kind] };
    return item.kind === "integer" ? [] : [first(item, context)];
  }
  switch (param.kind) {
    case "source": return context.pages.length ? { page: context.pages[0] } : null;
    case "destination": return { buffer: 8192 };
    case "entry": return { sg: 4096 };
    case "text": return context.vocabulary.algorithms[0];
    case "device": return context.devices[0] ?? "iax1";
    case "point": return Object.keys(context.vocabulary.fault_points)[0];
    case "function": return { name: "crypto_req_done" };
    case "flags": case "queue": return 0;
    case "count": return 1;
    case "nanoseconds": return 1000;
    case "attribute": return "sync";
    case "integer": return param.name === "offset" ? 0 : 4096;
    default: return ref === undefined ? null : { ref };
  }
}

/** What has to be bound to fit a parameter of a kind. */
function fits(kind) {
  return { data: "wait", source: "destination" }[kind] ?? kind;
}

/**
 * @param {{ name: string, kind: string }} param
 * @param {any} value
 * @param {Context} context
 * @param {(value: any) => void} changed
 * @returns {HTMLElement}
 */
export function argument(param, value, context, changed) {
  return Array.isArray(value) ? list(param, value, context, changed) : single(param, value, context, changed);
}

function list(param, values, context, changed) {
  const item = { name: param.name, kind: LISTS[param.kind] ?? param.kind };
  const put = (index, value) => changed(values.toSpliced(index, 1, value));
  return h("fieldset", { class: "argument list" }, h("legend", {}, param.name),
    ...values.map((value, index) => single(item, value, context, (next) => put(index, next), index)),
    h("button", { type: "button", "aria-label": `one more of ${param.name}`, click: () => changed([...values, first(item, context)]) }, "+"),
    h("button", { type: "button", "aria-label": `one less of ${param.name}`, disabled: values.length === 0, click: () => changed(values.slice(0, -1)) }, "−"));
}

function single(param, value, context, changed, index = null) {
  const label = index === null ? param.name : `${param.name} ${index}`;
  const options = new Map();
  const groups = choices(param, context).map(([title, values]) => h("optgroup", { label: title },
    ...values.map(([words, choice]) => option(options, words, choice))));
  const current = keyOf(value, options);
  const select = h("select", { "aria-label": label, change: () => changed(chosen(select.value, options, param)) }, ...groups);
  const needsField = options.get(current) === undefined || typeof options.get(current) === "symbol";
  if (!options.has(current)) select.append(option(options, current, JSON.parse(current)));
  select.value = current;
  return h("span", { class: "argument" }, index === null ? h("small", { class: "dim" }, param.name) : null, select,
    needsField ? beside(label, value, changed) : null);
}

/** The option that a value stands at. */
function keyOf(value, options) {
  if (typeof value === "number") return "number";
  if (typeof value === "string") return options.has(JSON.stringify(value)) ? JSON.stringify(value) : "text";
  return Object.keys(FRESH).find((key) => value?.[key] !== undefined) ?? JSON.stringify(value);
}

/** The field for what a menu cannot hold: a number, a text, a size. */
function beside(label, value, changed) {
  const field = (type, shown, made) => {
    const input = h("input", { type, value: shown, "aria-label": `${label}, value`, size: 8, maxlength: 200,
      change: () => { const next = made(input.value); if (next !== undefined) changed(next); } });
    return input;
  };
  const whole = (text) => (Number.isSafeInteger(Number(text)) && text !== "" ? Number(text) : undefined);
  if (typeof value === "number") return field("number", value, whole);
  if (typeof value === "string") return field("text", value, (text) => text);
  for (const key of Object.keys(FRESH)) {
    if (value?.[key] !== undefined) {
      return field("number", value[key], (text) => (whole(text) === undefined ? undefined : { [key]: whole(text) }));
    }
  }
  return null;
}

function option(options, words, choice) {
  const key = typeof choice === "symbol" ? choice.description : JSON.stringify(choice);
  options.set(key, choice);
  return h("option", { value: key }, words);
}

function chosen(key, options, param) {
  switch (key) {
    case "number": return NUMBERS.has(param.kind) ? 0 : 4096;
    case "text": return "text";
    case "buffer": return { buffer: 8192 };
    case "sg": return { sg: 4096 };
    default: return options.get(key);
  }
}

/** All that may be chosen, what fits first. @returns {[string, [string, any][]][]} titles, each with words and values */
function choices({ kind }, { names, pages, devices, vocabulary }) {
  const refs = Object.entries(names).map(([ref, gives]) => [ref, { ref }, gives]);
  const good = refs.filter(([, , gives]) => gives === fits(kind)).map(([words, ref]) => [words, ref]);
  const others = refs.filter(([, , gives]) => gives !== fits(kind)).map(([words, ref]) => [words, ref]);
  const texts = textsOf(kind, devices, vocabulary);
  const fresh = Object.entries(FRESH).map(([key, words]) => [words, Symbol(key)]);
  const pagesOf = pages.map((page) => [page, { page }]);
  const constants = vocabulary.names.map((name) => [name, { name }]);
  const plain = [["a number", Symbol("number")], ["a text", Symbol("text")], ["None", null], ["True", true], ["False", false]];
  const fit = [...good, ...texts.map((text) => [text, text])];
  if (kind === "source") fit.push(...pagesOf);
  if (kind === "destination") fit.push(fresh[0]);
  if (kind === "entry") fit.push(fresh[1]);
  if (kind === "function") fit.push(...constants);
  if (NUMBERS.has(kind)) fit.push(plain[0]);
  const has = new Set(fit);
  const rest = [...others, ...(kind === "source" ? [] : pagesOf), ...(kind === "function" ? [] : constants), ...fresh, ...plain];
  return [["fits", fit], ["anything else", rest.filter((one) => !has.has(one))]];
}

function textsOf(kind, devices, { algorithms, attributes, fault_points: points }) {
  switch (kind) {
    case "text": return [...algorithms, ...Object.keys(attributes)];
    case "device": return devices;
    case "point": return Object.keys(points);
    case "attribute": return [...new Set(Object.values(attributes).flat())];
    default: return [];
  }
}
