/**
 * `<ask-first view="chain">`: a question, its options in a list (`data-right` is the right one), and a `.answer`. The
 * answer stays hidden until one is chosen; then the script is run, and shows it. A `view` of two names shows both runs.
 * It tells by `answered` whether the first choice was right.
 */

import { ChainView } from "./chain_view.js";
import { h, mayMove } from "./dom.js";

class AskFirst extends HTMLElement {
  connectedCallback() {
    if (this.options) return;
    this.answer = /** @type {HTMLElement} */ (this.querySelector(".answer"));
    this.answer.hidden = true;
    this.options = [...this.querySelectorAll("ul > li")].map((item) => {
      const button = h("button", { type: "button", click: () => this.choose(item) });
      button.append(...item.childNodes);
      item.append(button);
      return { item, button };
    });
    this.verdict = h("p", { class: "verdict", role: "status" });
    this.querySelector("ul").after(this.verdict);
  }

  /** The first choice counts, and is followed by the run; whoever wants to may try the others. */
  choose(chosen) {
    const isRight = chosen.hasAttribute("data-right");
    for (const { item, button } of this.options) {
      item.classList.toggle("right", item.hasAttribute("data-right"));
      item.classList.toggle("wrong", item === chosen && !isRight);
      button.setAttribute("aria-pressed", String(item === chosen));
    }
    this.verdict.textContent = isRight ? "Yes." : "Not so.";
    if (!this.answer.hidden) return;
    this.answer.hidden = false;
    this.answer.after(...this.getAttribute("view").split(" ").map((name) => this.run(name)));
    this.dispatchEvent(new CustomEvent("answered", { detail: isRight, bubbles: true }));
  }

  run(name) {
    const view = new ChainView();
    view.setAttribute("name", name);
    view.toggleAttribute("plain", this.hasAttribute("plain"));
    view.addEventListener("viewed", () => {
      if (mayMove()) view.transport.toggle();
      else view.transport.go(view.steps.length);
    }, { once: true });
    return view;
  }
}

customElements.define("ask-first", AskFirst);
