/** The toggles, where the things are that they break: at a request's row, a device, its queues, and where one waits. */

import { h } from "./dom.js";
import { FAULTS, pageOf } from "./faults.js";

export class Toggles {
  /**
   * @param {import("./log.js").View} view
   * @param {(fault: string, which: any, on: boolean) => void} change
   */
  constructor(view, change) {
    this.script = view.script;
    this.change = change;
    this.order = requestsOf(view);
    this.caption = h("p", { class: "caption dim" },
      "Break it: its page does not compress, its submission fails, its completion is lost.");
    this.row = (name) => this.ofRow(name);
    this.places = {
      device: (name) => this.toggle("device", name, "take away", `take ${name} away`),
      queue: (name) => this.toggle("queue", null, "2 descriptors only", `queues of ${name} with 2 descriptors only`),
    };
  }

  toggle(fault, which, words, label, request = null) {
    const on = FAULTS[fault].is(this.script, which);
    return h("button", {
      type: "button", class: "toggle", "aria-pressed": on, "aria-label": label, title: label, "data-fault": fault,
      "data-request": request, click: () => this.change(fault, which, !on),
    }, words);
  }

  ofRow(name) {
    const number = name.includes("/") ? Number(name.split("/")[1]) : this.order.indexOf(name);
    if (number < 0) return null;
    const page = pageOf(this.script, name);
    return h("span", { class: "toggles", role: "group", "aria-label": `break ${name}` },
      page === null ? null : this.toggle("page", page, "page", `the page of ${name} does not compress`, name),
      this.toggle("submit", number, "submission", `the submission of ${name} fails`, name),
      this.toggle("lost", number, "completion", `the completion of ${name} is lost`, name));
  }

  /** @param {() => number} landings jobs that have landed up to the shown step */
  cancel(landings) {
    const on = FAULTS.cancel.is(this.script);
    const words = on ? "cancelled here" : "cancel here";
    return h("button", {
      type: "button", class: "toggle", "aria-pressed": on, "data-fault": "cancel",
      "aria-label": on ? "do not cancel who waits" : "cancel who waits, at this step", title: "cancel the task that waits, at this step",
      click: () => this.change("cancel", landings(), !on),
    }, words);
  }
}

/** Requests in the order in which they are submitted: that of their chain, or that in which they were allocated. */
function requestsOf(view) {
  const chained = view.run.events.filter(({ kind }) => kind === "chain.init" || kind === "chain.add");
  const allocated = view.script.calls.filter(({ call }) => call === "acomp_request_alloc").map(({ as }) => as);
  return [...new Set([...chained.map(({ object }) => object), ...allocated])];
}
