/** The link of what is shown: to be copied, and to be opened. */

import { h } from "./dom.js";
import { MOST, decoded, encoded } from "./link.js";
import { viewOf } from "./server.js";

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

/** The view of the script that an address holds. @param {string} hash */
export async function linked(hash) {
  return viewOf(await decoded(hash.slice(1)));
}
