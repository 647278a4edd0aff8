/** The page `/script`: a script of one's own, what came of each call, and the states of requests and chains. */

import "./chain_view.js";
import "./editor.js";
import { h } from "./dom.js";
import { downloads } from "./downloads.js";
import { exercisesOf } from "./exercises.js";
import { machineOf, pagesOf } from "./given.js";
import { forgetLink, linkButton, opened } from "./linking.js";
import { get, namedView } from "./server.js";
import { States, statesNow } from "./states.js";

const MOST_UNDONE = 50;
const FIRST = "01_chain";
const SHELVES = { story: "stories", example: "examples of docs/scripts.md" };

const editor = /** @type {import("./editor.js").ScriptEditor} */ (document.querySelector("script-editor"));
const view = /** @type {import("./chain_view.js").ChainView} */ (document.querySelector("chain-view"));
const [machine, pages] = ["machine", "pages"].map((name) => document.querySelector(`#${name}`));
const undone = [];
let script = null;
let vocabulary = null;

const undo = h("button", { type: "button", disabled: true, click: back }, "↶ undo");
const examples = h("select", { "aria-label": "examples", change: () => begin(namedView(examples.value)) });

/** Run a script that has been edited. */
async function run(next) {
  keep(script);
  script = next;
  await view.run(next, Infinity);
}

/** Show a script that is asked for. */
async function begin(asked) {
  const former = script;
  editor.open = null;
  await view.begin(asked, FIRST, Infinity);
  if (script !== former) keep(former);
}

/** A script that was shown can be gone back to. */
function keep(former) {
  if (former !== null) undone.push(former);
  if (undone.length > MOST_UNDONE) undone.shift();
  undo.disabled = undone.length === 0;
}

async function back() {
  script = undone.pop();
  undo.disabled = undone.length === 0;
  await view.run(script, Infinity);
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
    forgetLink();
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
  for (const [shelf, some] of Object.entries(Object.groupBy(views, ({ shelf }) => shelf))) {
    examples.append(h("optgroup", { label: SHELVES[shelf] }, ...some.map(({ name, title }) => h("option", { value: name }, title))));
  }
  document.querySelector(".controls").append(h("label", {}, "Begin with ", examples), undo,
    linkButton(() => script), downloads(() => view.history));
  examples.value = FIRST;
  await opened(begin, FIRST);
}

open().catch((error) => {
  document.querySelector("main").prepend(h("p", { class: "problem", role: "alert" }, error.message));
});
