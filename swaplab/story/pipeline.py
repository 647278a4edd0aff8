"""A picture's pipeline: a row per request or unit, a column per event, names and an axis above, a legend below.

`pipeline` knows rows, steps and a width, and not whose they are. What is wider than that is folded: it goes on in a
band below, with its own axis and only the rows that something happens in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .explain import errno_name
from .recording import Step

WIDTH: Final = 80
NARROWEST: Final = 40
"""Characters of a line: where nobody says how many there is room for, and what the picture needs at least."""

TICK: Final = 10
"""Every so many events the axis has a number; a band is a multiple of it wide."""

EVENTS: Final = {
    "submit": "S",
    "iaa.start": "E",
    "iaa.landed": "L",
    "poll.empty": "o",
    "complete": "P",
    "iaa.retry": "R",
    "iaa.fallback": "F",
}
"""What is a column of the picture, and the letter it is drawn as."""

LEGEND: Final = {
    "S": "submitted",
    "R": "queue full, tried again",
    "F": "left to software",
    "-": "waits for an engine",
    "E": "engine starts",
    "=": "engine works",
    "L": "landed",
    ".": "landed, not looked at",
    "o": "polled: not finished",
    "P": "finished",
    "x": "failed",
}
"""Each letter in words; a picture explains those that are in it."""

_FILLING: Final = {"submit": "-", "iaa.start": "=", "iaa.landed": ".", "iaa.fallback": " ", "complete": " "}
"""What the row of a request is filled with after such an event, while others have theirs."""


class Line(NamedTuple):
    """One line of a picture: a row's `label`, its `cells` (a letter per event) and `end`; text is all label."""

    label: str
    cells: str = ""
    end: str = ""

    def __str__(self) -> str:
        return f"{self.label}{self.cells}{self.end}".rstrip()


class Headings(NamedTuple):
    """What stands over the columns: the `label` of that line, and (column, name) of each heading, in order."""

    label: str
    names: Sequence[tuple[int, str]]


@dataclass(slots=True)
class Row:
    """One request's row while it is drawn: what fills the columns that are others', and its last event's column."""

    label: str
    end: str
    cells: list[str] = field(default_factory=list)
    filling: str = " "
    last: int | None = None

    def put(self, step: Step) -> None:
        """Draw an event of its own in the next column."""
        self.cells.append("x" if step.kind == "complete" and step.fields.get("err") else EVENTS[step.kind])
        self.filling = _FILLING.get(step.kind, self.filling)
        self.last = len(self.cells) - 1


def pipeline(rows: Sequence[Row], steps: Sequence[Step], headings: Headings, width: int) -> list[Line]:
    """The rows, drawn for `steps`, whose `request` is the place of a row; lines of at most `width` characters.

    `headings` names columns: the name of their line, and the columns at which each heading begins.
    """
    widest = max(len(headings.label), *(len(row.label) for row in rows))
    for row in rows:
        row.label = f"{row.label:{widest}}  "
    for step in steps:
        for number, row in enumerate(rows):
            if number == step.request:
                row.put(step)
            else:
                row.cells.append(row.filling)
    margin = widest + 2
    # A heading that begins in a band's last column still has room behind it.
    behind = max(len(text) for text in [*(row.end for row in rows), *(name for _, name in headings.names)])
    room = max(TICK, (width - margin - behind) // TICK * TICK)
    lines = []
    for first in range(0, max(len(steps), 1), room):
        band = range(first, min(first + room, len(steps)))
        lines += [*_headings(headings, band, margin), *_cells(rows, band, is_last=first + room >= len(steps)), Line("")]
    drawn = set().union(*(row.cells for row in rows))
    return [*lines, *_legend([f"{letter} {words}" for letter, words in LEGEND.items() if letter in drawn], width)]


def is_drawn(step: Step) -> bool:
    """Whether a step is a column."""
    return step.kind in EVENTS and step.request is not None


def code_name(code: int) -> str:
    """A code as the kernel writes it."""
    return "0" if not code else f"-{errno_name(-code)}"


def _cells(rows: Sequence[Row], band: range, is_last: bool) -> Iterator[Line]:
    """The rows in which something happens in this band; what never happened is told in the last one."""
    for row in rows:
        cells = "".join(row.cells[band.start : band.stop])
        if cells.strip() or (row.last is None and is_last):
            ends_here = row.last in band or (row.last is None and is_last)
            yield Line(row.label, cells, row.end if ends_here else "")


def _headings(headings: Headings, band: range, margin: int) -> Iterator[Line]:
    """The phases' names over their first columns, in as many lines as keep them apart, and the axis.

    A phase that goes on from the band before is named again.
    """
    phases = headings.names
    going_on = [name for column, name in phases if column <= band.start][-1:]
    names = [(0, name) for name in going_on]
    names += [(column - band.start, name) for column, name in phases if band.start < column < band.stop]
    above: list[str] = []
    for at, name in names:
        place = next((n for n, line in enumerate(above) if len(line) < at), len(above))
        above[place:] = [f"{''.join(above[place : place + 1]):{at}}{name}", *above[place + 1 :]]
    for number, line in enumerate(above):
        yield Line(f"{headings.label}  ".rjust(margin) if number == 0 else " " * margin, "", line)
    yield Line("event  ".rjust(margin), "", "".join(f"{tick:<{TICK}}" for tick in band[::TICK]))


def _legend(entries: Sequence[str], width: int) -> Iterator[Line]:
    """The entries side by side, as many to a line as fit."""
    line = ""
    for entry in entries:
        if line and len(line) + 3 + len(entry) > width:
            yield Line(line)
            line = ""
        line = f"{line}   {entry}" if line else entry
    yield Line(line)
