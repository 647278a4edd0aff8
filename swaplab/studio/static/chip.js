/** A chip: one request, or a unit of one. Its colour is its chain's; its shape and its words are its status. */

import { h } from "./dom.js";

const WORDS = {
  cpu: "not submitted", asking: "submitted, not in a queue", queue: "in a queue", engine: "in an engine",
  record: "landed, not polled", taken: "taken back from the device", software: "done by the cpu, in software", done: "finished", freed: "freed",
};

/** How many colours the style sheet has for chains. */
const COLOURS = 5;

/**
 * @param {string} name
 * @param {string[]} heads the heads of all chains of the run, in order
 */
export function chipOf(name, heads) {
  const ticks = h("span", { class: "ticks", "aria-hidden": "true" });
  const result = h("span", { class: "result" });
  const said = h("span", { class: "said" });
  const element = h("li", { class: "chip", "data-request": name },
    h("span", { class: "name" }, name), ticks, result, said);
  return {
    element,
    /** @param {import("./fold.js").Chip} chip @param {string} end */
    show(chip, end) {
      element.dataset.place = chip.place;
      element.dataset.status = chip.err === null ? "none" : chip.err ? "failed" : "ok";
      element.dataset.chain = colourOf(chip.chain, heads);
      element.classList.toggle("head", chip.chain === chip.name);
      const shown = Math.min(chip.polls, 12);
      while (ticks.childElementCount < shown) ticks.append(h("i"));
      while (ticks.childElementCount > shown) ticks.lastChild.remove();
      result.textContent = end === "" ? (chip.place === "software" ? "software" : chip.place === "freed" ? "freed" : "")
        : `${chip.err ? "✗" : "✓"} ${end}`;
      said.textContent = sentence(chip);
    },
  };
}

function sentence({ place, chain, name, polls, slot }) {
  const parts = [WORDS[place]];
  if (place === "queue") parts.push(`slot ${slot}`);
  if (chain !== null) parts.push(chain === name ? "head of a chain" : `chained to ${chain}`);
  if (polls) parts.push(`${polls} empty poll${polls === 1 ? "" : "s"}`);
  return ` (${parts.join(", ")})`;
}

/** The colour of a chain, by its head: the same wherever it is shown. @param {string|null} head @param {string[]} heads */
export function colourOf(head, heads) {
  const index = heads.indexOf(head);
  return index < 0 ? "none" : String(index % COLOURS);
}
