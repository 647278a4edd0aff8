"""The timeline of a finding: rows that go down in virtual time, one per event, and a lane for each task beside them.

`swaplab stress` draws it on a terminal, `page` as HTML; neither is known here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from .recording import Lane, Recording, Step
from .report import Finding
from .words import callback, duration, waiting
from .world import Note

MOST_CALLERS = 2
NEIGHBOURS = 4
"""Rows that stay on both sides of what is noted where a long timeline is folded. The last ones fill it up."""


class Kind(StrEnum):
    """What a row tells."""

    EVENT = "event"
    CALLBACK = "callback"
    LATER = "later"
    CANCEL = "cancel"
    SENT = "sent"
    FAULT = "fault"
    LOG = "log"
    BROKEN = "broken"
    FOLDED = "folded"


BEFORE = (Kind.LATER, Kind.FAULT, Kind.LOG, Kind.FOLDED)
BEHIND = (Kind.CANCEL, Kind.SENT, Kind.BROKEN)
"""Rows that stand before and behind the row of their event."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: when it was (ns, and during which event), in which lane, and what is to be said."""

    kind: Kind
    ns: int
    event: int
    lane: int | None
    text: str
    is_end: bool = False
    """Whether the task of this lane ends here."""
    callers: tuple[str, ...] = ()
    """Who awaits the function in which it stands, the innermost last."""

    def chained(self, callers: int = MOST_CALLERS) -> str:
        """What is to be said, with the innermost `callers` before the function."""
        chain = "".join(f"{caller} > " for caller in (self.callers[-callers:] if callers else ()))
        return self.text.replace(" in ", f" in {chain}", 1)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes from left to right, and rows from top to bottom."""

    lanes: tuple[Lane, ...]
    rows: tuple[Row, ...]

    def state(self, lane: int, row: Row) -> str:
        """What a lane shows in a row: nothing (""), a task that is alive ("alive"), or what happens to it there."""
        if lane == row.lane:
            return "end" if row.is_end else str(row.kind)
        one = self.lanes[lane]
        begun = row.event > one.born or (row.event == one.born and row.kind in BEHIND)
        over = one.over and (row.event > one.over or (row.event == one.over and row.kind not in BEFORE))
        return "alive" if begun and not over else ""


def timeline(finding: Finding, most: int) -> Timeline:
    """The timeline of a finding, folded if it has more than about `most` rows."""
    recording = finding.recording
    return Timeline(recording.lanes, tuple(_folded(list(_rows(finding, recording)), most)))


def _rows(finding: Finding, recording: Recording) -> Iterator[Row]:
    """All rows, in the order in which things happened."""
    run = finding.run
    lane_of = {lane.who: index for index, lane in enumerate(recording.lanes)}
    notes: dict[int, list[tuple[Kind, Note]]] = {}
    for kind, told in ((Kind.FAULT, run.faults), (Kind.LOG, run.told)):
        for note in told:
            notes.setdefault(note.event, []).append((kind, note))
    before_ns = recording.steps[0].ns if recording.steps else 0
    if unrecorded := recording.steps[0].number - 1 if recording.steps else 0:
        yield Row(Kind.FOLDED, 0, 0, None, _more(unrecorded))
    for step in recording.steps:
        if step.ns > before_ns:
            yield Row(Kind.LATER, step.ns, step.number, None, f"{duration(step.ns - before_ns)} later")
        before_ns = step.ns
        for kind, note in notes.get(step.number, ()):
            yield Row(kind, note.ns, note.event, lane_of.get(note.who or 0), note.what)
        yield _event(recording, lane_of, step)
        yield from _sent(recording, lane_of, step)
        if step.number == run.cancelled_after and run.cancel is not None:
            yield _cancel(finding, lane_of, step)
    last = recording.steps[-1] if recording.steps else Step(0, 0, 0, "")
    for broken in run.broken:
        yield Row(Kind.BROKEN, last.ns, last.number, None, broken)


def _event(recording: Recording, lane_of: dict[int | str, int], step: Step) -> Row:
    lane = lane_of.get(step.who)
    if lane is None:
        return Row(Kind.CALLBACK, step.ns, step.number, None, callback(str(step.who)))
    is_end = recording.lanes[lane].over == step.number
    callers = tuple(caller.rpartition("<locals>.")[2] for caller in step.callers[-MOST_CALLERS:])
    return Row(Kind.EVENT, step.ns, step.number, lane, waiting(step.where), is_end, callers)


def _sent(recording: Recording, lane_of: dict[int | str, int], step: Step) -> Iterator[Row]:
    """Cancellations that the program sends itself."""
    for who in step.cancelled:
        by = f" by {recording.name_of(step.who)}" if step.who in lane_of else f": {callback(str(step.who))}"
        said = " by itself" if who == step.who else by
        yield Row(Kind.SENT, step.ns, step.number, lane_of[who], f"is cancelled{said}")


def _cancel(finding: Finding, lane_of: dict[int | str, int], step: Step) -> Row:
    cancel = finding.run.cancel
    assert cancel is not None
    lane = lane_of.get(finding.recording.cancelled)
    times = "" if cancel.times == 1 else " twice in a row"
    events = "1 event" if cancel.k == 1 else f"{cancel.k} events"
    return Row(Kind.CANCEL, step.ns, step.number, lane, f"is cancelled{times}, {events} after it was made")


def _folded(rows: list[Row], most: int) -> Iterator[Row]:
    """Leave out events far from anything that is noted, and long before the end, if there are too many rows."""
    if len(rows) <= most:
        yield from rows
        return
    kept: set[int] = set()
    for index, row in enumerate(rows):
        if row.kind in (Kind.CANCEL, Kind.FAULT, Kind.LOG, Kind.BROKEN, Kind.FOLDED):
            kept.update(range(max(index - NEIGHBOURS, 0), min(index + NEIGHBOURS + 1, len(rows))))
    kept = set(sorted(kept)[-most:])
    last = (index for index in reversed(range(len(rows))) if index not in kept)
    kept.update(islice(last, most - len(kept)))
    yield from _with_gaps(rows, sorted(kept))


def _with_gaps(rows: Sequence[Row], shown: Sequence[int]) -> Iterator[Row]:
    before = -1
    for index in shown:
        left_out = sum(row.kind is not Kind.LATER for row in rows[before + 1 : index])
        if left_out:
            first = rows[before + 1]
            yield Row(Kind.FOLDED, first.ns, first.event, None, _more(left_out))
        yield rows[index]
        before = index


def _more(events: int) -> str:
    return f"{events} more event{'s' * (events > 1)}"
