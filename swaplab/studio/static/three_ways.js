/**
 * `<three-ways names="chain-sync chain chain-unit">`: runs of the same pages one below the other, aligned by call, with
 * what the server counts of each.
 */

import { h, whenNear } from "./dom.js";
import { aligned, columnsOf } from "./columns.js";
import { Rows } from "./rows.js";
import { namedView } from "./server.js";
import { stepsOf } from "./log.js";

class ThreeWays extends HTMLElement {
  connectedCallback() {
    whenNear(this, () => this.load(this.getAttribute("names").split(" ")));
  }

  async load(names) {
    try {
      this.show(await Promise.all(names.map(namedView)));
    } catch (error) {
      this.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
    }
  }

  show(views) {
    const steps = views.map(stepsOf);
    const { places, width } = aligned(views.map((view, index) => columnsOf(view, steps[index])));
    const drawn = views.map((view, index) => new Rows(view, steps[index], { places: places[index], width, words: false }));
    drawn.forEach((rows, index) => rows.show(steps[index].length));
    const range = h("input", { type: "range", min: 0, max: width, value: width, "aria-label": "events up to here",
      input: () => drawn.forEach((rows) => rows.showPlace(Number(range.value))) });
    this.replaceChildren(h("div", { class: "buttons" }, range),
      h("div", { class: "ways" }, ...views.map((view, index) => way(view, drawn[index]))));
  }
}

function way(view, rows) {
  const { submits, rounds, overlap } = view.figures;
  const figure = (words, number) => h("span", {}, h("b", {}, number), ` ${words}`);
  return h("section", { class: "way" },
    h("h3", {}, view.title), rows.element,
    h("p", { class: "figures" }, figure(submits === 1 ? "submit" : "submits", submits),
      figure(rounds === 1 ? "round of polling" : "rounds of polling", rounds),
      figure("jobs in the devices at a time, while there are any", overlap.toFixed(1))));
}

customElements.define("three-ways", ThreeWays);
