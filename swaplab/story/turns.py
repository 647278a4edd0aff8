"""How long a run takes in turns: every job takes an engine one turn, and all else takes none.

Events have no times that would mean anything, but their order says what waited for what. So runs can be compared.
Knows events, and nothing of scripts.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .answer import Event
from .polling import row_of


class _Queued(NamedTuple):
    """A job that waits for an engine: the greatest turn of all that had landed by then, and how many on its device."""

    over: int
    landings: int


def turns(events: Sequence[Event]) -> int:
    """How many turns the run takes: that of the job that comes last, 0 if no engine has begun with any."""
    return max(_turns(events), default=0)


def engines_busy(events: Sequence[Event]) -> float:
    """Engines that work at a time, on average over the turns: 1.0 if each job waits for the one before."""
    found = list(_turns(events))
    return len(found) / max(found, default=1)


def _turns(events: Sequence[Event]) -> Iterator[int]:
    """The turn of each job that an engine has begun with.

    It is the next one after all that the job has waited for: whatever had landed before it was in its queue, and, if
    no engine of its device was free, the job that landed there last.
    """
    queued: dict[str | None, _Queued] = {}
    working: dict[str | None, int] = {}
    landed: dict[object, list[int]] = {}  # by device: the turns, in order
    over = 0
    for event in events:
        row, of_device = row_of(event), landed.setdefault(event.fields.get("device"), [])
        if event.kind == "iaa.queued":
            queued[row] = _Queued(over, len(of_device))
        elif event.kind == "iaa.start":
            waited_for, landings = queued.pop(row)
            freed = of_device[-1] if len(of_device) > landings else 0
            working[row] = 1 + max(waited_for, freed)
            yield working[row]
        elif event.kind == "iaa.landed" and row in working:
            of_device.append(working.pop(row))
            over = max(over, of_device[-1])
