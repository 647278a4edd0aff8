/**
 * The rows: one for each request or unit, with how it ended, what breaks it, its strip of events, and what follows.
 */

import { h } from "./dom.js";
import { STAGES, aligned, columnsOf } from "./columns.js";
import { colourOf } from "./chip.js";
import { codeName, headsOf, rowOf } from "./log.js";
import { Strip } from "./strip.js";
import { consequence } from "./consequence.js";

/**
 * `places` and `width` where the columns are aligned with those of others; `words`: whether consequences are told.
 * @typedef {{ places?: number[], width?: number, toggles?: (row: string) => Node|null, words?: boolean }} Options
 */

export class Rows {
  /**
   * @param {import("./fold.js").History} history
   * @param {Options} [options]
   */
  constructor(history, options = {}) {
    this.history = history;
    this.view = history.view;
    this.columns = columnsOf(history);
    const { places: [places], width } = options.places
      ? { places: [options.places], width: options.width } : aligned([this.columns]);
    this.places = places;
    this.names = namesOf(this.view, this.columns);
    this.strips = [];
    this.told = new Map();
    /** Elements that are shown once so many steps have happened. @type {{ step: number, shown: HTMLElement }[]} */
    this.later = [];
    const ends = endsOf(history);
    const rows = this.names.map((name) => this.row(name, ends.get(name), width, options));
    this.element = h("div", { class: "rows", role: "region", tabindex: 0, "aria-label": "Rows: an event to a column" },
      h("ol", {}, ...rows));
    if (this.names.length === 0) this.element.append(h("p", { class: "dim" }, "Nothing was submitted to the device."));
  }

  /** @param {string} name @param {{ step: number, err: number }|undefined} end @param {number} width @param {Options} options */
  row(name, end, width, { toggles, words = true }) {
    const marks = this.columns.flatMap(({ row, kind }, index) => (row === name ? [{ place: this.places[index], kind }] : []));
    const strip = new Strip(inWords(name, marks), marks, width, colourOf(this.chainOf(name), headsOf(this.view.run)));
    this.strips.push(strip);
    const result = h("span", { class: end?.err ? "end failed" : "end" }, this.result(name, end));
    this.when(end?.step ?? Infinity, result);
    const told = words && end?.err ? this.consequence(name, end) : null;
    const [again, full] = told?.classList.contains("again") ? [told, null] : [null, told];
    return h("li", { "data-request": name },
      h("div", { class: "line" }, h("span", { class: "name" }, name), result, toggles?.(name), strip.element, again),
      words ? this.retries(name) : null, full);
  }

  result(name, end) {
    if (end?.err) return codeName(this.view, end.err);
    const output = this.view.run.outputs[name];
    return output ? `${output.dlen} bytes` : "ok";
  }

  when(step, shown) {
    this.later.push({ step, shown });
    return shown;
  }

  /** The head of the chain that a request was in. */
  chainOf(name) {
    const last = this.view.run.events.findLast(({ kind, object }) => kind.startsWith("chain.") && object === name);
    return last === undefined ? null : last.fields.head ?? name;
  }

  /** Who found no descriptor has waited: in the words of the last time. */
  retries(name) {
    const { steps } = this.history;
    const step = steps.findLastIndex(({ kind, event }) => kind === "iaa.retry" && rowOf(event) === name);
    if (step < 0) return null;
    return this.when(step, h("div", { class: "consequence waited", "data-request": name, "data-kind": "iaa.retry" }, steps[step].said));
  }

  /** In full where it is told first; where it is the same again, by that name. */
  consequence(name, { step, err }) {
    const explain = this.view.run.outputs[name]?.explain ?? null;
    const key = JSON.stringify([err, explain]);
    const former = this.told.get(key);
    if (former === undefined) this.told.set(key, name);
    if (former === undefined || explain === null) return this.when(step, consequence(this.view, err, explain, name));
    const again = consequence(this.view, err, null, name, `as ${former}`);
    again.classList.add("again");
    return this.when(step, again);
  }

  /** All columns before a place have happened. @param {number} place */
  showPlace(place) {
    this.place = place;
    for (const strip of this.strips) strip.show(place);
  }

  /** Scroll, where there is no room for all columns, to the last that has happened. */
  follow() {
    this.strips[0]?.follow(this.place, this.element);
  }

  /** Everything up to the step number `count` has happened. @param {number} count */
  show(count) {
    const index = this.columns.findIndex(({ step }) => step >= count);
    const last = this.places.length ? Math.max(...this.places) + 1 : 0;
    this.showPlace(index < 0 ? last : this.places[index]);
    for (const { step, shown } of this.later) shown.hidden = count <= step;
  }
}

/** The step at which each request or unit has ended, the last time that it was submitted, and with which error. */
function endsOf(history) {
  const ends = new Map();
  history.steps.forEach((_, step) => {
    const [before, now] = [history.at(step).chips, history.at(step + 1).chips];
    for (const { name, err } of Object.values(now)) {
      if (err === null) ends.delete(name);
      else if (err !== (before[name]?.err ?? null)) ends.set(name, { step, err });
    }
  });
  return ends;
}

/** The rows: what something happened to, and requests that have a result all the same. Units stand for their request. */
function namesOf(view, columns) {
  const rows = columns.map(({ row }) => row);
  const cutUp = new Set(rows.filter((row) => row.includes("/")).map((row) => row.split("/")[0]));
  return [...new Set([...rows, ...Object.keys(view.run.outputs).filter((name) => !cutUp.has(name))])];
}

function inWords(name, marks) {
  const words = marks.filter(({ kind }) => kind !== "poll.empty").map(({ kind }) => STAGES[kind][1]);
  const polls = marks.length - words.length;
  return `${name}: ${words.join(", ")}${polls ? `; ${polls} empty poll${polls === 1 ? "" : "s"}` : ""}`;
}

/** What the letters mean, of those that are there. @param {Rows} rows @returns {HTMLElement} */
export function legend(rows) {
  const there = new Set(rows.columns.map(({ kind }) => kind));
  return h("p", { class: "legend dim" }, "Columns are events, in order, and no time. ",
    ...Object.entries(STAGES).filter(([kind]) => there.has(kind)).map(([kind, [letter, words]]) =>
      h("span", {}, h("b", { class: kind.replace(".", "-") }, letter), ` ${words}`)));
}
