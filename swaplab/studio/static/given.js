/** What a script is given: its machine, and its pages. */

import { h } from "./dom.js";

const KINDS = { text: "a text, repeated", random: "random: does not compress", fill: "one byte, repeated", base64: "base64" };

/** What there is to choose of a number: its bounds are the server's, and more than these is little help. */
const SOME = [0, 1, 2, 4, 8, 16, 32, 64, 128];

/**
 * The machine, a menu for each of its keys.
 * @param {any[]} words the keys, as the server describes them
 * @param {any} script
 * @param {(script: any) => void} changed
 */
export function machineOf(words, script, changed) {
  return h("div", { class: "machine" }, ...words.map((word) => {
    const now = script.machine?.[word.name] ?? word.default;
    const values = valuesOf(word);
    const all = values.includes(now) ? values : [...values, now];
    const select = h("select", { change: () => changed({ ...script, machine: { ...script.machine, [word.name]: all[select.selectedIndex] } }) },
      ...all.map((value) => h("option", {}, String(value))));
    select.selectedIndex = all.indexOf(now);
    return h("p", {}, h("label", {}, h("code", {}, word.name), " ", select), " ", h("small", { class: "dim" }, word.what));
  }));
}

function valuesOf({ choices, least, most, default: usual }) {
  if (choices !== null) return choices;
  return typeof usual === "boolean" ? [false, true] : SOME.filter((number) => number >= least && number <= most);
}

/** The pages by name: of what they are made, and that. @param {any} script @param {(script: any) => void} changed */
export function pagesOf(script, changed) {
  const pages = script.pages ?? {};
  const put = (name, page) => changed({ ...script, pages: { ...pages, [name]: page } });
  let number = 0;
  while (`p${number}` in pages) number += 1;
  return h("div", {}, ...Object.entries(pages).map(([name, page]) => pageOf(name, page, (next) => put(name, next), () => {
    const { [name]: _, ...rest } = pages;
    changed({ ...script, pages: rest });
  })), h("button", { type: "button", click: () => put(`p${number}`, { text: `page ${number} ` }) }, "+ a page"));
}

function pageOf(name, page, put, remove) {
  const kind = Object.keys(KINDS).find((key) => page[key] !== undefined && page[key] !== null) ?? "text";
  const select = h("select", { "aria-label": `what page ${name} is made of`,
    change: () => put({ text: { text: "hello " }, random: { random: 7 }, fill: { fill: 0 }, base64: { base64: "AAAA" } }[select.value]) },
    ...Object.entries(KINDS).map(([value, words]) => h("option", { value }, words)));
  select.value = kind;
  const isNumber = kind === "random" || kind === "fill";
  const input = h("input", { type: isNumber ? "number" : "text", value: page[kind] ?? "", maxlength: 200, "aria-label": `page ${name}`,
    change: () => put({ ...page, [kind]: isNumber ? Number(input.value) : input.value }) });
  return h("p", { class: "page" }, h("code", {}, name), " ", select, " ", input, " ",
    h("button", { type: "button", "aria-label": `delete page ${name}`, title: "delete", click: remove }, "✕"));
}
