"""The tree: which entry holds which slot (the kernel's xarray, one per 64 MiB of swap space; here one for all).

Leaves of 64 slots, made when a slot of theirs is first used and dropped with the last one, so that neither dense nor
sparse offsets cost much. It knows numbers only; what an entry is, `entries` knows.
"""

from array import array
from collections.abc import Iterator
from typing import Final

_LEAF_BITS: Final = 6
_LEAF_SLOTS: Final = 1 << _LEAF_BITS
_MASK: Final = _LEAF_SLOTS - 1
_COUNT: Final = _LEAF_SLOTS  # the last item of a leaf counts its used slots

EMPTY: Final = -1
"""The value of a slot that holds nothing."""


class SlotMap:
    """A map from slots to small integers >= 0; about 5 bytes per dense slot."""

    __slots__ = ("_leaves", "_used")

    def __init__(self) -> None:
        self._leaves: dict[int, array[int]] = {}
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def __iter__(self) -> Iterator[int]:
        """The slots that hold something, in ascending order."""
        for key in sorted(self._leaves):
            leaf = self._leaves[key]
            for index in range(_LEAF_SLOTS):
                if leaf[index] != EMPTY:
                    yield key << _LEAF_BITS | index

    def within(self, first: int, nr: int) -> list[int]:
        """Those of the slots `first` .. `first + nr - 1` that hold something, in ascending order.

        Takes time by what is asked for or by what is there, whichever is less.
        """
        end = first + nr
        low, high = first >> _LEAF_BITS, end - 1 >> _LEAF_BITS
        if high - low <= len(self._leaves):
            return [slot for slot in range(first, end) if self.get(slot) != EMPTY] if self._used else []
        keys = sorted(key for key in self._leaves if low <= key <= high)
        slots = (key << _LEAF_BITS | index for key in keys for index in range(_LEAF_SLOTS))
        return [slot for slot in slots if first <= slot < end and self.get(slot) != EMPTY]

    def get(self, slot: int) -> int:
        """The value of `slot`, or EMPTY."""
        leaf = self._leaves.get(slot >> _LEAF_BITS)
        return EMPTY if leaf is None else leaf[slot & _MASK]

    def put(self, slot: int, value: int) -> int:
        """Set `slot` and return what was there before, or EMPTY."""
        leaf = self._leaves.get(slot >> _LEAF_BITS)
        if leaf is None:
            leaf = self._leaves[slot >> _LEAF_BITS] = array("i", [EMPTY]) * (_LEAF_SLOTS + 1)
            leaf[_COUNT] = 0
        old = leaf[slot & _MASK]
        leaf[slot & _MASK] = value
        if old == EMPTY:
            leaf[_COUNT] += 1
            self._used += 1
        return old

    def pop(self, slot: int) -> int:
        """Empty `slot` and return what was there, or EMPTY."""
        leaf = self._leaves.get(slot >> _LEAF_BITS)
        if leaf is None:
            return EMPTY
        old = leaf[slot & _MASK]
        if old != EMPTY:
            leaf[slot & _MASK] = EMPTY
            leaf[_COUNT] -= 1
            self._used -= 1
            if not leaf[_COUNT]:
                del self._leaves[slot >> _LEAF_BITS]
        return old
