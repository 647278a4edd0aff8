/**
 * The log of a run: what the page is an index into. Its steps are the events, and after those of a call its return.
 *
 * @typedef {{ at_ns: number, call: number|null, kind: string, object: string|null, fields: Record<string, any> }} Event
 * @typedef {{ happened: string, whose: string, remedy: string }} Explanation
 * @typedef {{ index: number, status: string, value: any, error: any, explain: Explanation|null,
 *   events: [number, number], changed: Record<string, any> }} CallRun
 * @typedef {{ err: number|null, dlen: number, path: string, explain: Explanation|null }} Output
 * @typedef {{ calls: CallRun[], events: Event[], outputs: Record<string, Output>,
 *   tasks: Record<string, any>, left_over: { kind: string, object: string|null, text: string }[], cut: string|null }} Run
 * @typedef {{ title: string, script: any, calls: { spelled: string, notes: { text: string, kind: string }[] }[],
 *   said: string[], figures: { submits: number, rounds: number, overlap: number, failed: number, engines_busy: number, turns: number },
 *   code_names: Record<string, string>, run: Run }} View
 * @typedef {{ kind: string, call: number|null, event: Event|null, said: string }} Step
 */

/** All steps of a view, in order. @param {View} view @returns {Step[]} */
export function stepsOf(view) {
  const { run } = view;
  const steps = [];
  let next = 0;
  const tell = (end) => {
    for (; next < end; next += 1) {
      const event = run.events[next];
      steps.push({ kind: event.kind, call: event.call, event, said: view.said[next] });
    }
  };
  for (const call of run.calls) {
    tell(call.events[1]);
    if (call.status !== "skipped") {
      steps.push({ kind: "return", call: call.index, event: null, said: returned(view, call) });
    }
  }
  tell(run.events.length);
  steps.push({ kind: "end", call: null, event: null, said: ended(view) });
  return steps;
}

/** The name of the request, or of the unit of one, that an event is about; null if it is about neither. */
export function rowOf(event) {
  if (event === null || event.object === null) return null;
  return event.fields.unit === undefined || event.fields.unit === null
    ? event.object : `${event.object}/${event.fields.unit}`;
}

/** The heads of all chains, in the order in which they were begun. @param {Run} run @returns {string[]} */
export function headsOf(run) {
  return [...new Set(run.events.filter(({ kind }) => kind === "chain.init").map(({ object }) => object))];
}

const EINPROGRESS = -115;

/** Whether a request, as a call has left it, carries an error: one that is chained and waits does not. */
export function hasFailed(seen) {
  return seen.err < 0 && seen.err !== EINPROGRESS;
}

/** A code as the kernel writes it. @param {View} view @param {number} code */
export function codeName(view, code) {
  return code < 0 ? view.code_names[code] ?? String(code) : String(code);
}

function returned(view, call) {
  const notes = view.calls[call.index].notes.filter((note) => note.kind !== "explained").map((note) => note.text);
  return [view.calls[call.index].spelled, ...notes].join("; ");
}

function ended({ run, figures: { failed } }) {
  if (run.cut !== null) return `the run was cut: too many ${run.cut}`;
  const left = run.left_over.map((one) => `${one.kind} ${one.object ?? ""}: ${one.text}`);
  const words = failed ? `, and ${failed} of its requests failed` : "";
  return [`the script has ended${words}`, ...left].join("; ");
}
