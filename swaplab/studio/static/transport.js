/** Play, step forth and back, scrub: where in the log the page is. */

import { h } from "./dom.js";

/** Between two steps, and between two of the preparation: those before the work begins. */
const STEP_MS = 420;
const PREPARE_MS = 60;
const SPEEDS = { "½": 2, "1": 1, "2": 0.5, "4": 0.25 };

export class Transport {
  /**
   * @param {import("./log.js").Step[]} steps
   * @param {{ begin: number, failure: number|null }} marks the steps where the work begins, and where the first of it fails
   * @param {(at: number, moving: boolean) => void} moved called with the number of steps that have happened
   */
  constructor(steps, marks, moved) {
    this.steps = steps;
    this.marks = marks;
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
    const failure = button("failure", "to the first failure", () => this.go(marks.failure));
    const whole = button("whole", "full screen", () => this.element.closest("chain-view").requestFullscreen());
    first.textContent = "|◀"; back.textContent = "◀|"; forth.textContent = "|▶"; last.textContent = "▶|";
    failure.textContent = "✗"; failure.hidden = marks.failure === null; whole.textContent = "full screen";
    this.speed = h("select", { "aria-label": "speed" }, ...Object.keys(SPEEDS).map((words) => h("option", { value: words }, `${words}×`)));
    this.speed.value = "1";
    this.range = h("input", {
      type: "range", min: 0, max: steps.length, value: 0, "aria-label": "step", input: () => this.go(Number(this.range.value)),
    });
    this.count = h("span", { class: "count dim" });
    this.said = h("p", { class: "now", role: "status", "aria-live": "polite" });
    this.buttons = h("div", { class: "buttons", role: "group", "aria-label": "Play" }, first, back, this.play, forth, last, failure, this.range, this.count, this.speed, whole);
    this.element = h("div", { class: "transport" }, this.buttons, this.said);
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
    this.later();
  }

  later() {
    const pause = this.at < this.marks.begin ? PREPARE_MS : STEP_MS * SPEEDS[this.speed.value];
    this.timer = setTimeout(() => {
      this.show(this.at + 1, this.at >= this.marks.begin);
      if (this.at >= this.steps.length) this.stop();
      else this.later();
    }, pause);
  }

  stop() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.play.textContent = "▶";
    this.play.setAttribute("aria-label", "play (space)");
  }

  /** Keys for the whole view; not those that are somebody else's. @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = /** @type {Element} */ (event.target);
    const ofRange = at === this.range && (event.key === " " || event.shiftKey);
    if (at.closest("input, select, textarea") && !ofRange) return;
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
