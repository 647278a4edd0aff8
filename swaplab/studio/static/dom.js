/** Elements made by hand. Text is only ever text: nothing here, or anywhere in the studio, reads markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. An attribute that is a function listens to the event of that name; true is an attribute without a value,
 * false, null and undefined are none (but of aria- they are words). Children are elements or text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/**
 * The same, of a picture.
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {SVGElement}
 */
export function s(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (key.startsWith("aria-") && typeof value === "boolean") element.setAttribute(key, String(value));
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map(text));
  return element;
}

function text(child) {
  return typeof child === "number" ? String(child) : child;
}

/** Whether things may move by themselves on this screen. */
export function mayMove() {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Call `begin` once, when an element comes near the screen. @param {Element} element @param {() => void} begin */
export function whenNear(element, begin) {
  const observer = new IntersectionObserver((entries) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) {
      observer.disconnect();
      begin();
    }
  }, { rootMargin: "400px" });
  observer.observe(element);
}
