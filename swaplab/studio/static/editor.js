/**
 * `<script-editor>`: the calls of a script as a list. Each is chosen, given its arguments by menus, moved and deleted;
 * what it returned or raised stands under it. It never changes a script in place, and tells of a new one by `changed`.
 */

import { h } from "./dom.js";
import { argument, first } from "./argument.js";
import { outcome } from "./consequence.js";

const GROUPS = [["acomp", (call) => !call.own], ["of the script", (call) => call.own && !call.name.includes(".")],
  ["hardware, time and tasks", (call) => call.own && call.name.includes(".")]];

export class ScriptEditor extends HTMLElement {
  /** @param {any} vocabulary what the server says that can be called */
  begin(vocabulary) {
    this.vocabulary = vocabulary;
    this.entries = new Map(vocabulary.calls.map((call) => [call.name, call]));
    this.open = null;
    this.list = h("ol", { class: "calls", start: 0 });
    this.replaceChildren(this.list, h("button", { type: "button", class: "add", click: () => this.insert(this.script.calls.length) }, "+ a call"));
  }

  /** Show a script, and what came of it as far as that is known. @param {any} script @param {any} [view] */
  show(script, view = null) {
    this.script = script;
    this.view = view;
    this.list.replaceChildren(...script.calls.map((call, index) => this.item(call, index)));
  }

  /** Light the call number `index`. @param {number|null} index */
  light(index) {
    [...this.list.children].forEach((item, at) => {
      item.classList.toggle("lit", at === index);
      if (at === index) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
  }

  change(calls) {
    this.dispatchEvent(new CustomEvent("changed", { detail: { ...this.script, calls } }));
  }

  put(index, call) {
    this.change(this.script.calls.toSpliced(index, 1, call));
  }

  insert(index) {
    this.open = index;
    this.change(this.script.calls.toSpliced(index, 0, this.made("crypto_wait_req", index)));
  }

  move(index, by) {
    const calls = this.script.calls.toSpliced(index, 1);
    this.open = index + by;
    this.change(calls.toSpliced(index + by, 0, this.script.calls[index]));
  }

  remove(index) {
    this.open = null;
    this.change(this.script.calls.toSpliced(index, 1));
  }

  item(call, index) {
    const spelled = this.view?.calls[index]?.spelled ?? `${call.call}(…)`;
    const details = h("details", { open: this.open === index }, h("summary", {}, h("code", {}, spelled)));
    const fill = () => { if (details.open && details.childElementCount === 1) details.append(this.form(call, index)); };
    fill(); // menus of calls that nobody opens would be thousands of elements
    details.addEventListener("toggle", () => {
      if (details.open) this.open = index;
      else if (this.open === index) this.open = null;
      fill();
    });
    return h("li", { "data-call": index }, details, this.view ? outcome(this.view, index) : null);
  }

  form(call, index) {
    const context = this.context(index);
    const entry = this.entries.get(call.call);
    const { args: given = [] } = call;
    const params = entry === undefined ? [] : withRepeats(entry, given);
    const select = h("select", { "aria-label": "call", change: () => this.put(index, this.made(select.value, index)) },
      ...GROUPS.map(([title, is]) => h("optgroup", { label: title },
        ...this.vocabulary.calls.filter(is).map(({ name }) => h("option", { value: name }, name)))));
    select.value = call.call;
    const args = params.map((param, at) => at < given.length
      ? argument(param, given[at], context, (value) => this.put(index, { ...call, args: given.toSpliced(at, 1, value) }))
      : h("button", { type: "button", click: () => this.put(index, { ...call, args: [...given, first(param, context)] }) }, `+ ${param.name}`));
    return h("div", { class: "form" }, h("p", { class: "dim" }, entry?.what ?? "no such call"),
      h("div", { class: "arguments" }, h("span", { class: "argument" }, h("small", { class: "dim" }, "call"), select), ...args),
      this.binding(call, index, entry), this.buttons(index));
  }

  binding(call, index, entry) {
    const key = call.task ? "task" : "as";
    const named = (kind, name) => {
      const { as: _, task: __, ...rest } = call;
      this.put(index, name === "" ? rest : { ...rest, [kind]: name });
    };
    const input = h("input", { type: "text", size: 10, maxlength: 32, value: call[key] ?? "", pattern: "[a-z][a-z0-9_]*",
      "aria-label": "name of the result", change: () => { if (input.reportValidity()) named(key, input.value); } });
    const task = h("input", { type: "checkbox", "aria-label": "as a task of its own",
      change: () => named(task.checked ? "task" : "as", call[key] ?? this.free("t")) });
    task.checked = Boolean(call.task);
    return h("p", { class: "binding" }, h("label", {}, call.task ? "task named " : "result named ", input),
      entry?.waits ? h("label", {}, task, " as a task of its own") : null);
  }

  buttons(index) {
    const button = (words, label, click, disabled = false) =>
      h("button", { type: "button", "aria-label": `${label} call ${index}`, title: label, disabled, click }, words);
    return h("p", { class: "moves" }, button("↑", "move up", () => this.move(index, -1), index === 0),
      button("↓", "move down", () => this.move(index, 1), index === this.script.calls.length - 1),
      button("+ after", "insert after", () => this.insert(index + 1)), button("✕ delete", "delete", () => this.remove(index)));
  }

  /** A call as it begins, with arguments that fit where there are any. */
  made(name, index) {
    const entry = this.entries.get(name);
    const context = this.context(index);
    const params = entry.params.slice(0, entry.params.length - entry.optional);
    const call = { call: name, args: params.map((param) => first(param, context)) };
    const base = { tfm: "tfm", request: "r", wait: "wait", code: "code" }[entry.gives];
    return base === undefined ? call : { ...call, as: this.free(base) };
  }

  free(base) {
    const used = new Set(this.script.calls.flatMap(({ as, task }) => [as, task]));
    if (base !== "r" && !used.has(base)) return base;
    let number = 0;
    while (used.has(`${base}${number}`)) number += 1;
    return `${base}${number}`;
  }

  context(index) {
    /** @type {Record<string, string>} */
    const names = {};
    for (const { call, as, task } of this.script.calls.slice(0, index)) {
      if (as) names[as] = this.entries.get(call)?.gives ?? "any";
      if (task) names[task] = "task";
    }
    const devices = Array.from({ length: this.script.machine?.devices ?? 1 }, (_, number) => `iax${2 * number + 1}`);
    return { names, pages: Object.keys(this.script.pages ?? {}), devices, vocabulary: this.vocabulary };
  }
}

/** The parameters, the last one as often as there are arguments and once more, if it may be repeated. */
function withRepeats(entry, args) {
  const params = [...entry.params];
  while (entry.repeats && params.length <= args.length) params.push(entry.params.at(-1));
  return params;
}

customElements.define("script-editor", ScriptEditor);
