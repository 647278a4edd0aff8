/**
 * `<ask-first view="chain">`: a question, its options in a list (`data-right` is the right one), and a `.answer`. The
 * answer stays hidden until one is chosen; then the script is run, and shows it. A `view` of two names shows both runs.
 */

import { ChainView } from "./chain_view.js";
import { mayMove, h } from "./dom.js";

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

  choose(chosen) {
    for (const { item, button } of this.options) {
      const right = item.hasAttribute("data-right");
      button.disabled = true;
      item.classList.toggle("right", right);
      item.classList.toggle("wrong", item === chosen && !right);
      if (right) button.append(" ✓");
      else if (item === chosen) button.append(" ✗");
    }
    this.verdict.textContent = chosen.hasAttribute("data-right") ? "Yes. See it happen:" : "Not so. See what happens instead:";
    this.answer.before(...this.getAttribute("view").split(" ").map((name) => this.run(name)));
    this.answer.hidden = false;
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
