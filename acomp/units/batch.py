"""The batch: some units, by columns, and what became of each. What an algorithm's primitive works on."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..errors import ProtocolError
from ..request import PENDING
from ..sg import Path


class Units:
    """Independent units of work: `sources[i]` may become at most `capacities[i]` bytes.

    Whoever does the work fills `outcomes`: the bytes, or a negative errno that is not a pending one. It changes `paths`
    where a unit did not go the usual way; `unreported` is how many failed units the return value of a request does not
    tell of (v14 as posted, for learners). Columns and no object for each unit: they are made once a batch.
    """

    __slots__ = ("capacities", "outcomes", "paths", "sources", "unreported")

    def __init__(self, sources: Sequence[Any], capacities: Sequence[int], path: Path = "software") -> None:
        self.sources = sources
        self.capacities = capacities
        self.outcomes: Sequence[Any] = ()
        self.paths: list[Path] = [path] * len(sources)
        self.unreported = 0

    def __len__(self) -> int:
        return len(self.sources)

    def __repr__(self) -> str:
        return f"<Units: {len(self.sources)}, {len(self.outcomes)} done>"

    def part(self, first: int, count: int) -> "Units":
        """At most `count` of them, from `first` on, as a batch."""
        part = Units(self.sources[first : first + count], self.capacities[first : first + count])
        part.paths = self.paths[first : first + count]
        return part

    def check_complete(self) -> None:
        """ProtocolError unless there is an outcome for each unit."""
        if len(self.outcomes) != len(self.sources):
            raise ProtocolError(
                f"an operation on {len(self.sources)} units ended in {self.outcomes!r}; an outcome for each is needed"
            )


def checked_code(outcome: Any) -> int:
    """An outcome that is not bytes; ProtocolError unless it is a negative errno, and final."""
    if type(outcome) is not int or outcome >= 0 or outcome in PENDING:
        raise ProtocolError(f"a unit ends in bytes or in a negative errno that is final, not in {outcome!r}")
    return outcome


UnitOperation = Callable[[Units], Awaitable[int]]
"""An algorithm's primitive: does the units, fills their outcomes and ends in 0.

Or in a negative errno, with no unit begun: then that is the outcome of each.
"""
