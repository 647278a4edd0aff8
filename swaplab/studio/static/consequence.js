/** What follows from an error, in the words of the server's table: what happened, whose it is, what to do now. */

import { h } from "./dom.js";
import { codeName } from "./log.js";

/**
 * @param {import("./log.js").View} view
 * @param {number|string} code the errno, negative, or the name of an exception that has none
 * @param {import("./log.js").Explanation|null} explain
 * @param {string} [about] whose row it stands at
 * @param {string} [instead] said where there is no explanation
 */
export function consequence(view, code, explain, about, instead) {
  const name = typeof code === "string" ? code : codeName(view, code);
  return h("div", { class: "consequence", "data-errno": name.replace("-", ""), "data-request": about },
    h("strong", {}, `✗ ${name}`), " ",
    instead ?? null, explain === null ? null : h("span", {}, explain.happened, ". "),
    explain === null ? null : h("span", { class: "whose" }, h("em", {}, "Whose: "), explain.whose, ". "),
    explain === null ? null : h("span", { class: "remedy" }, h("em", {}, "Now: "), explain.remedy));
}

/** What the call number `index` returned or raised, and what that means. */
export function outcome(view, index) {
  const call = view.run.calls[index];
  const said = view.calls[index].notes.filter(({ kind }) => kind !== "explained");
  return h("div", { class: "outcome" },
    ...said.map(({ text, kind }) => h("div", { class: classOf(text, kind) }, `# ${text}`)),
    call.explain === null ? null : consequence(view, codeOf(call), call.explain));
}

/** A change that is to be seen after its time as well: a request has failed. */
const FAILED = /: .*err -E(?!INPROGRESS)/;

/** What a call has changed is shown while its line is lit, and its result from then on. */
function classOf(text, kind) {
  if (kind === "error" || FAILED.test(text)) return "error";
  return text.startsWith("->") ? "result" : "change dim";
}

function codeOf({ value, error }) {
  if (error === null) return typeof value === "number" && value < 0 ? value : `returned ${value}`;
  return error.errno ? -error.errno : error.type;
}
