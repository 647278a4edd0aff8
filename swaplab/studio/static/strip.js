/** One row of the pipeline as a picture: what became of a request, event by event. */

import { s } from "./dom.js";
import { STAGES } from "./columns.js";

const CELL = 13;
const HEIGHT = 26;
const MIDDLE = HEIGHT / 2;

/** What a row is filled with after an event of its own, while others have theirs. */
const FILLING = {
  submit: "way", "iaa.retry": "way", "iaa.queued": "wait", "iaa.start": "work", "iaa.landed": "landed",
};

/** @typedef {{ place: number, kind: string }} Mark */

export class Strip {
  /**
   * @param {string} label what a screen reader says
   * @param {Mark[]} marks its own events, in order
   * @param {number} width columns of the whole picture
   * @param {string} chain the colour of its chain
   */
  constructor(label, marks, width, chain) {
    this.veil = s("rect", { class: "veil", x: 0, y: 0, width: width * CELL, height: HEIGHT });
    this.cursor = s("line", { class: "cursor", x1: 0, x2: 0, y1: 0, y2: HEIGHT });
    this.element = s("svg", {
      class: "strip", "data-chain": chain, role: "img", "aria-label": label, width: width * CELL, height: HEIGHT,
      viewBox: `0 0 ${width * CELL} ${HEIGHT}`,
    }, ...spans(marks, width), ...marks.map(mark), this.veil, this.cursor);
  }

  /** Columns from `place` on have not happened yet. @param {number} place */
  show(place) {
    const x = String(place * CELL);
    this.veil.setAttribute("x", x);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
  }

  /** Scroll what holds the strips, where they are wider, so that the cursor is seen. @param {number} place @param {Element} box */
  follow(place, box) {
    if (box.scrollWidth <= box.clientWidth) return;
    const x = this.element.getBoundingClientRect().left - box.getBoundingClientRect().left + place * CELL;
    if (x > box.clientWidth - CELL) box.scrollLeft += x - box.clientWidth / 2;
    else if (x < box.clientWidth / 3) box.scrollLeft = Math.max(0, box.scrollLeft + x - box.clientWidth / 2);
  }
}

/** What lies between the events: waiting, working, landed. An empty poll changes nothing of it. */
function spans(marks, width) {
  const own = marks.filter(({ kind }) => kind !== "poll.empty");
  return own.flatMap(({ kind, place }, index) => {
    const filling = FILLING[kind];
    if (filling === undefined) return [];
    const end = index + 1 < own.length ? own[index + 1].place : width;
    const [y, height] = filling === "work" ? [MIDDLE - 6, 12] : [MIDDLE - 1.5, 3];
    return [s("rect", { class: filling, x: place * CELL + 1, y, height, width: (end - place) * CELL - 1 })];
  });
}

function mark({ place, kind }) {
  const x = place * CELL + CELL / 2;
  if (kind === "poll.empty") return s("line", { class: "tick", x1: x, x2: x, y1: 4, y2: HEIGHT - 4 });
  return s("g", { class: `mark ${kind.replace(".", "-")}` },
    s("rect", { x: x - CELL / 2 + 0.5, y: MIDDLE - 8, width: CELL - 1, height: 16, rx: kind === "iaa.landed" ? 8 : 3 }),
    s("text", { x, y: MIDDLE + 4, "text-anchor": "middle" }, STAGES[kind][0]));
}
