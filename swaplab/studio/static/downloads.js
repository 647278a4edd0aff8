/** What can be taken along: the script, its answer, and the run as trace events (for Perfetto). */

import { h } from "./dom.js";
import { columnsOf } from "./columns.js";

/** @param {() => import("./fold.js").History} history that of what is shown now */
export function downloads(history) {
  const button = (name, words, made) => h("button", { type: "button", class: "quiet", click: () => save(name, made()) }, words);
  return h("span", { class: "downloads" }, "download ",
    button("script.json", "script", () => history().view.script),
    button("answer.json", "answer", () => history().view.run),
    button("trace-events.json", "trace events", () => traceEvents(history())));
}

function save(name, content) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const SLICES = { submit: "submitted", "iaa.queued": "queued", "iaa.start": "engine", "iaa.landed": "landed" };

/**
 * The run as JSON of the Trace Event Format: a thread for each request, a slice for each stage. A microsecond is an
 * event: order, and no time.
 * @param {import("./fold.js").History} history
 */
export function traceEvents(history) {
  const columns = columnsOf(history);
  const names = [...new Set(columns.map(({ row }) => row))];
  /** @type {Record<string, unknown>[]} */
  const traceEvents = names.map((name, tid) => ({ ph: "M", name: "thread_name", pid: 1, tid, args: { name } }));
  names.forEach((name, tid) => {
    const own = columns.map((column, ts) => ({ ...column, ts })).filter(({ row }) => row === name);
    const stages = own.filter(({ kind }) => kind !== "poll.empty");
    stages.forEach(({ kind, ts, step }, index) => {
      const { said, event } = history.steps[step];
      const args = { said, at_ns: event?.at_ns };
      if (kind in SLICES) {
        const end = stages[index + 1]?.ts ?? columns.length;
        traceEvents.push({ ph: "X", name: SLICES[kind], pid: 1, tid, ts, dur: end - ts, args });
      } else traceEvents.push({ ph: "i", s: "t", name: kind, pid: 1, tid, ts, args });
    });
    for (const { ts } of own.filter(({ kind }) => kind === "poll.empty")) {
      traceEvents.push({ ph: "i", s: "t", name: "poll.empty", pid: 1, tid, ts });
    }
  });
  return { displayTimeUnit: "ns", otherData: { schema: "swaplab.trace-events/1", x: "ordinals of events" }, traceEvents };
}
