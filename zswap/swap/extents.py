"""What a range of pages consists of, as runs: the way to copy a large sparse thing without reading all of it.

Read off the page map of a `Swap` and its zero map. Gaps of the map are passed in one step, so that a range without
pages costs next to nothing, however long it is.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Literal

from ..inventory.slot_map import EMPTY, SlotMap
from .parts import ZERO

Kind = Literal["data", "zero", "hole"]
Extent = tuple[int, Kind]
"""How many pages, and what they are."""


def extents_of(pages: SlotMap, marks: bytearray, offset: int, nr_pages: int) -> Iterator[Extent]:
    """The range as runs; `marks` says of each slot that has a page whether that is all zeroes."""
    zero = ZERO[0]

    def kind_of(slot: int) -> Kind:
        return "hole" if slot == EMPTY else "zero" if marks[slot] == zero else "data"

    def pieces() -> Iterator[Extent]:
        at = offset
        for first, slots in pages.parts(offset, nr_pages):
            if first > at:
                yield first - at, "hole"
            for kind, run in groupby(map(kind_of, slots)):
                yield len(list(run)), kind
            at = first + len(slots)
        if at < offset + nr_pages:
            yield offset + nr_pages - at, "hole"

    for kind, run in groupby(pieces(), key=lambda piece: piece[1]):
        yield sum(length for length, _ in run), kind
