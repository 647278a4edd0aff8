/** Play, step forth and back, scrub: where in the log the page is. */

import { h } from "./dom.js";

const STEP_MS = 420;

export class Transport {
  /**
   * @param {import("./log.js").Step[]} steps
   * @param {(at: number, moving: boolean) => void} moved called with the number of steps that have happened
   */
  constructor(steps, moved) {
    this.steps = steps;
    this.moved = moved;
    this.at = 0;
    this.timer = null;
    const button = (name, label, click) => h("button", { type: "button", class: name, "aria-label": label, title: label, click });
    this.play = button("play", "play (space)", () => this.toggle());
    this.play.textContent = "▶";
    const first = button("first", "to the beginning (home)", () => this.go(0));
    const back = button("back", "one step back (left)", () => this.go(this.at - 1, true));
    const forth = button("forth", "one step forth (right)", () => this.go(this.at + 1, true));
    const last = button("last", "to the end (end)", () => this.go(steps.length));
    first.textContent = "|◀"; back.textContent = "◀"; forth.textContent = "▶|"; last.textContent = "▶▶|";
    this.range = h("input", {
      type: "range", min: 0, max: steps.length, value: 0, "aria-label": "step", input: () => this.go(Number(this.range.value)),
    });
    this.count = h("span", { class: "count dim" });
    this.said = h("p", { class: "now", role: "status", "aria-live": "polite" });
    this.element = h("div", { class: "transport" },
      h("div", { class: "buttons", role: "group", "aria-label": "Play" }, first, back, this.play, forth, last, this.range, this.count), this.said);
  }

  /** Go to a place. `moving`: it is the one beside, so what changes may be seen moving. */
  go(at, moving = false) {
    this.stop();
    this.show(at, moving);
  }

  show(at, moving) {
    this.at = Math.min(Math.max(at, 0), this.steps.length);
    this.range.value = String(this.at);
    this.count.textContent = `step ${this.at} of ${this.steps.length}`;
    const step = this.steps[this.at - 1];
    this.said.textContent = step === undefined ? "Nothing has happened yet." : step.said;
    this.range.setAttribute("aria-valuetext", this.said.textContent);
    this.moved(this.at, moving);
  }

  /** The first step of the next call, or of the one before. */
  byCall(direction) {
    const call = this.steps[this.at - 1]?.call ?? (this.at === 0 ? -1 : this.steps.length);
    let at = this.at + direction;
    while (at > 0 && at < this.steps.length && this.steps[at - 1].call === call) at += direction;
    this.go(at, true);
  }

  toggle() {
    if (this.timer !== null) { this.stop(); return; }
    if (this.at >= this.steps.length) this.show(0, false);
    this.play.textContent = "❚❚";
    this.play.setAttribute("aria-label", "pause (space)");
    this.timer = setInterval(() => {
      this.show(this.at + 1, true);
      if (this.at >= this.steps.length) this.stop();
    }, STEP_MS);
  }

  stop() {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "▶";
    this.play.setAttribute("aria-label", "play (space)");
  }

  /** Keys for the whole view; not those that are somebody else's. @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = /** @type {Element} */ (event.target);
    if (at.closest("input, select, textarea") && !(at === this.range && event.key === " ")) return;
    if (at.closest("button, a, summary") && event.key === " ") return;
    const does = {
      ArrowLeft: () => (event.shiftKey ? this.byCall(-1) : this.go(this.at - 1, true)),
      ArrowRight: () => (event.shiftKey ? this.byCall(1) : this.go(this.at + 1, true)),
      Home: () => this.go(0), End: () => this.go(this.steps.length), " ": () => this.toggle(),
    }[event.key];
    if (does === undefined) return;
    event.preventDefault();
    does();
  }
}
