/** The state diagrams of requests and chains, drawn from the code's own tables, with what is in each state now. */

import { h, s } from "./dom.js";

const GAP = 170;
const BOX = { width: 108, height: 30 };
const AXIS = 74;

/**
 * @typedef {Record<string, Record<string, string>>} Table what may follow what: {state: {event: state}}
 */

export class States {
  /** @param {string} title @param {Table} table */
  constructor(title, table) {
    this.title = title;
    this.names = Object.keys(table);
    const width = GAP * (this.names.length - 1) + BOX.width + 60;
    this.nodes = this.names.map((name, index) => node(name, index));
    this.svg = s("svg", { class: "states", role: "img", viewBox: `0 0 ${width} 190`, width },
      ...arrows(table, this.names), ...this.nodes.map(({ element }) => element));
    this.element = h("figure", { tabindex: 0, role: "group", "aria-label": title }, h("figcaption", {}, title), this.svg);
  }

  /** @param {Record<string, string>} now the state of each object, by its name */
  show(now) {
    this.nodes.forEach(({ element, inside }, index) => {
      const here = Object.keys(now).filter((object) => now[object] === this.names[index]);
      element.classList.toggle("lit", here.length > 0);
      inside.textContent = here.length > 6 ? `${here.slice(0, 5).join(" ")} +${here.length - 5}` : here.join(" ");
    });
    const words = Object.entries(now).map(([object, state]) => `${object} is ${state.replace("_", " ")}`);
    this.svg.setAttribute("aria-label", `${this.title}: ${words.join(", ") || "there are none"}`);
  }
}

function centre(index) {
  return 30 + BOX.width / 2 + index * GAP;
}

function node(name, index) {
  const x = centre(index);
  const inside = s("text", { class: "inside", x, y: AXIS + BOX.height / 2 + 16, "text-anchor": "middle" });
  const element = s("g", { class: "state", "data-state": name },
    s("rect", { x: x - BOX.width / 2, y: AXIS - BOX.height / 2, ...BOX, rx: 15 }),
    s("text", { x, y: AXIS + 5, "text-anchor": "middle" }, name.replace("_", " ")), inside);
  return { element, inside };
}

/** Forward arrows above, backward ones below, and loops on top; several events of one arrow share it. */
function arrows(table, names) {
  const joined = new Map();
  for (const [from, row] of Object.entries(table)) {
    for (const [event, to] of Object.entries(row)) {
      const key = `${names.indexOf(from)} ${names.indexOf(to)}`;
      joined.set(key, [...(joined.get(key) ?? []), event]);
    }
  }
  return [...joined].flatMap(([key, events]) => {
    const [from, to] = key.split(" ").map(Number);
    return arrow(from, to, events.join(", "));
  });
}

function arrow(from, to, words) {
  const half = BOX.width / 2;
  const [a, b] = [centre(from), centre(to)];
  let path, at;
  if (from === to) {
    const y = AXIS - BOX.height / 2;
    path = `M ${a - 16} ${y} C ${a - 26} ${y - 34}, ${a + 26} ${y - 34}, ${a + 16} ${y}`;
    at = [a, y - 30];
  } else {
    const up = from < to ? -1 : 1;
    const y = AXIS + up * (BOX.height / 2 - 4);
    const [begin, end] = [a + (from < to ? half - 8 : 8 - half), b + (from < to ? 8 - half : half - 8)];
    const lift = up * (Math.abs(to - from) === 1 ? 26 : 74);
    path = `M ${begin} ${y} Q ${(a + b) / 2} ${y + lift}, ${end} ${y}`;
    at = [(a + b) / 2, y + lift * (Math.abs(to - from) === 1 ? 0.7 : 0.55) + (up < 0 ? -4 : 12)];
  }
  const [, , , x2, y2] = ends(path);
  return [s("path", { class: "arrow", d: path }), tip(path, x2, y2),
    s("text", { class: "event", x: at[0], y: at[1], "text-anchor": "middle" }, words)];
}

function ends(path) {
  const numbers = path.match(/-?[\d.]+/g).map(Number);
  return [null, ...numbers.slice(0, 2), ...numbers.slice(-2)];
}

/** A small triangle where the path ends, in the direction in which it arrives. */
function tip(path, x, y) {
  const numbers = path.match(/-?[\d.]+/g).map(Number);
  const [fromX, fromY] = numbers.slice(-4, -2);
  const angle = Math.atan2(y - fromY, x - fromX);
  const corner = (turn) => `${x - 9 * Math.cos(angle + turn)} ${y - 9 * Math.sin(angle + turn)}`;
  return s("path", { class: "tip", d: `M ${x} ${y} L ${corner(0.4)} L ${corner(-0.4)} Z` });
}

const IN_FLIGHT = new Set(["asking", "queue", "engine", "record", "software"]);

/**
 * The states of all requests and chains. A call tells of them when it returns; between, the chip does.
 * @param {import("./fold.js").State} state
 * @returns {{ requests: Record<string, string>, chains: Record<string, string> }}
 */
export function statesNow(state) {
  /** @type {Record<string, Record<string, string>>} */
  const { requests, chains } = { requests: {}, chains: {} };
  for (const [name, seen] of Object.entries(state.objects)) {
    if (seen.kind === "request") requests[name] = stateOf(state.chips[name], seen);
    if (seen.kind === "chain") chains[name.slice(0, -".chain".length)] = seen.state;
  }
  for (const head of Object.keys(chains)) {
    const running = Object.values(state.chips).some((chip) => chip.chain === head && chip.err === null && requests[chip.name] === "in_flight");
    if (running) chains[head] = "running";
  }
  return { requests, chains };
}

function stateOf(chip, seen) {
  return chip !== undefined && IN_FLIGHT.has(chip.place) ? "in_flight" : seen.state;
}
