/** The page `/chain`: one chain, its machine to choose, its link, and the same pages in three ways. */

import "./chain_view.js";
import "./three_ways.js";
import { h } from "./dom.js";
import { downloads } from "./downloads.js";
import { forgetLink, linkButton, opened } from "./linking.js";
import { namedView } from "./server.js";

const view = /** @type {import("./chain_view.js").ChainView} */ (document.querySelector("chain-view"));
const controls = /** @type {HTMLElement} */ (document.querySelector(".controls"));
controls.inert = true; // until there is something that they act on

const STORIES = {
  "one-page": "one page", "two-pages": "two pages, one by one", chain: "chain of 8 (v8)",
  "four-devices": "chain of 8 on 4 devices", "chain-array": "arrays (v9)", "chain-unit": "units (v14)",
};

function choice(label, values, chosen) {
  const select = h("select", { change: () => chosen(select.value) },
    ...Object.entries(values).map(([value, words]) => h("option", { value }, words)));
  controls.append(h("label", {}, `${label} `, select));
  return select;
}

function machine(key) {
  return (value) => {
    const number = Number(value);
    runOn({ [key]: Number.isNaN(number) ? value : number });
  };
}

/** Several devices are of use to one cpu where each has a global queue beside its own. */
function spread(count) {
  const queues = count > 1 ? { wqs_per_device: 2, g_wqs_per_iaa: 1, wq_size: 16 } : { wqs_per_device: 1, g_wqs_per_iaa: 0 };
  runOn({ devices: count, ...queues });
}

/** The same script on another machine. */
function runOn(changes) {
  view.edit((script) => ({ ...script, machine: { ...script.machine, ...changes } }));
}

const numbers = (...all) => Object.fromEntries(all.map((number) => [number, String(number)]));
const story = choice("What", STORIES, (name) => view.load(namedView(name)));
const mode = choice("sync_mode", { async: "async: submit all, then poll", sync: "sync: one after the other",
  async_irq: "async_irq: by interrupt, one after the other" }, machine("sync_mode"));
const devices = choice("devices", numbers(1, 2, 4), (value) => spread(Number(value)));
const engines = choice("engines each", numbers(1, 2, 8), machine("engines_per_device"));

controls.append(linkButton(() => view.view.script), downloads(() => view.history));

view.addEventListener("viewed", (/** @type {CustomEvent} */ { detail }) => {
  const of = detail.script.machine ?? {};
  mode.value = of.sync_mode ?? "async";
  devices.value = String(of.devices ?? 1);
  engines.value = String(of.engines_per_device ?? 2);
  controls.inert = false;
  forgetLink();
});

addEventListener("keydown", (event) => {
  if (event.target === document.body) view.transport?.key(event);
});

story.value = "chain";
opened((asked) => view.begin(asked, "chain"), "chain");
