/**
 * From the log to the state at any of its steps: a pure fold. Back is the fold to one step less.
 *
 * A chip is a request, or a unit of one. Its place is where its work is: "cpu" (its owner's), "asking" (submitted, not
 * in a queue), "queue", "engine", "record" (landed, not looked at), "taken" (back: it never landed), "software", "done", "freed".
 *
 * @typedef {import("./log.js").Step} Step
 * @typedef {import("./log.js").View} View
 * @typedef {{ name: string, place: string, chain: string|null, device: string|null, wq: string|null, slot: number|null,
 *   polls: number, retries: number, err: number|null, alone: boolean }} Chip
 * @typedef {{ at: number, call: number|null, returned: number, chips: Record<string, Chip>,
 *   objects: Record<string, any>, disabled: boolean, fault: string|null, over: boolean }} State
 */

import { hasFailed, rowOf } from "./log.js";

/** Before anything has happened. @type {State} */
export const BEGINNING = Object.freeze({
  at: 0, call: null, returned: -1, chips: {}, objects: {}, disabled: false, fault: null, over: false,
});

const IN_DEVICE = new Set(["queue", "engine"]);

/** The state after `count` steps. @param {View} view @param {Step[]} steps @param {number} count @returns {State} */
export function fold(view, steps, count) {
  let state = BEGINNING;
  for (const step of steps.slice(0, count)) state = after(view, state, step);
  return state;
}

/** The state after one step more. @param {View} view @param {State} state @param {Step} step @returns {State} */
export function after(view, state, step) {
  const next = { ...state, at: state.at + 1, call: step.call, fault: null };
  if (step.kind === "return") return returned(view, next, view.run.calls[step.call]);
  if (step.kind === "end") return { ...next, over: true };
  if (step.kind === "iaa.disabled") return { ...next, disabled: true };
  if (step.kind === "fault") return { ...next, fault: step.event.fields.point };
  const name = rowOf(step.event);
  const change = CHANGES[step.kind];
  return name === null || change === undefined ? next : changed(next, name, (chip) => change(chip, step.event));
}

/** What an event changes of the chip that it is about. */
const CHANGES = {
  "chain.init": (chip) => ({ chain: chip.name, err: null, place: whereSetUp(chip) }),
  "chain.add": (chip, event) => ({ chain: event.fields.head, err: null, place: whereSetUp(chip) }),
  submit: () => ({ place: "asking", polls: 0, retries: 0, err: null, alone: false }),
  "iaa.retry": (chip) => ({ place: "asking", retries: chip.retries + 1 }),
  "iaa.queued": (chip, event) => ({
    place: "queue", device: event.fields.device, wq: event.fields.wq, slot: event.fields.slot,
    ...(chip.place !== "asking" && { polls: 0, retries: 0, err: null, alone: true }),
  }),
  "iaa.start": () => ({ place: "engine" }),
  // One that is taken back from the device, because it never landed, has no completion record.
  "iaa.landed": (chip, event) => ({
    place: chip.err !== null ? "done" : event.fields.status === null ? "taken" : "record",
  }),
  "iaa.fallback": () => ({ place: "software" }),
  "poll.empty": (chip) => ({ polls: chip.polls + 1 }),
  // Hardware cannot be cancelled: who was told of an end while the job is in the device sees it go on.
  complete: (chip, event) => ({ err: event.fields.err, place: whereTold(chip) }),
};

/** Where a chip is when its owner is told of its end. */
function whereTold({ place }) {
  return IN_DEVICE.has(place) ? place : "done";
}

/** Where a chip is when its owner sets it up again. */
function whereSetUp(chip) {
  return chip.place === "done" ? "cpu" : chip.place;
}

function changed(state, name, change) {
  const chip = state.chips[name] ?? {
    name, place: "cpu", chain: null, device: null, wq: null, slot: null, polls: 0, retries: 0, err: null,
    alone: false,
  };
  return { ...state, chips: { ...state.chips, [name]: { ...chip, ...change(chip) } } };
}

/** A call has returned: what it changed is as the run says. */
function returned(view, state, call) {
  let next = { ...state, returned: call.index, objects: { ...state.objects, ...call.changed } };
  for (const [name, seen] of Object.entries(call.changed)) {
    if (seen.kind === "request") next = changed(next, name, (chip) => asSeen(chip, seen));
    if (seen.kind === "chain" && seen.state === "single") {
      next = changed(next, name.slice(0, -".chain".length), () => ({ chain: null }));
    }
    if (seen.kind === "device") next = { ...next, disabled: !seen.enabled };
  }
  for (const chip of Object.values(next.chips)) {
    if (endsAlone(chip, next.objects[chip.name])) {
      next = changed(next, chip.name, () => ({ place: "done", err: view.run.outputs[chip.name]?.err ?? 0 }));
    }
  }
  return next;
}

/** A request that stands alone has no runner to tell of its end: it is over when it has landed and is idle again. */
function endsAlone(chip, seen) {
  return chip.alone && chip.err === null && seen?.state === "idle" && ["record", "software"].includes(chip.place);
}

/** A request as a call has left it. */
function asSeen(chip, seen) {
  if (seen.state === "freed") return { chain: null, place: "freed" };
  const chain = seen.chained_to ?? (chip.chain === chip.name ? chip.name : null);
  return hasFailed(seen) ? { chain, err: seen.err, place: whereTold(chip) } : { chain };
}

/** All states of a view, each made once, when it is first asked for. */
export class History {
  /** @param {View} view @param {Step[]} steps */
  constructor(view, steps) {
    this.view = view;
    this.steps = steps;
    this.states = [BEGINNING];
  }

  /** @param {number} count @returns {State} */
  at(count) {
    while (this.states.length <= count) {
      const last = this.states.length - 1;
      this.states.push(after(this.view, this.states[last], this.steps[last]));
    }
    return this.states[count];
  }
}
