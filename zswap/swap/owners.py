"""Whose page lies in which slot: the (cgroup, memory node) of each slot of a swap device, 4 bytes a slot.

`Swap` sets it with the slot and asks when a page comes back. An owner is kept as long as it has slots, so that cgroups
come and go without number.
"""

from array import array
from collections import Counter

from ..cgroup import Cgroup

Owner = tuple[Cgroup | None, int]


class SlotOwners:
    """The owners of the slots 0 .. nr_slots - 1. Owners have indices, which are used again."""

    __slots__ = ("_free", "_index", "_of_slot", "_owners", "_slots")

    def __init__(self, nr_slots: int) -> None:
        self._of_slot = array("I", [0]) * nr_slots
        self._index: dict[Owner, int] = {}
        self._owners: list[Owner] = []
        self._slots: list[int] = []  # by index: how many are the owner's
        self._free: list[int] = []

    def __len__(self) -> int:
        """Owners that have slots."""
        return len(self._index)

    def __getitem__(self, slot: int) -> Owner:
        """Whose a slot is, if it is anybody's."""
        return self._owners[self._of_slot[slot]]

    def take(self, slot: int, nr: int, owner: Owner) -> None:
        """These slots, which were nobody's, are this owner's."""
        index = self._index.get(owner)
        if index is None:
            index = self._index[owner] = self._free.pop() if self._free else self._new()
            self._owners[index] = owner
        self._slots[index] += nr
        self._of_slot[slot : slot + nr] = array("I", [index]) * nr

    def drop(self, slot: int, nr: int) -> None:
        """These slots are nobody's; an owner without slots is forgotten."""
        for index, count in Counter(self._of_slot[slot : slot + nr]).items():
            self._slots[index] -= count
            if not self._slots[index]:
                del self._index[self._owners[index]]
                self._owners[index] = (None, 0)
                self._free.append(index)

    def _new(self) -> int:
        self._owners.append((None, 0))
        self._slots.append(0)
        return len(self._owners) - 1
