/**
 * Which steps are columns of the rows, and where: an event's place is its ordinal, not its time.
 *
 * Runs that are drawn one above the other are aligned by call: the columns of a call begin at the same place in all.
 */

import { rowOf } from "./log.js";

/** What is a column: the letter it is drawn as, and what it means. */
export const STAGES = {
  submit: ["S", "submitted"],
  "iaa.queued": ["Q", "has a descriptor, waits in a queue"],
  "iaa.retry": ["R", "no descriptor free, tried again"],
  "iaa.start": ["E", "an engine works"],
  "iaa.landed": ["L", "landed"],
  taken: ["T", "taken back: it never landed"],
  "poll.empty": ["|", "polled: not finished"],
  "iaa.fallback": ["F", "left to software"],
  complete: ["✓", "finished"],
  failed: ["✗", "failed"],
};

/** @typedef {{ step: number, row: string, kind: string, call: string }} Column */

/** The columns of one run. @param {import("./fold.js").History} history @returns {Column[]} */
export function columnsOf(history) {
  const names = callNames(history.view.script);
  return history.steps.flatMap((step, index) => {
    const call = step.call === null ? "end" : names[step.call];
    if (step.kind === "return") return toldByReturn(history, index).map((end) => ({ step: index, call, ...end }));
    const row = rowOf(step.event);
    const kind = kindOf(step);
    return kind in STAGES && row !== null ? [{ step: index, row, kind, call }] : [];
  });
}

function kindOf({ kind, event }) {
  if (kind === "complete" && event.fields.err) return "failed";
  return kind === "iaa.landed" && event.fields.status === null ? "taken" : kind;
}

/** Requests whose end no runner has told of: those that stand alone, were cancelled, or never submitted. */
function toldByReturn(history, index) {
  const [before, now] = [history.at(index).chips, history.at(index + 1).chips];
  return Object.values(now)
    .filter(({ name, err }) => err !== null && before[name]?.err === null)
    .map(({ name, err }) => ({ row: name, kind: err ? "failed" : "complete" }));
}

/** Each call by its name and how often there has been one of that name, so that calls of different scripts compare. */
function callNames(script) {
  const seen = new Map();
  return script.calls.map(({ call }) => {
    seen.set(call, (seen.get(call) ?? 0) + 1);
    return `${call} ${seen.get(call)}`;
  });
}

/**
 * Where the columns of several views go, so that calls begin side by side.
 * @param {Column[][]} all
 * @returns {{ places: number[][], width: number }} of each view, the place of each column
 */
export function aligned(all) {
  const widths = new Map();
  for (const columns of all) {
    const counts = new Map();
    for (const { call } of columns) counts.set(call, (counts.get(call) ?? 0) + 1);
    for (const [call, count] of counts) widths.set(call, Math.max(widths.get(call) ?? 0, count));
  }
  const begins = new Map();
  let width = 0;
  for (const [call, count] of widths) {
    begins.set(call, width);
    width += count;
  }
  const places = all.map((columns) => {
    const used = new Map();
    return columns.map(({ call }) => {
      const nth = used.get(call) ?? 0;
      used.set(call, nth + 1);
      return begins.get(call) + nth;
    });
  });
  return { places, width };
}
