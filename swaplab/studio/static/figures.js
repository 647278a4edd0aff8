/** What the server counts of a run, in words. */

import { h } from "./dom.js";

/** @param {import("./log.js").View} view */
export function figuresOf(view) {
  const { submits, rounds, engines_busy: busy, turns } = view.figures;
  return h("p", { class: "figures" }, figure(submits, "submit"), figure(rounds, "round", " of polling"),
    turns > 0 && figure(busy.toFixed(1), "engine", " at work at a time, while any is"),
    turns > 0 && figure(turns, "turn", " of an engine from beginning to end, if all jobs take equally long"));
}

function figure(number, noun, rest = "") {
  return h("span", {}, h("b", {}, number), ` ${noun}${Number(number) === 1 ? "" : "s"}${rest}`);
}
