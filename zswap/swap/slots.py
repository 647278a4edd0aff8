"""Which slots of a swap device are taken: clusters of 512, contiguous runs for large folios.

A run of a power of two is naturally aligned and never crosses a cluster. Device I/O holds the slots it works on: one
that is freed meanwhile comes back into use only when the I/O has landed, because a write cannot be recalled.
"""

from array import array
from typing import Final

CLUSTER: Final = 512
"""Slots of a cluster, and so the longest run."""

NO_SLOT: Final = -1
"""Instead of a slot: there is no such run."""

_FREE, _USED = b"\0", b"\1"


class SwapSlots:
    """The slots 0 .. nr_slots - 1 of one device."""

    __slots__ = ("_clusters", "_cursor", "_doomed", "_held", "_map", "_room", "nr_slots", "used")

    def __init__(self, nr_slots: int) -> None:
        self.nr_slots = nr_slots
        self.used = 0
        """Slots that are allocated, or freed but still held by I/O."""
        self._map = bytearray(nr_slots)
        self._clusters = -(-nr_slots // CLUSTER)
        self._room = array("H", [CLUSTER]) * self._clusters
        self._room[-1] = nr_slots - (self._clusters - 1) * CLUSTER
        self._cursor = [0] * (CLUSTER.bit_length() + 1)  # per order of run: the cluster that served the last one
        self._held: dict[int, int] = {}  # by slot: how many I/Os work on it
        self._doomed: set[int] = set()  # freed while held

    def __repr__(self) -> str:
        return f"<SwapSlots {self.used} of {self.nr_slots} used, {len(self._held)} held by I/O>"

    def allocate(self, nr: int = 1) -> int:
        """The first of `nr` contiguous slots, taken; NO_SLOT when there is no such run."""
        if not 1 <= nr <= CLUSTER:
            return NO_SLOT
        order = nr.bit_length()
        start = self._cursor[order]
        for step in range(self._clusters):
            cluster = (start + step) % self._clusters
            if self._room[cluster] >= nr:
                slot = self._run_in(cluster, nr)
                if slot != NO_SLOT:
                    self._cursor[order] = cluster
                    self._map[slot : slot + nr] = _USED * nr
                    self._room[cluster] -= nr
                    self.used += nr
                    return slot
        return NO_SLOT

    def take(self, slot: int, nr: int = 1) -> bool:
        """Take just these slots, if all of them are there and free."""
        if slot + nr > self.nr_slots or self._map.find(_USED, slot, slot + nr) >= 0:
            return False
        self._map[slot : slot + nr] = _USED * nr
        while nr:
            cluster = slot // CLUSTER
            here = min(nr, (cluster + 1) * CLUSTER - slot)
            self._room[cluster] -= here
            self.used += here
            slot, nr = slot + here, nr - here
        return True

    def free(self, slot: int, nr: int = 1) -> None:
        """Give slots back; those under I/O when that has landed."""
        cluster = slot // CLUSTER
        if not self._held and (slot + nr - 1) // CLUSTER == cluster:  # as a rule; the same, all at once
            assert _USED * nr == self._map[slot : slot + nr], f"slots {slot} .. {slot + nr - 1} are not all taken"
            self._map[slot : slot + nr] = _FREE * nr
            self._room[cluster] += nr
            self.used -= nr
            return
        for one in range(slot, slot + nr):
            assert self._map[one : one + 1] == _USED and one not in self._doomed, f"slot {one} is free already"
            if one in self._held:
                self._doomed.add(one)
            else:
                self._give_back(one)

    def is_held(self, slot: int) -> bool:
        """Whether I/O works on this slot."""
        return slot in self._held

    def hold(self, slot: int, nr: int = 1) -> None:
        """I/O begins on these slots."""
        for one in range(slot, slot + nr):
            self._held[one] = self._held.get(one, 0) + 1

    def drop(self, slot: int, nr: int = 1) -> None:
        """That I/O has landed."""
        for one in range(slot, slot + nr):
            self._held[one] -= 1
            if not self._held[one]:
                del self._held[one]
                if one in self._doomed:
                    self._doomed.remove(one)
                    self._give_back(one)

    def _run_in(self, cluster: int, nr: int) -> int:
        """A free run in this cluster, aligned if its length is a power of two."""
        align = nr if nr & (nr - 1) == 0 else 1
        position, end = cluster * CLUSTER, min((cluster + 1) * CLUSTER, self.nr_slots)
        wanted = _FREE * nr
        while (found := self._map.find(wanted, position, end)) != -1:
            position = -(-found // align) * align
            if position == found:
                return found
        return NO_SLOT

    def _give_back(self, slot: int) -> None:
        self._map[slot : slot + 1] = _FREE
        self._room[slot // CLUSTER] += 1
        self.used -= 1
