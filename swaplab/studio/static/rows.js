/**
 * The rows: one for each request or unit, with what breaks it before, its strip of events, and what follows after.
 */

import { h } from "./dom.js";
import { STAGES, aligned, columnsOf } from "./columns.js";
import { colourOf } from "./chip.js";
import { codeName, endOf, headsOf, rowOf } from "./log.js";
import { Strip } from "./strip.js";
import { consequence } from "./consequence.js";

/**
 * `places` and `width` where the columns are aligned with those of others; `words`: whether consequences are told.
 * @typedef {import("./log.js").View} View
 * @typedef {{ places?: number[], width?: number, toggles?: (row: string) => Node|null, words?: boolean }} Options
 */

export class Rows {
  /**
   * @param {View} view
   * @param {import("./log.js").Step[]} steps
   * @param {Options} [options]
   */
  constructor(view, steps, options = {}) {
    this.view = view;
    this.columns = columnsOf(view, steps);
    const { places: [places], width } = options.places
      ? { places: [options.places], width: options.width } : aligned([this.columns]);
    this.places = places;
    this.names = namesOf(view, this.columns);
    this.strips = [];
    this.ends = new Map();
    this.told = new Map();
    this.notes = [];
    const rows = this.names.map((name) => this.row(name, steps, width, options));
    this.element = h("div", { class: "rows", role: "region", tabindex: 0, "aria-label": "Rows: an event to a column" },
      h("ol", {}, ...rows));
    if (this.names.length === 0) this.element.append(h("p", { class: "dim" }, "Nothing was submitted to the device."));
  }

  /** @param {string} name @param {import("./log.js").Step[]} steps @param {number} width @param {Options} options */
  row(name, steps, width, { toggles, words = true }) {
    const marks = [];
    this.columns.forEach(({ row, kind, step }, index) => {
      if (row !== name) return;
      const failed = kind === "complete" && steps[step].event.fields.err !== 0;
      marks.push({ place: this.places[index], step, kind, failed });
    });
    const strip = new Strip(inWords(name, marks), marks, width, colourOf(this.chainOf(name, steps), headsOf(this.view.run)));
    this.strips.push(strip);
    const end = this.end(name, steps, words);
    const retry = words ? this.retries(name, steps) : null;
    return h("li", { "data-request": name },
      h("div", { class: "line" },
        h("span", { class: "name" }, name), toggles?.(name) ?? null, strip.element, end.short), retry, end.words);
  }

  /** The head of the chain that a request was in. */
  chainOf(name, steps) {
    const last = steps.findLast(({ kind, event }) => kind.startsWith("chain.") && event.object === name);
    return last === undefined ? null : last.event.fields.head ?? name;
  }

  /** How it ended: shown when that has happened. */
  end(name, steps, words) {
    const { step, err } = endOf(this.view, steps, name) ?? { step: steps.length - 1, err: null };
    const output = this.view.run.outputs[name];
    const short = h("span", { class: err ? "end failed" : "end" }, ending(this.view, err, output));
    const long = words && err ? this.consequence(name, err, output?.explain ?? null) : null;
    this.ends.set(name, { step, short, long });
    return { short, words: long };
  }

  /** Who found no descriptor has waited: in the words of the last time. */
  retries(name, steps) {
    const step = steps.findLastIndex(({ kind, event }) => kind === "iaa.retry" && rowOf(event) === name);
    if (step < 0) return null;
    const note = h("div", { class: "consequence waited", "data-request": name, "data-kind": "iaa.retry" }, steps[step].said);
    this.notes.push({ step, note });
    return note;
  }

  /** In full where it is told first; where it is the same again, by that name. */
  consequence(name, err, explain) {
    const key = JSON.stringify([err, explain]);
    const former = this.told.get(key);
    if (former !== undefined) return consequence(this.view, err, null, name, `as ${former}`);
    this.told.set(key, name);
    return consequence(this.view, err, explain, name);
  }

  /** All columns before a place have happened. @param {number} place */
  showPlace(place) {
    for (const strip of this.strips) strip.show(place);
  }

  /** Everything up to the step number `count` has happened. @param {number} count */
  show(count) {
    const index = this.columns.findIndex(({ step }) => step >= count);
    const last = this.places.length ? Math.max(...this.places) + 1 : 0;
    this.showPlace(index < 0 ? last : this.places[index]);
    for (const { step, note } of this.notes) note.hidden = count <= step;
    for (const { step, short, long } of this.ends.values()) {
      short.hidden = count <= step;
      if (long) long.hidden = count <= step;
    }
  }
}

/** The rows: what something happened to, and requests that have a result all the same. Units stand for their request. */
function namesOf(view, columns) {
  const rows = columns.map(({ row }) => row);
  const cutUp = new Set(rows.filter((row) => row.includes("/")).map((row) => row.split("/")[0]));
  return [...new Set([...rows, ...Object.keys(view.run.outputs).filter((name) => !cutUp.has(name))])];
}

function ending(view, err, output) {
  if (err) return codeName(view, err);
  if (err === null && output?.err === undefined) return "";
  if (output?.err) return codeName(view, output.err);
  return output ? `${output.dlen} bytes` : "";
}

function inWords(name, marks) {
  const words = marks.filter(({ kind }) => kind !== "poll.empty").map(({ kind, failed }) =>
    failed ? "failed" : STAGES[kind][1]);
  const polls = marks.length - words.length;
  return `${name}: ${words.join(", ")}${polls ? `; ${polls} empty poll${polls === 1 ? "" : "s"}` : ""}`;
}

/** What the letters mean. @returns {HTMLElement} */
export function legend() {
  return h("p", { class: "legend dim" },
    ...Object.entries(STAGES).map(([kind, [letter, words]]) => h("span", {},
      h("b", { class: kind.replace(".", "-") }, kind === "complete" ? "✓" : kind === "poll.empty" ? "|" : letter), ` ${words}`)),
    h("span", {}, h("b", { class: "failed" }, "✗"), " failed"));
}
