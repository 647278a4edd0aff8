/** The link of what is shown: to be copied, and to be opened. */

import { h } from "./dom.js";
import { MOST, decoded, encoded } from "./link.js";
import { namedView, viewOf } from "./server.js";

/** A button that copies the link of the script that is shown now. @param {() => any} script */
export function linkButton(script) {
  const status = h("span", { role: "status" });
  const copy = async () => {
    const text = await encoded(script());
    if (text.length > MOST) {
      status.textContent = "the script is too long for a link; download it";
      return;
    }
    history.replaceState(null, "", `#${text}`);
    status.textContent = await copied(location.href) ? "copied" : "it is in the address bar now";
  };
  return h("span", {}, h("button", { type: "button", class: "quiet", click: copy }, "copy a link"), " ", status);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

let isLinked = false;

/**
 * Show the script that the address holds, now and whenever another link is followed; or else one of the server's.
 * @param {(asked: Promise<any>) => Promise<unknown>} show @param {string} name
 */
export function opened(show, name) {
  const open = () => {
    isLinked = location.hash.length > 1;
    return show(isLinked ? linked(location.hash.slice(1)) : namedView(name));
  };
  addEventListener("hashchange", open);
  return open();
}

async function linked(text) {
  return viewOf(await decoded(text));
}

/** What is shown now is another script than the address holds, unless it has just been opened from there. */
export function forgetLink() {
  if (!isLinked && location.hash !== "") history.replaceState(null, "", location.pathname);
  isLinked = false;
}
