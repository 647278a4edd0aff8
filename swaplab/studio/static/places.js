/**
 * The places: your cpu, the devices with their queues and engines, the completion records, and what is finished. A
 * request is one chip that changes place.
 */

import { h, mayMove } from "./dom.js";
import { codeName, headsOf } from "./log.js";
import { chipOf } from "./chip.js";

/** @typedef {import("./fold.js").State} State */

const MOVE_MS = 260;
/** How many engines of a device compress, as the emulated hardware has it. */
const COMPRESS = 2;

export class Places {
  /**
   * @param {import("./log.js").View} view
   * @param {{ device?: (device: string) => Node|null, queue?: (device: string) => Node|null }} [toggles]
   */
  constructor(view, toggles = {}) {
    this.view = view;
    this.chips = new Map();
    this.heads = headsOf(view.run);
    this.fault = h("p", { class: "fault", hidden: true });
    this.boxes = new Map();
    this.stores = view.script.calls.filter(({ call, as }) => call === "Zswap" && as).map(({ as }) => store(as));
    const machine = view.script.machine ?? {};
    this.devices = devicesOf(machine).map((device) => this.device(device, machine, toggles));
    this.element = h("div", { class: "places" },
      this.box("cpu", "cpu 0: your requests", "what is not submitted, or not in a queue"),
      h("div", { class: "devices" }, ...this.devices.map(({ element }) => element)),
      this.box("record", "completion records", "landed, and not polled"),
      this.box("done", "finished", "yours again, with a result"),
      ...this.stores.map(({ element }) => element),
      this.fault);
  }

  box(place, title, what, toggle = null) {
    const list = h("ul", { "aria-label": `${title}: ${what}` });
    this.boxes.set(place, list);
    return h("section", { class: "box", "data-place": place }, h("h3", {}, title), toggle, list);
  }

  device({ name, queues }, machine, toggles) {
    const state = h("p", { class: "gone", hidden: true });
    const engines = machine.engines_per_device ?? 2;
    const inside = queues.map((wq) => this.box(`queue ${wq}`, `queue ${wq}`, `${machine.wq_size ?? 16} descriptors`,
      h("small", { class: "dim" }, `${machine.wq_size ?? 16} descriptors`)));
    const element = h("section", { class: "device", "data-device": name, "aria-label": `device ${name}` },
      h("div", { class: "head" }, h("h3", {}, name), toggles.device?.(name), toggles.queue?.(name)), state, ...inside,
      this.box(`engine ${name}`, enginesInWords(engines), `engines of ${name}`));
    return { name, element, state };
  }

  /** Draw a state. `moving`: chips may be seen on their way. @param {State} state @param {boolean} moving */
  show(state, moving) {
    const before = moving && mayMove() ? this.where() : null;
    const ends = new Map();
    const chips = Object.fromEntries(Object.entries(state.chips).filter(([name]) => !(`${name}/0` in state.chips)));
    for (const chip of Object.values(chips)) this.put(chip, ends);
    for (const [name, chip] of this.chips) if (!(name in chips)) { chip.element.remove(); this.chips.delete(name); }
    for (const { name, element, state: words } of this.devices) {
      const seen = state.objects[`machine.${name}`];
      const gone = seen !== undefined && Object.keys(seen.queues).length === 0;
      words.hidden = !(gone || state.disabled);
      words.textContent = gone ? "✗ taken away: no queue is bound" : "✗ the driver is disabled: it uses no device any more";
      element.classList.toggle("off", gone || state.disabled);
    }
    for (const { name, words } of this.stores) words.textContent = kept(state.objects[name]);
    this.fault.hidden = state.fault === null;
    this.fault.textContent = state.fault === null ? "" : `✗ fails now, as asked: ${state.fault}`;
    if (before) this.move(before);
  }

  /** In a place chips stand in the order in which they first appeared: a picture is of its state alone. `ends`: the last in each. */
  put(chip, ends) {
    let shown = this.chips.get(chip.name);
    if (shown === undefined) {
      shown = chipOf(chip.name, this.heads);
      this.chips.set(chip.name, shown);
    }
    const list = this.boxes.get(boxOf(chip)) ?? this.boxes.get("cpu");
    const next = ends.has(list) ? ends.get(list).nextSibling : list.firstChild;
    if (shown.element !== next) list.insertBefore(shown.element, next);
    ends.set(list, shown.element);
    shown.show(chip, chip.err === null ? "" : chip.err ? codeName(this.view, chip.err) : this.size(chip.name));
  }

  size(name) {
    const output = this.view.run.outputs[name];
    return output ? `${output.dlen} B` : "ok";
  }

  where() {
    return new Map([...this.chips].map(([name, { element }]) => [name, element.getBoundingClientRect()]));
  }

  move(before) {
    for (const [name, { element }] of this.chips) {
      const from = before.get(name);
      if (from === undefined) continue;
      const to = element.getBoundingClientRect();
      const [dx, dy] = [from.left - to.left, from.top - to.top];
      if (dx || dy) {
        element.animate([{ transform: `translate(${dx}px, ${dy}px)` }, { transform: "none" }],
          { duration: MOVE_MS, easing: "ease-in-out" });
      }
    }
  }
}

/** Any engine decompresses; two of a device compress. */
function enginesInWords(count) {
  if (count === 1) return "1 engine";
  return count <= COMPRESS ? `${count} engines` : `${count} engines, ${COMPRESS} compress`;
}

/** A compressed store, above all of this: what it keeps, in words. */
function store(name) {
  const words = h("p", {});
  return { name, words, element: h("section", { class: "box store", "data-store": name }, h("h3", {}, `zswap: ${name}`), words) };
}

function kept(seen) {
  if (seen === undefined) return "not open";
  const counters = Object.entries(seen.counters).map(([counter, count]) => `${counter} ${count}`);
  return [`${seen.pages} pages kept`, ...counters].join(", ");
}

function boxOf({ place, device, wq }) {
  switch (place) {
    case "queue": return `queue ${wq}`;
    case "engine": return `engine ${device}`;
    case "record": return "record";
    case "done": return "done";
    default: return "cpu";
  }
}

/** The devices of a script's machine, as the driver names them: iax1 with wq1.0, iax3 with wq3.0, ... */
function devicesOf(machine) {
  return Array.from({ length: machine.devices ?? 1 }, (_, number) => ({
    name: `iax${2 * number + 1}`,
    queues: Array.from({ length: machine.wqs_per_device ?? 1 }, (__, queue) => `wq${2 * number + 1}.${queue}`),
  }));
}
