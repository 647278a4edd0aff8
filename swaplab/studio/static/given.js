/** What a script is given: its machine, and its pages. */

import { h } from "./dom.js";

const MACHINE = {
  devices: [1, 2, 4, 8], wqs_per_device: [1, 2, 4], wq_size: [1, 2, 4, 8, 16, 32], engines_per_device: [1, 2, 4, 8],
  sync_mode: ["async", "sync", "async_irq"], verify_compress: [false, true], patches: ["v8", "base"],
  landing: ["auto", "stepped"], wq_mode: ["dedicated", "shared"],
};
const DEFAULTS = {
  devices: 1, wqs_per_device: 1, wq_size: 16, engines_per_device: 2, sync_mode: "async", verify_compress: false,
  patches: "v8", landing: "auto", wq_mode: "dedicated",
};
const KINDS = { text: "a text, repeated", random: "random: does not compress", fill: "one byte, repeated", base64: "base64" };

/** The machine, a menu for each of its keys. @param {any} script @param {(script: any) => void} changed */
export function machineOf(script, changed) {
  return h("div", { class: "controls" }, ...Object.entries(MACHINE).map(([key, values]) => {
    const now = script.machine?.[key] ?? DEFAULTS[key];
    const all = values.includes(now) ? values : [...values, now];
    const select = h("select", { change: () => changed({ ...script, machine: { ...script.machine, [key]: all[select.selectedIndex] } }) },
      ...all.map((value) => h("option", {}, String(value))));
    select.selectedIndex = all.indexOf(now);
    return h("label", {}, `${key} `, select);
  }));
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
