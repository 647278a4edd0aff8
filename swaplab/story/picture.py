"""The picture of a recording: a row per request, a column per event, the phases and an axis above, a legend below.

`draw` knows the recorded events and a width, no driver and no terminal. A picture that is wider than that is folded:
it goes on in a band below, with its own axis and only the rows that something happens in.
"""

import errno
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .recording import Recording, Step

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

_HOW: Final = {
    "array": "array: a request, a page and a buffer for each, side by side in one call",
    "unit": "unit: one request for all pages, which the driver cuts up, and an entry for each",
}
"""The later interfaces in words."""

_FILLING: Final = {"submit": "-", "iaa.start": "=", "iaa.landed": ".", "iaa.fallback": " ", "complete": " "}
"""What the row of a request is filled with after such an event, while others have theirs."""


class Line(NamedTuple):
    """One line of a picture: a row's `label`, its `cells` (a letter per event) and `end`; text is all label."""

    label: str
    cells: str = ""
    end: str = ""

    def __str__(self) -> str:
        return f"{self.label}{self.cells}{self.end}".rstrip()


@dataclass(slots=True)
class _Row:
    """One request's row while it is drawn: what fills the columns that are others', and its last event's column."""

    label: str
    end: str
    cells: list[str] = field(default_factory=list)
    filling: str = " "
    last: int | None = None

    def put(self, step: Step) -> None:
        self.cells.append("x" if step.kind == "complete" and step.fields.get("err") else EVENTS[step.kind])
        self.filling = _FILLING.get(step.kind, self.filling)
        self.last = len(self.cells) - 1


def draw(recording: Recording, width: int = WIDTH) -> list[Line]:
    """The picture as lines of at most `width` characters (or of `NARROWEST`, if that is more)."""
    width = max(width, NARROWEST)
    columns = [step for step in recording.steps if step.kind in EVENTS and step.request is not None]
    rows = _rows(recording, columns)
    phases = list(_phases(columns)) if recording.parallel else []
    margin = max(len(row.label) for row in rows)
    # A name of a phase that begins in a band's last column still has room behind it.
    behind = max(len(text) for text in [*(row.end for row in rows), *(name for _, name in phases)])
    room = max(TICK, (width - margin - behind) // TICK * TICK)
    lines = []
    for first in range(0, max(len(columns), 1), room):
        band = range(first, min(first + room, len(columns)))
        lines += [*_headings(phases, band, margin), *_cells(rows, band, is_last=first + room >= len(columns)), Line("")]
    drawn = set().union(*(row.cells for row in rows))
    lines += _legend([f"{letter} {words}" for letter, words in LEGEND.items() if letter in drawn], width)
    below = ["Columns are events, in order: time, but not to scale.", "", *summary(recording)]
    return [*lines, *(Line(line) for text in below for line in textwrap.wrap(text, width) or [""])]


def _rows(recording: Recording, columns: Sequence[Step]) -> list[_Row]:
    """All rows with all their cells, as if there were room."""
    queue_of = {
        step.request: f"{step.fields['device']} {step.fields['wq']}"
        for step in recording.steps
        if step.kind == "iaa.queued"
    }
    rows = [
        _Row(
            f"{_row_name(recording, number):>4}  {queue_of.get(number, '')}",
            f"  {_name(result.err) if result.err else f'{result.length_bytes} bytes'}",
        )
        for number, result in enumerate(recording.results)
    ]
    widest = max(len(row.label) for row in rows)
    for row in rows:
        row.label = f"{row.label:{widest}}  "
    for step in columns:
        for number, row in enumerate(rows):
            if number == step.request:
                row.put(step)
            else:
                row.cells.append(row.filling)
    return rows


def _row_name(recording: Recording, number: int) -> str:
    return "head" if not number and recording.interface == "chain" else str(number)


def _cells(rows: Sequence[_Row], band: range, is_last: bool) -> Iterator[Line]:
    """The rows in which something happens in this band; what never happened is told in the last one."""
    for row in rows:
        cells = "".join(row.cells[band.start : band.stop])
        if cells.strip() or (row.last is None and is_last):
            ends_here = row.last in band or (row.last is None and is_last)
            yield Line(row.label, cells, row.end if ends_here else "")


def _headings(phases: Sequence[tuple[int, str]], band: range, margin: int) -> Iterator[Line]:
    """The phases' names over their first columns, in as many lines as keep them apart, and the axis.

    A phase that goes on from the band before is named again.
    """
    going_on = [name for column, name in phases if column <= band.start][-1:]
    names = [(0, name) for name in going_on]
    names += [(column - band.start, name) for column, name in phases if band.start < column < band.stop]
    above: list[str] = []
    for at, name in names:
        place = next((n for n, line in enumerate(above) if len(line) < at), len(above))
        above[place:] = [f"{''.join(above[place : place + 1]):{at}}{name}", *above[place + 1 :]]
    for number, line in enumerate(above):
        yield Line("phase  ".rjust(margin) if number == 0 else " " * margin, "", line)
    yield Line("event  ".rjust(margin), "", "".join(f"{tick:<{TICK}}" for tick in band[::TICK]))


def _phases(columns: Sequence[Step]) -> Iterator[tuple[int, str]]:
    """Where each phase of a parallel run begins, and its name: submits, rounds of polling, landings."""
    landed, polled, phase, rounds_begun = set[int | None](), set[int | None](), "", 0
    for column, step in enumerate(columns):
        if step.kind == "iaa.landed":
            landed.add(step.request)
        if step.kind == "poll.empty" or (step.kind == "complete" and step.request in landed):
            if not phase.startswith("round") or step.request in polled:
                rounds_begun, polled, name = rounds_begun + 1, set(), f"round {rounds_begun + 1}"
            polled.add(step.request)
        elif step.kind == "iaa.landed":
            name = "landings"
        elif step.kind == "submit" and phase.startswith("round"):
            name = "submits"  # units go down in rounds of their own
        else:
            name = phase or "submits"
        if name != phase:
            phase = name
            yield column, name


def _legend(entries: Sequence[str], width: int) -> Iterator[Line]:
    """The entries side by side, as many to a line as fit."""
    line = ""
    for entry in entries:
        if line and len(line) + 3 + len(entry) > width:
            yield Line(line)
            line = ""
        line = f"{line}   {entry}" if line else entry
    yield Line(line)


def summary(recording: Recording) -> list[str]:
    """Submits, rounds and overlap in words, and what the chain returned."""
    submitted = {step.request for step in recording.steps if step.kind == "submit"}
    failed = sum(1 for result in recording.results if result.err)
    missing = len(recording.results) - len(submitted)
    runner = "parallel: submit all, then poll" if recording.parallel else "serial: one after the other"
    if recording.interface != "chain":
        runner = f"{_HOW[recording.interface]}; {runner}"
    polling = f", {_count(rounds(recording), 'round')} of polling" if recording.parallel else ""
    returned = f"returned {_name(recording.code)} ({_code_of(recording)})"
    if recording.interface == "array":
        returned = f"returned {not recording.code} (whether every page went well)"
    return [
        f"{runner}. {_count(len(submitted), 'submit')}{polling}",
        f"overlap {overlap(recording):.1f}: jobs in the devices at a time, on average while there are any",
        f"{returned}; {len(recording.results) - failed} compressed, {failed} failed"
        + (f", {missing} of them never submitted" if missing else ""),
    ]


def _code_of(recording: Recording) -> str:
    if recording.interface == "unit":
        return "-EINVAL if one of several units failed; each has its own in its entry"
    return "the head's code" if recording.parallel else "the last operation's code"


def rounds(recording: Recording) -> int:
    """Rounds of polling: how often the request that was polled most was looked at; 0 for a serial run."""
    polls = [step.request for step in recording.steps if step.kind == "poll.empty"]
    if not recording.parallel:
        return 0
    landed = {step.request for step in recording.steps if step.kind == "iaa.landed"}
    return max((polls.count(number) + (number in landed) for number in set(polls) | landed), default=0)


def overlap(recording: Recording) -> float:
    """Jobs in flight at a time, on average over the events during which any is; 1.0 when none ever overlap."""
    in_flight, busy, total = 0, 0, 0
    for step in recording.steps:
        if step.kind == "iaa.landed":
            in_flight -= 1
        if in_flight:
            busy += 1
            total += in_flight
        if step.kind == "iaa.queued":
            in_flight += 1
    return total / busy if busy else 0.0


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _name(code: int) -> str:
    return "0" if not code else f"-{errno.errorcode[-code]}"
