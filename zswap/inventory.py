"""The inventory: which entries there are, published in the tree or not yet, and what each of them holds.

Every change in the life of entries is one call here, synchronous and complete: fill, publish, discard, remove. So
whoever is interrupted between two calls leaves nothing half done (kernel-facts 11.7, 11.8, 13.4).
"""

import itertools
from collections.abc import Iterable, Sequence
from errno import ENOMEM
from typing import Final

from acomp import fault

from .entries import NO_ENTRY, NO_HANDLE, EntryTable
from .folio import MAX_SLOTS
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

    def fill(self, entries: Sequence[int], pool: Pool, blobs: Sequence[bytes]) -> int:
        """Put a compressed page into the allocator for each entry: 0, or the negative errno of the first that failed.

        Entries come from `entries.alloc`; those filled before one that failed stay filled.
        """
        lengths: Sequence[int] = list(map(len, blobs))
        if fault.decider is not None:
            lengths = list(itertools.takewhile(lambda _: not fault.should_fail(ZPOOL_MALLOC), lengths))
        handles, err = pool.zs.malloc(lengths)
        if not err and len(handles) < len(entries):
            err = -ENOMEM
        handle_of, blob_of = self.entries.handle, self.entries.blob
        for entry, handle, blob in zip(entries, handles, blobs, strict=False):
            handle_of[entry] = handle
            blob_of[entry] = blob
        return err

    def discard(self, entries: Sequence[int], pool: Pool) -> None:
        """Free entries that were not published, with their blobs in `pool` as far as they have some."""
        handles = map(self.entries.handle.__getitem__, entries)
        pool.zs.free(handle for handle in handles if handle != NO_HANDLE)
        self.entries.free(entries)

    def publish(self, slot: int, entries: Sequence[int], pool: Pool, lru: LruList) -> int:
        """Put filled entries into the tree at consecutive slots, in place of what was there; returns how many.

        Fewer than all, the first ones, when there was no memory for the next. The order of 13.4 step 3: insert, free
        the replaced ones, references, charge, fields, LRU last.
        """
        if fault.decider is not None:
            entries = list(itertools.takewhile(lambda _: not fault.should_fail(TREE_INSERT), entries))
        replaced = self.tree.put_range(slot, entries)
        if replaced:
            self._free(replaced)
        nr = len(entries)
        pool.refs += nr
        table, pool_id = self.entries, pool.id
        if lru.cgroup is not None:
            lru.cgroup.charge_zswap(self._lengths(entries), nr)
        for entry in entries:
            table.slot[entry] = slot
            table.pool[entry] = pool_id
            table.referenced[entry] = 1
            slot += 1
        lru.add(entries)
        return nr

    def remove(self, slot: int) -> bool:
        """Take whatever is at `slot` out of the tree and free it; whether there was something."""
        entry = self.tree.pop(slot)
        if entry == NO_ENTRY:
            return False
        self._free([entry])
        return True

    def remove_range(self, first: int, nr: int) -> int:
        """`remove` for each of these slots; how many held something."""
        entries = self.tree.pop_range(first, nr)
        if entries:
            self._free(entries)
        return len(entries)

    def clear(self) -> None:
        """Remove everything."""
        self.remove_range(0, MAX_SLOTS)

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

    def _lengths(self, entries: Iterable[int]) -> int:
        """Bytes of these entries' compressed pages together."""
        return sum(map(len, map(self.entries.blob.__getitem__, entries)))  # type: ignore[arg-type] # filled: no None

    def _free(self, entries: Sequence[int]) -> None:
        """Free published entries that left the tree, in the order of 11.8; most often all of one list and pool."""
        table = self.entries
        kinds = list(zip(map(table.lru.__getitem__, entries), map(table.pool.__getitem__, entries), strict=True))
        distinct = dict.fromkeys(kinds)
        for kind in distinct:
            one_of = (
                entries if len(distinct) == 1 else [e for e, its in zip(entries, kinds, strict=True) if its == kind]
            )
            self._free_alike(one_of, self.lrus.lists[kind[0]], self._pools[kind[1]])

    def _free_alike(self, entries: Sequence[int], lru: LruList, pool: Pool) -> None:
        lru.remove(entries)
        length = pool.zs.free(map(self.entries.handle.__getitem__, entries))
        if lru.cgroup is not None:
            lru.cgroup.uncharge_zswap(length, len(entries))
        self.entries.free(entries)
        pool.put(len(entries))
