"""The inventory: which entries there are, published in the tree or not yet, and what each of them holds.

Every change of an entry's life is one call here, synchronous and complete: make, fill, publish, remove. So whoever is
interrupted between two calls leaves nothing half done (kernel-facts 11.7, 11.8, 13.4).
"""

from collections.abc import Iterable
from errno import ENOMEM
from typing import Final

from acomp import fault

from .entries import NO_ENTRY, NO_HANDLE, EntryTable
from .lru import LruList, LruTable
from .pool import Pool, PoolList
from .tree import SlotMap

ZPOOL_MALLOC: Final = fault.declare(
    "zswap.zpool_malloc", "the allocator has no memory (-ENOMEM): reject_alloc_fail, the folio is not stored"
)
TREE_INSERT: Final = fault.declare(
    "zswap.tree_insert", "no memory for a node of the tree: reject_alloc_fail, the folio is not stored"
)


class Inventory:
    """All entries of a store. `entries` is the table, `tree` finds a published entry by its slot, `lrus` by age."""

    __slots__ = ("_pools", "entries", "lrus", "tree")

    def __init__(self, pools: PoolList) -> None:
        self._pools = pools
        self.entries = EntryTable()
        self.lrus = LruTable(self.entries)
        self.tree = SlotMap()

    @property
    def stored_pages(self) -> int:
        """Published entries."""
        return len(self.tree)

    def make(self, nr: int) -> list[int] | None:
        """Allocate `nr` entries, or none and None."""
        made: list[int] = []
        for _ in range(nr):
            entry = self.entries.alloc()
            if entry == NO_ENTRY:
                self.discard(made, None)
                return None
            made.append(entry)
        return made

    def fill(self, entry: int, pool: Pool, blob: bytes) -> int:
        """Put a compressed page into the allocator: 0, or its negative errno."""
        failing = fault.decider is not None and fault.should_fail(ZPOOL_MALLOC)
        handle = -ENOMEM if failing else pool.zs.malloc(len(blob))
        if handle < 0:
            return handle
        self.entries.handle[entry] = handle
        self.entries.blob[entry] = blob
        return 0

    def discard(self, entries: Iterable[int], pool: Pool | None) -> None:
        """Free entries that were not published, with their blobs in `pool` as far as they have some."""
        for entry in entries:
            handle = self.entries.handle[entry]
            if handle != NO_HANDLE:
                assert pool is not None
                pool.zs.free(handle)
            self.entries.free(entry)

    def publish(self, slot: int, entry: int, pool: Pool, lru: LruList) -> bool:
        """Put a filled entry into the tree, in place of what was there; False, and nothing changed, without memory.

        The order of 13.4 step 3: insert, free the replaced one, references, charge, fields, LRU last.
        """
        if fault.decider is not None and fault.should_fail(TREE_INSERT):
            return False
        old = self.tree.put(slot, entry)
        if old != NO_ENTRY:
            self._free(old)
        pool.refs += 1
        entries = self.entries
        if lru.cgroup is not None:
            lru.cgroup.charge_zswap(self.length(entry))
        entries.slot[entry] = slot
        entries.pool[entry] = pool.id
        entries.referenced[entry] = 1
        lru.add(entry)
        return True

    def remove(self, slot: int) -> bool:
        """Take whatever is at `slot` out of the tree and free it; whether there was something."""
        entry = self.tree.pop(slot)
        if entry == NO_ENTRY:
            return False
        self._free(entry)
        return True

    def remove_range(self, first: int, nr: int) -> int:
        """`remove` for each of these slots; how many held something."""
        return sum(map(self.remove, self.tree.within(first, nr)))

    def clear(self) -> None:
        """Remove everything."""
        for slot in list(self.tree):
            self.remove(slot)

    def length(self, entry: int) -> int:
        """Bytes of an entry's compressed page."""
        blob = self.entries.blob[entry]
        assert blob is not None
        return len(blob)

    def pool_of(self, entry: int) -> Pool:
        """The pool that holds a published entry's page."""
        return self._pools[self.entries.pool[entry]]

    def lru_of(self, entry: int) -> LruList:
        """The LRU that a published entry is on."""
        return self.lrus.lists[self.entries.lru[entry]]

    def _free(self, entry: int) -> None:
        """Free a published entry that left the tree, in the order of 11.8."""
        entries = self.entries
        lru = self.lrus.lists[entries.lru[entry]]
        lru.remove(entry)
        pool = self._pools[entries.pool[entry]]
        pool.zs.free(entries.handle[entry])
        if lru.cgroup is not None:
            lru.cgroup.uncharge_zswap(self.length(entry))
        entries.free(entry)
        pool.put()
