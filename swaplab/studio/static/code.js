/** The script's calls in Python's spelling. The lit line is the call during which the shown step happens. */

import { h } from "./dom.js";
import { outcome } from "./consequence.js";

export class Code {
  /** @param {import("./log.js").View} view */
  constructor(view) {
    this.lines = view.calls.map(({ spelled }, index) => line(view, index, spelled));
    this.element = h("div", { class: "code", role: "region", tabindex: 0, "aria-label": "Calls of the script" },
      h("ol", { start: 0 }, ...this.lines.map(({ element }) => element)));
  }

  /** @param {import("./fold.js").State} state */
  show(state) {
    this.lines.forEach(({ element, result }, index) => {
      const lit = index === state.call;
      element.classList.toggle("lit", lit);
      if (lit) element.setAttribute("aria-current", "step");
      else element.removeAttribute("aria-current");
      element.classList.toggle("to-come", index > Math.max(state.returned, state.call ?? -1) && !state.over);
      result.hidden = index > state.returned;
    });
    this.shown = state.over ? state.returned : state.call ?? -1;
  }

  /** Scroll the listing, and never the page, to the lit line. */
  follow() {
    if (this.shown < 0) return;
    const { element } = this.lines[this.shown];
    const box = this.element;
    const top = element.offsetTop;
    if (top < box.scrollTop) box.scrollTop = top - 8;
    else if (top + element.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = top + element.offsetHeight - box.clientHeight + 8;
    }
  }
}

function line(view, index, spelled) {
  const result = outcome(view, index);
  return { element: h("li", { "data-call": index }, h("code", {}, spelled), result), result };
}
