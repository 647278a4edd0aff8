"""Histories of loads and stores, and whether there is an order that explains them.

Each slot of a store is a register. A history is *linearizable* if every operation can be thought to take effect at one
moment between its call and its return such that each load returns what was there (Herlihy and Wing, 1990). A store that
went well writes its page; one that failed or was cancelled, and an invalidation, write *empty*; a load takes, that is
reads and leaves empty; with `keep` it reads. A store of n pages is n operations, and is besides in the store as a whole
or not at all (I12): see `torn`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

EMPTY: Final = 0
"""What is at a slot without a page. Pages have numbers from 1 on."""
NEVER: Final = 1 << 62
"""The return of an operation that may take effect at any time after its call."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on one slot: what it wrote, or what it returned, between two readings of the history's clock.

    `optional`: it may have had no effect at all. With `returned=NEVER`, that is a cancelled operation of which nothing
    is known.
    """

    kind: Literal["write", "take", "read"]
    value: int
    called: int
    returned: int
    optional: bool = False

    def apply(self, state: int) -> int | None:
        """What is at the slot afterwards; None if the operation can not have happened then."""
        if self.kind == "write":
            return self.value
        if self.value != state:
            return None
        return EMPTY if self.kind == "take" else state


def linearizable(operations: Sequence[Operation], before: int = EMPTY) -> bool:
    """Whether an order explains what was done at one slot.

    Wing and Gong's search, with what was tried remembered (Lowe 2017): a state is which operations have taken effect,
    and what is at the slot.
    """
    ordered = sorted(operations, key=lambda operation: operation.called)
    required = sum(1 << number for number, operation in enumerate(ordered) if not operation.optional)
    tried: set[tuple[int, int]] = set()
    waiting = [(0, before)]
    while waiting:
        state = waiting.pop()
        if state in tried:
            continue
        tried.add(state)
        done, value = state
        if not required & ~done:
            return True
        waiting += _steps(ordered, done, value)
    return False


def _is_written(operations: Sequence[Operation]) -> bool:
    """Whether there is a single write and nothing else, as at most slots of a large folio."""
    return len(operations) == 1 and operations[0].kind == "write"


def _steps(ordered: Sequence[Operation], done: int, value: int) -> Iterable[tuple[int, int]]:
    """States after one more operation: one that was called before any of the others had returned."""
    horizon = NEVER
    for number, operation in enumerate(ordered):
        if done >> number & 1:
            continue
        if operation.called > horizon:
            return
        if not operation.optional:
            horizon = min(horizon, operation.returned)
        after = operation.apply(value)
        if after is not None:
            yield done | 1 << number, after


@dataclass(slots=True)
class FolioStore:
    """A store that went well: the value at each of its slots."""

    values: dict[int, int]
    called: int
    returned: int


@dataclass(slots=True)
class History:
    """What was done at the slots of one store. `tick` is its clock, which counts."""

    slots: defaultdict[int, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    folios: list[FolioStore] = field(default_factory=list)
    now: int = 0

    def tick(self) -> int:
        """Read the clock. No two readings are equal."""
        self.now += 1
        return self.now

    def note(self, slot: int, operation: Operation) -> None:
        """An operation on this slot has ended."""
        self.slots[slot].append(operation)

    def unexplained(self) -> list[int]:
        """Slots whose history no order explains."""
        return [
            slot for slot, operations in self.slots.items() if not (_is_written(operations) or linearizable(operations))
        ]

    def torn(self) -> list[FolioStore]:
        """Folios of which somebody saw one page, and then at another slot a page that was older (I12)."""
        return [folio for folio in self.folios if len(folio.values) > 1 and self._is_torn(folio)]

    def _is_torn(self, folio: FolioStore) -> bool:
        seen = min(
            (
                operation.returned
                for slot, value in folio.values.items()
                for operation in self.slots[slot]
                if operation.kind != "write" and operation.value == value
            ),
            default=NEVER,
        )
        return any(
            operation.called > seen and operation.kind != "write" and self._is_older(operation.value, slot, folio)
            for slot in folio.values
            for operation in self.slots[slot]
        )

    def _is_older(self, value: int, slot: int, folio: FolioStore) -> bool:
        """Whether this page was written there before the folio's store was called, and not again since."""
        writes = [
            operation.returned
            for operation in self.slots[slot]
            if operation.kind == "write" and operation.value == value
        ]
        return value != EMPTY and bool(writes) and max(writes) < folio.called
