/** The page `/script`: a script of one's own, what came of each call, and the states of requests and chains. */

import "./chain_view.js";
import "./editor.js";
import { h } from "./dom.js";
import { downloads } from "./downloads.js";
import { exercisesOf } from "./exercises.js";
import { machineOf, pagesOf } from "./given.js";
import { linkButton, linked } from "./linking.js";
import { get, namedView } from "./server.js";
import { States, statesNow } from "./states.js";

const MOST_UNDONE = 50;

const editor = /** @type {import("./editor.js").ScriptEditor} */ (document.querySelector("script-editor"));
const view = /** @type {import("./chain_view.js").ChainView} */ (document.querySelector("chain-view"));
const [machine, pages] = ["machine", "pages"].map((name) => document.querySelector(`#${name}`));
const undone = [];
let script = null;
let vocabulary = null;

const undo = h("button", { type: "button", disabled: true, click: back }, "↶ undo");
const examples = h("select", { "aria-label": "examples", change: () => begin(namedView(examples.value)) });

/** Run a script that has been edited; `keeps` the one before, to go back to. */
async function run(next, keeps = true) {
  if (keeps && script !== null) undone.push(script);
  if (undone.length > MOST_UNDONE) undone.shift();
  undo.disabled = undone.length === 0;
  script = next;
  await view.run(next, Infinity);
}

function back() {
  run(undone.pop(), false);
}

async function begin(asked) {
  if (script !== null) undone.push(script);
  undo.disabled = undone.length === 0;
  editor.open = null;
  await view.load(asked, Infinity);
}

function shown(seen) {
  editor.show(script, seen);
  machine.replaceChildren(machineOf(vocabulary.machine, script, run));
  pages.replaceChildren(pagesOf(script, run));
}

async function open() {
  vocabulary = await get("/v1/vocabulary");
  editor.begin(vocabulary);
  const diagrams = { requests: new States("A request", vocabulary.states.request), chains: new States("A chain", vocabulary.states.chain) };
  document.querySelector("#states").append(...Object.values(diagrams).map(({ element }) => element));
  const exercises = exercisesOf(vocabulary.exercises, run);
  document.querySelector("#exercises").append(exercises.element);
  editor.addEventListener("changed", (/** @type {CustomEvent} */ { detail }) => run(detail));
  view.addEventListener("viewed", (/** @type {CustomEvent} */ { detail }) => {
    script = detail.script;
    shown(detail);
    exercises.look(detail);
  });
  view.addEventListener("refused", () => { if (script !== null) shown(null); });
  view.addEventListener("stepped", (/** @type {CustomEvent} */ { detail: state }) => {
    editor.light(state.call);
    const now = statesNow(state);
    for (const [kind, diagram] of Object.entries(diagrams)) diagram.show(now[kind]);
  });
  const { views } = await get("/v1/views");
  examples.append(...views.map(({ name, title }) => h("option", { value: name }, title)));
  document.querySelector(".controls").append(h("label", {}, "Begin with ", examples), undo,
    linkButton(() => script), downloads(() => view.view, () => view.steps));
  addEventListener("hashchange", () => begin(linked(location.hash)));
  examples.value = "01_chain";
  await view.begin(location.hash.length > 1 ? linked(location.hash) : namedView("01_chain"), "01_chain", Infinity);
}

open().catch((error) => {
  document.querySelector("main").prepend(h("p", { class: "problem", role: "alert" }, error.message));
});
