/**
 * `<three-ways names="chain-sync chain chain-unit">`: runs of the same pages one below the other, aligned by call, with
 * what the server counts of each.
 */

import { h, whenNear } from "./dom.js";
import { aligned, columnsOf } from "./columns.js";
import { figuresOf } from "./figures.js";
import { History } from "./fold.js";
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
    const histories = views.map((view) => new History(view, stepsOf(view)));
    const { places, width } = aligned(histories.map(columnsOf));
    const drawn = histories.map((history, index) => new Rows(history, { places: places[index], width, words: false }));
    drawn.forEach((rows, index) => rows.show(histories[index].steps.length));
    const range = h("input", { type: "range", min: 0, max: width, value: width, "aria-label": "events up to here",
      input: () => drawn.forEach((rows) => rows.showPlace(Number(range.value))) });
    this.replaceChildren(h("div", { class: "buttons" }, range),
      h("div", { class: "ways" }, ...views.map((view, index) => way(view, drawn[index]))));
  }
}

function way(view, rows) {
  return h("section", { class: "way" }, h("h3", {}, view.title), rows.element, figuresOf(view));
}

customElements.define("three-ways", ThreeWays);
