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
  "poll.empty": ["o", "polled: not finished"],
  "iaa.fallback": ["F", "left to software"],
  complete: ["P", "polled: finished"],
};

/** @typedef {{ step: number, row: string, kind: string, call: string }} Column */

/** The columns of one view. @param {import("./log.js").View} view @param {import("./log.js").Step[]} steps */
export function columnsOf(view, steps) {
  const seen = new Map();
  const names = view.script.calls.map(({ call }) => {
    seen.set(call, (seen.get(call) ?? 0) + 1);
    return `${call} ${seen.get(call)}`;
  });
  return steps.flatMap((step, index) => {
    const row = rowOf(step.event);
    if (!(step.kind in STAGES) || row === null) return [];
    return [{ step: index, row, kind: step.kind, call: step.call === null ? "end" : names[step.call] }];
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
