/** Exercises: a goal, a script to begin with, and a pattern that the answer of a script that does it has. */

import { h } from "./dom.js";

/**
 * Whether a value has all that a pattern asks for: the keys of an object, and a list item by item.
 *
 * Of a list an object may ask as well: for items by their index, and for some `in_order`, with anything between them.
 */
export function matches(wanted, value) {
  if (Array.isArray(value) && Array.isArray(wanted?.in_order)) {
    const { in_order: some, ...others } = wanted;
    return inOrder(some, value) && matches(others, value);
  }
  if (Array.isArray(wanted)) {
    return Array.isArray(value) && value.length === wanted.length && wanted.every((one, index) => matches(one, value[index]));
  }
  if (wanted !== null && typeof wanted === "object") {
    return value !== null && typeof value === "object" && Object.entries(wanted).every(([key, one]) => matches(one, value[key]));
  }
  return wanted === value;
}

function inOrder(wanted, values) {
  let next = 0;
  return wanted.every((one) => {
    next = values.findIndex((value, index) => index >= next && matches(one, value)) + 1;
    return next > 0;
  });
}

/**
 * @param {any[]} exercises
 * @param {(script: any) => void} begin
 * @returns {{ element: HTMLElement, look: (view: import("./log.js").View) => void }} `look` judges a run
 */
export function exercisesOf(exercises, begin) {
  let current = null;
  const goal = h("p", { class: "goal" });
  const hint = h("p", { class: "dim", hidden: true });
  const verdict = h("p", { class: "verdict", role: "status" });
  const help = h("span", { hidden: true },
    h("button", { type: "button", class: "quiet", click: () => { hint.hidden = false; } }, "a hint"),
    h("button", { type: "button", class: "quiet", click: () => begin(current.answer) }, "an answer"));
  const buttons = exercises.map((exercise, index) => h("button", { type: "button", "aria-pressed": false, "data-exercise": exercise.name,
    click: () => choose(exercise, index) }, `${index + 1}. ${exercise.title}`));
  function choose(exercise, index) {
    current = exercise;
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === index)));
    goal.textContent = exercise.goal;
    hint.textContent = exercise.hint;
    hint.hidden = true;
    help.hidden = false;
    verdict.textContent = "";
    begin(exercise.start);
  }
  const element = h("div", { class: "exercises" }, h("div", { class: "controls" }, ...buttons), goal, help, hint, verdict);
  return {
    element,
    look(view) {
      if (current === null) return;
      const done = matches(current.wants, view.run);
      verdict.textContent = done ? "✓ Done: the run below does it." : "Not yet.";
      verdict.classList.toggle("done", done);
    },
  };
}
