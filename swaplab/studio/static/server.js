/**
 * What the server is asked. Every picture is an answer of it: a script goes out, a view comes back.
 *
 * Where the server wants a token it is asked for once, and kept in this module's memory: never in a URL, a cookie or
 * the browser's storage.
 */

import { h } from "./dom.js";

/** @typedef {import("./log.js").View} View */

/** What the server does not do: its cause, and the remedy. */
export class Refusal extends Error {
  constructor(status, cause, remedy) {
    super(remedy ? `${cause}. ${remedy[0].toUpperCase()}${remedy.slice(1)}.` : `${cause}.`);
    this.status = status;
  }
}

let token = "";
let asking = null;

/** @param {string} path @returns {Promise<any>} */
export function get(path) {
  return answered(path, {});
}

/** @param {string} path @param {unknown} body @returns {Promise<any>} */
function post(path, body) {
  return answered(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
}

/** The view of a script of the server's own. @param {string} name @returns {Promise<View>} */
export async function namedView(name) {
  return inFull(await get(`/v1/views/${encodeURIComponent(name)}`));
}

/** The view of any other script, which is run for it. @param {object} script @returns {Promise<View>} */
export async function viewOf(script) {
  return inFull(await post("/v1/views", script));
}

/** A script without calls says nothing of them; here it has none. */
function inFull(view) {
  return { ...view, script: { calls: [], ...view.script } };
}

async function answered(path, options, attempts = 3) {
  const sent = token;
  const headers = { ...options.headers, ...(sent && { Authorization: `Bearer ${sent}` }) };
  let response;
  try {
    response = await fetch(path, { ...options, headers, signal: AbortSignal.timeout(60_000) });
  } catch {
    throw new Refusal(0, "The server does not answer", "start it again with: swaplab serve");
  }
  if (response.status === 401) {
    if (token === sent) token = await askForToken(sent !== ""); // else it was asked for meanwhile
    return answered(path, options, attempts);
  }
  if (response.status === 503 && attempts > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return answered(path, options, attempts - 1);
  }
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Refusal(response.status, problem.title ?? `The server says ${response.status}`, problem.remedy);
}

/** One question for all who wait for the token. @param {boolean} again */
function askForToken(again) {
  asking ??= new Promise((resolve) => {
    const field = h("input", { type: "password", autocomplete: "off", required: true, "aria-label": "Token" });
    const dialog = h("dialog", { class: "token", "aria-label": "This server wants its token" },
      h("form", { method: "dialog", submit: () => resolve(field.value.trim()) },
        again && h("p", { class: "problem", role: "alert" }, "That was not its token."),
        h("p", {}, "This server wants the token that it was started with (swaplab serve --token-file). It stays in this page, until you leave it."),
        h("label", {}, "Token ", field), h("button", {}, "Go on")));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => { dialog.remove(); asking = null; });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}
