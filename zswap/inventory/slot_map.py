"""The tree: which entry holds which slot (the kernel's xarray, one per 64 MiB of swap space; here one for all).

Leaves of 64 slots, made when a slot of theirs is first used and dropped with the last one, so that neither dense nor
sparse offsets cost much. It knows numbers only; what an entry is, `entries` knows.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final

_LEAF_BITS: Final = 6
_LEAF_SLOTS: Final = 1 << _LEAF_BITS
_MASK: Final = _LEAF_SLOTS - 1
_COUNT: Final = _LEAF_SLOTS  # the last item of a leaf counts its used slots

EMPTY: Final = -1
"""The value of a slot that holds nothing."""
_EMPTIES: Final = array("i", [EMPTY]) * _LEAF_SLOTS


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

    def values(self, first: int, nr: int) -> list[int]:
        """What the slots `first` .. `first + nr - 1` hold, in the order of the slots, without those that are EMPTY."""
        found: list[int] = []
        for key, start, end in self._pieces(first, nr):
            found += self._leaves[key][start:end]
        return [value for value in found if value != EMPTY] if EMPTY in found else found

    def window(self, first: int, nr: int) -> list[int]:
        """What the slots `first` .. `first + nr - 1` hold, one value each, EMPTY among them."""
        held = [EMPTY] * nr
        for start, values in self.parts(first, nr):
            held[start - first : start - first + len(values)] = values
        return held

    def parts(self, first: int, nr: int) -> Iterator[tuple[int, list[int]]]:
        """The same without the large gaps: parts in ascending order, the first slot of each and what its slots hold.

        Between two parts everything is EMPTY. Whoever changes the map meanwhile may see some parts as they were.
        """
        for key, start, end in self._pieces(first, nr):
            leaf = self._leaves.get(key)
            if leaf is not None:
                yield key << _LEAF_BITS | start, leaf[start:end].tolist()

    def get(self, slot: int) -> int:
        """The value of `slot`, or EMPTY."""
        leaf = self._leaves.get(slot >> _LEAF_BITS)
        return EMPTY if leaf is None else leaf[slot & _MASK]

    def get_many(self, slots: Sequence[int]) -> list[int]:
        """The value of each of these slots, EMPTY among them."""
        if slots and slots[-1] - slots[0] == len(slots) - 1 and [*slots] == [*range(slots[0], slots[-1] + 1)]:
            return self.window(slots[0], len(slots))  # as neighbours lie as a rule
        return [*map(self.get, slots)]

    def put_range(self, first: int, values: Sequence[int]) -> list[int]:
        """Set the slots from `first` on to `values`, one at least; return what they held before, without EMPTY."""
        start = first & _MASK
        if start + len(values) <= _LEAF_SLOTS:
            return self._put_piece(first >> _LEAF_BITS, start, values)
        replaced: list[int] = []
        while values:
            start = first & _MASK
            nr = _LEAF_SLOTS - start
            replaced += self._put_piece(first >> _LEAF_BITS, start, values[:nr])
            first, values = first + nr, values[nr:]
        return replaced

    def pop_range(self, first: int, nr: int) -> list[int]:
        """Empty the slots `first` .. `first + nr - 1` and return what they held, as `values` does."""
        start = first & _MASK
        if start + nr <= _LEAF_SLOTS:
            return self._pop_piece(first >> _LEAF_BITS, start, start + nr)
        popped: list[int] = []
        for key, start, end in self._pieces(first, nr):
            popped += self._pop_piece(key, start, end)
        return popped

    def _put_piece(self, key: int, start: int, values: Sequence[int]) -> list[int]:
        """`put_range` within a leaf."""
        leaf = self._leaves.get(key)
        if leaf is None:
            leaf = self._leaves[key] = array("i", [EMPTY]) * (_LEAF_SLOTS + 1)
            leaf[_COUNT] = 0
        end = start + len(values)
        old = leaf[start:end]
        leaf[start:end] = array("i", values)
        added = old.count(EMPTY)
        leaf[_COUNT] += added
        self._used += added
        return [] if added == len(values) else [value for value in old if value != EMPTY]

    def _pop_piece(self, key: int, start: int, end: int) -> list[int]:
        """`pop_range` within a leaf, which need not be there."""
        leaf = self._leaves.get(key)
        if leaf is None:
            return []
        held = leaf[start:end].tolist()
        if EMPTY in held:
            held = [value for value in held if value != EMPTY]
        if held:
            leaf[start:end] = _EMPTIES[start:end]
            leaf[_COUNT] -= len(held)
            self._used -= len(held)
            if not leaf[_COUNT]:
                del self._leaves[key]
        return held

    def _pieces(self, first: int, nr: int) -> list[tuple[int, int, int]]:
        """A range by leaves that are there: each one's key, and the part of it (start, end), in ascending order.

        Takes time proportional to the range, or to the leaves that are there if these are fewer.
        """
        end = first + nr
        low, high = first >> _LEAF_BITS, end - 1 >> _LEAF_BITS
        if high - low <= len(self._leaves):
            keys = [key for key in range(low, high + 1) if key in self._leaves]
        else:
            keys = sorted(key for key in self._leaves if low <= key <= high)
        return [
            (key, first & _MASK if key == low else 0, (end - 1 & _MASK) + 1 if key == high else _LEAF_SLOTS)
            for key in keys
        ]
