/**
 * `<chain-view name="chain">`: one run of one script, with places, rows, code and the buttons to go through it.
 *
 * Attributes: `name` is a script of the server's own, run when the element comes near the screen; `breakable` gives
 * the toggles of faults; `plain` leaves the code out. It tells of every new run by an event `viewed`, and of every step
 * by `stepped`.
 */

import { h, whenNear } from "./dom.js";
import { Broken } from "./faults.js";
import { Code } from "./code.js";
import { figuresOf } from "./figures.js";
import { History } from "./fold.js";
import { Places } from "./places.js";
import { Rows, legend } from "./rows.js";
import { stepsOf } from "./log.js";
import { Toggles } from "./toggles.js";
import { Transport } from "./transport.js";
import { namedView, viewOf } from "./server.js";

export class ChainView extends HTMLElement {
  connectedCallback() {
    if (this.made) return;
    this.made = true;
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.stage = h("div", { class: "stage", "aria-busy": "true" }, h("p", { class: "dim" }, "Running the script …"));
    this.append(this.problem, this.stage);
    this.addEventListener("keydown", (event) => this.transport?.key(event));
    if (this.hasAttribute("name")) whenNear(this, () => this.load(namedView(this.getAttribute("name"))));
  }

  disconnectedCallback() {
    this.transport?.stop();
  }

  /** Run another script, and show it. @param {any} script @param {number} [at] the step to be shown; where the work begins if none */
  async run(script, at) {
    return this.load(viewOf(script), at);
  }

  /** Show a view that is asked for; a refusal is told, and the former view stays. */
  async load(asked, at, broken) {
    this.latest = asked;
    try {
      const view = await asked;
      if (this.latest === asked) this.show(view, at, broken);
    } catch (error) {
      if (this.latest !== asked) return false;
      this.tell(error.message);
      if (this.view === undefined) this.stage.replaceChildren();
      this.stage.removeAttribute("aria-busy");
      this.dispatchEvent(new CustomEvent("refused", { detail: error }));
      return false;
    }
    return true;
  }

  /** The same; if nothing is shown yet and it is refused, the server's own script `name` stands below the refusal. */
  async begin(asked, name, at) {
    if (await this.load(asked, at) || this.view !== undefined) return;
    const refusal = this.problem.textContent;
    if (await this.load(namedView(name), at)) this.tell(refusal);
  }

  tell(problem) {
    this.problem.hidden = false;
    this.problem.textContent = problem;
  }

  show(view, at, broken = new Broken(view.script)) {
    this.transport?.stop();
    this.problem.hidden = true;
    this.view = view;
    this.broken = broken;
    this.steps = stepsOf(view);
    this.history = new History(view, this.steps);
    const toggles = this.hasAttribute("breakable") ? new Toggles(view, (fault, which, on) => this.break(fault, which, on)) : null;
    this.code = this.hasAttribute("plain") ? null : new Code(view);
    this.places = new Places(view, toggles?.places);
    this.rows = new Rows(this.history, { toggles: toggles?.row });
    this.transport = new Transport(this.steps, this.marks, (now, moving) => this.draw(now, moving));
    if (toggles) this.transport.buttons.append(toggles.cancel(() => this.landings()));
    this.stage.replaceChildren(h("div", {}, this.transport.element,
      h("div", { class: "upper" }, this.code?.element, this.places.element),
      toggles?.caption, this.rows.element, figuresOf(view), legend(this.rows)));
    this.stage.removeAttribute("aria-busy");
    this.transport.show(Math.min(at ?? this.marks.begin, this.steps.length), false);
    this.dispatchEvent(new CustomEvent("viewed", { detail: view, bubbles: true }));
    performance.mark("picture");
  }

  /** What is shown is scrolled to in the next frame: before, its place is not known without laying out all of it. */
  follow() {
    this.following ??= requestAnimationFrame(() => {
      this.following = null;
      this.code?.follow();
      this.rows.follow();
    });
  }

  draw(at, moving) {
    const state = this.history.at(at);
    this.places.show(state, moving);
    this.rows.show(at);
    this.code?.show(state);
    this.follow();
    this.dispatchEvent(new CustomEvent("stepped", { detail: state }));
  }

  /** Change the script under what is broken in it, and run it; shown from where the work begins. */
  edit(change) {
    const broken = this.broken.edited(change);
    return this.load(viewOf(broken.script), undefined, broken);
  }

  /** Break something, or mend it, and go to where the run has ended: that is where the consequences are. */
  break(fault, which, on) {
    const broken = on ? this.broken.broken(fault, which) : this.broken.mended(fault, which);
    return this.load(viewOf(broken.script), Infinity, broken);
  }

  /** Where the work begins, all that is before being preparation, and where the first of it fails. */
  get marks() {
    const begin = Math.max(this.steps.findIndex(({ kind }) => kind === "submit" || kind === "iaa.queued"), 0);
    const failure = this.steps.findIndex((_, step) => Object.values(this.history.at(step + 1).chips).some(({ err }) => err < 0));
    return { begin, failure: failure < 0 ? null : failure + 1 };
  }

  /** How many jobs have landed up to here. */
  landings() {
    return this.steps.slice(0, this.transport.at).filter(({ kind }) => kind === "iaa.landed").length;
  }
}

customElements.define("chain-view", ChainView);
