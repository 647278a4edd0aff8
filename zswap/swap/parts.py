"""What the paths of a swap space share: one of each part, and what is known of its slots. No policy.

A page of the caller's memory has a slot as long as it is stored. The slot has an owner, and a mark that says what lies
there; where a page is that is no zero page, the store below knows, or it is on the device.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from acomp import PAGE_SIZE

from ..folio import Folio
from ..inventory.slot_map import SlotMap
from ..slot_locks import SlotLocks
from ..wait_group import WaitGroup
from ..zswap import Zswap
from .device_io import DeviceIo
from .owners import Owner, SlotOwners
from .slots import SwapSlots

ZERO_PAGE: Final = bytes(PAGE_SIZE)
"""A page of zeroes; every zero page that is read is this object."""

NOBODY: Final[Owner] = (None, 0)
"""The owner of a page that belongs to no cgroup."""

# What is marked of each slot. A free one is as one whose page is being stored: nothing can be found there.
NOTHING: Final = b"\0"
ZERO: Final = b"\1"
STORED: Final = b"\2"


@dataclass(slots=True, kw_only=True)
class SwapParts:
    """The parts of one swap space."""

    zswap: Zswap
    slots: SwapSlots
    io: DeviceIo
    at_home: bool
    """Whether a page gets the slot of its own number where it can."""
    owners: SlotOwners
    marks: bytearray
    locks: SlotLocks = field(default_factory=SlotLocks)
    """Of pages."""
    pages: SlotMap = field(default_factory=SlotMap)
    """The slot of each page."""
    in_flight: WaitGroup = field(default_factory=WaitGroup)
    state: Literal["new", "open", "closed"] = "new"

    def allocate(self, offset: int, nr_pages: int) -> int:
        """The first of so many free slots for the pages from `offset` on, taken; NO_SLOT if there is no such run."""
        if self.at_home and self.slots.take(offset, nr_pages):
            return offset
        return self.slots.allocate(nr_pages)

    def map(self, slot: int, folio: Folio) -> None:
        """The folio's pages have the slots from `slot` on from now on."""
        self.owners.take(slot, folio.nr_pages, (folio.cgroup, folio.node))
        self.pages.put_range(folio.offset, range(slot, slot + folio.nr_pages))

    def unmap(self, offset: int, nr_pages: int) -> list[int]:
        """Take these pages off the map: the slots that they had, which are the caller's now."""
        return self.pages.pop_range(offset, nr_pages)

    def give_back(self, slots: list[int]) -> None:
        """These slots are free, and what the zero map and the store know of them is forgotten."""
        for slot, count in runs(slots):
            self.mark(slot, count, NOTHING)
            self.owners.drop(slot, count)
            if self.state == "open":
                self.zswap.invalidate(slot, count)
            self.slots.free(slot, count)

    def forget(self, offset: int, nr_pages: int) -> int:
        """Take these pages off the map and give their slots back; how many there were."""
        slots = self.unmap(offset, nr_pages)
        self.give_back(slots)
        return len(slots)

    def mark(self, slot: int, nr_pages: int, mark: bytes) -> None:
        """Say what lies in these slots."""
        self.marks[slot : slot + nr_pages] = mark * nr_pages

    def is_zero(self, slot: int) -> bool:
        """Whether the page at this slot is all zeroes."""
        return self.marks[slot] == ZERO[0]

    def load_zero(self, slot: int) -> bool:
        """Whether the page at this slot is all zeroes; then it counts as loaded."""
        if not self.is_zero(slot):
            return False
        self.zswap.events["swpin_zero"] += 1
        cgroup, _ = self.owners[slot]
        if cgroup is not None:
            cgroup.count("swpin_zero")
        return True

    async def read_device(self, slot: int, nr_pages: int) -> list[bytes]:
        """Pages that were written to the device, or written back to it."""
        owners = [self.owners[slot + i] for i in range(nr_pages)]
        data = await self.io.read(slot, nr_pages)
        self.zswap.events["pswpin"] += nr_pages
        for owner in owners:
            self.zswap.protect(*owner)
        return [data[at : at + PAGE_SIZE] for at in range(0, len(data), PAGE_SIZE)]


def runs(slots: list[int]) -> Iterator[tuple[int, int]]:
    """Slots as runs of consecutive ones: the first of each, and how many."""
    if slots and slots == list(range(slots[0], slots[0] + len(slots))):  # as a rule
        yield slots[0], len(slots)
        return
    start = 0
    for i in range(1, len(slots) + 1):
        if i == len(slots) or slots[i] != slots[i - 1] + 1:
            yield slots[start], i - start
            start = i
