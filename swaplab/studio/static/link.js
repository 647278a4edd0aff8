/**
 * Links: the script itself, deflated and in base64url, behind the "#" of the address. Browsers never send that part, so
 * no log has it.
 */

/** Characters of a link; a script that needs more is to be downloaded instead. */
export const MOST = 4096;

/** @param {any} script @returns {Promise<string>} */
export async function encoded(script) {
  const bytes = await through(new TextEncoder().encode(JSON.stringify(script)), new CompressionStream("deflate-raw"));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The script of a link. It throws an Error in words for what is none. @param {string} text @returns {Promise<any>} */
export async function decoded(text) {
  if (text.length > MOST) throw new Error(`The link is longer than ${MOST} characters. Ask for the script as a file.`);
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
    const plain = await through(bytes, new DecompressionStream("deflate-raw"), 64 * MOST);
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(plain));
  } catch {
    throw new Error("The link holds no script: part of it is missing, or changed. Copy all of it again.");
  }
}

async function through(bytes, transform, most = Infinity) {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader();
  const parts = [];
  let length = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length;
    if (length > most) {
      await reader.cancel();
      throw new Error("too long");
    }
    parts.push(read.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
