"""The LRUs: one per (cgroup, memory node), shared by all pools; new entries at the tail, reclaim at the head.

Links are columns of the entry table, so that an entry is on its list without an object of its own. Each list has the
lock that processes share in the cost model: it is held only across charges, and without a cost model nothing suspends
while holding it.
"""

import itertools
from collections.abc import Sequence
from typing import Final

from acomp import fault

from ..cgroup import Cgroup
from ..mutex import Mutex
from .entries import NO_ENTRY, POOL_BITS, POOL_MASK, EntryTable

LRU_ALLOC: Final = fault.declare(
    "zswap.lru_alloc", "no memory for the LRU of a cgroup and node: the folio is not stored and no reject counter ticks"
)


class LruList:
    """The entries of one cgroup (None: of nobody) on one node, least recently stored first."""

    __slots__ = ("_entries", "cgroup", "head", "index", "length", "lock", "node", "protected", "tail")

    def __init__(self, entries: EntryTable, index: int, cgroup: Cgroup | None, node: int) -> None:
        self._entries = entries
        self.index = index
        self.cgroup = cgroup
        self.node = node
        self.lock = Mutex()
        self.head = NO_ENTRY
        self.tail = NO_ENTRY
        self.length = 0
        self.protected = 0
        """Recent swap-ins from disk. The dynamic shrinker offers so many entries less, and uses the number up."""

    def __repr__(self) -> str:
        owner = self.cgroup.path if self.cgroup is not None else "no cgroup"
        return f"<LruList of {owner}, node {self.node}: {self.length} entries>"

    def add(self, new: Sequence[int]) -> None:
        """Put entries at the tail, in this order; one at least."""
        prev, following = self._entries.prev, self._entries.next
        before = self.tail
        for entry in new:
            prev[entry] = before
            if before != NO_ENTRY:
                following[before] = entry
            before = entry
        following[before] = NO_ENTRY
        self.add_linked(new)

    def add_linked(self, new: Sequence[int]) -> None:
        """`add` for entries that are linked already, to each other and to the tail (`EntryTable.describe`)."""
        if self.tail == NO_ENTRY:
            self.head = new[0]
        else:
            self._entries.next[self.tail] = new[0]
        self.tail = new[-1]
        self.length += len(new)

    def remove(self, gone: Sequence[int]) -> None:
        """Take entries off the list, one at least. Those that are neighbours here and in `gone` go in one piece."""
        following = self._entries.next
        first = last = gone[0]
        for entry in gone[1:]:
            if following[last] != entry:
                self._cut(first, last)
                first = entry
            last = entry
        self._cut(first, last)
        self.length -= len(gone)

    def _cut(self, first: int, last: int) -> None:
        """Join the neighbours of a piece of the list."""
        prev, following = self._entries.prev, self._entries.next
        before, after = prev[first], following[last]
        if before == NO_ENTRY:
            self.head = after
        else:
            following[before] = after
        if after == NO_ENTRY:
            self.tail = before
        else:
            prev[after] = before

    def rotate(self, entry: int) -> None:
        """Move an entry to the tail."""
        self.remove([entry])
        self.add([entry])


class LruTable:
    """All LRUs of a store. They are made when a folio of their cgroup and node first comes, and go with the cgroup."""

    __slots__ = ("_by_owner", "_entries", "_free", "lists")

    def __init__(self, entries: EntryTable) -> None:
        self._entries = entries
        self._by_owner: dict[Cgroup | None, dict[int, LruList]] = {}
        self._free: list[int] = []
        self.lists: list[LruList] = []
        """By index. The list of a cgroup that went is empty and keeps its place until that is used again."""

    def __len__(self) -> int:
        """Entries on all lists."""
        return sum(lru.length for lru in self.lists)

    def owners(self) -> list[Cgroup | None]:
        """Every cgroup that has lists (None: nobody), in the order in which they first came."""
        return list(self._by_owner)

    def find(self, cgroup: Cgroup | None, node: int) -> LruList | None:
        """The list of that cgroup and node, if it was ever needed."""
        nodes = self._by_owner.get(cgroup)
        return None if nodes is None else nodes.get(node)

    def ensure(self, cgroup: Cgroup | None, node: int) -> LruList | None:
        """The list of that cgroup and node, made if need be; None when there is no memory for it."""
        lru = self.find(cgroup, node)
        if lru is None and not fault.should_fail(LRU_ALLOC):
            lru = self._make(cgroup, node)
        return lru

    def of(self, cgroup: Cgroup | None) -> list[LruList]:
        """The lists of one cgroup, by node."""
        nodes = self._by_owner.get(cgroup, {})
        return [nodes[node] for node in sorted(nodes)]

    def heir_of(self, lru: LruList) -> LruList:
        """Where entries of that list belong now: there, or on its heir's list when its cgroup is offline."""
        if lru.cgroup is None or lru.cgroup.online:
            return lru
        heir = lru.cgroup.heir
        return self.find(heir, lru.node) or self._make(heir, lru.node)

    def reparent(self, cgroup: Cgroup) -> None:
        """A cgroup went offline: its entries join the lists of its heir, oldest first, behind what is there.

        With them go its own charges; the heir was charged for them all along.
        """
        gone = list(itertools.takewhile(lambda one: not one.online, cgroup.lineage))
        home = self._entries.home
        for lru in self.of(cgroup):
            heir = self.heir_of(lru)
            while lru.head != NO_ENTRY:
                entry = lru.head
                lru.remove([entry])
                heir.add([entry])
                home[entry] = heir.index << POOL_BITS | home[entry] & POOL_MASK
                for one in gone:
                    one.forget_zswap(len(self._entries.blob[entry] or b""))
            self._free.append(lru.index)
        self._by_owner.pop(cgroup, None)

    def _make(self, cgroup: Cgroup | None, node: int) -> LruList:
        index = self._free.pop() if self._free else len(self.lists)
        lru = LruList(self._entries, index, cgroup, node)
        self.lists[index : index + 1] = [lru]
        self._by_owner.setdefault(cgroup, {})[node] = lru
        return lru
