"""The inventory: which entries there are, published in the tree or not yet, and what each of them holds.

Every change in the life of entries is one call here, synchronous and complete: fill, publish, discard, remove. So
whoever is interrupted between two calls leaves nothing half done.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from errno import ENOMEM
from typing import Final

from acomp import PAGE_SIZE, fault

from ..folio import MAX_SLOTS
from ..pool.pool import Pool, PoolList
from .entries import POOL_BITS, POOL_MASK, EntryTable
from .lru import LruList, LruTable
from .slot_map import SlotMap

ZPOOL_MALLOC: Final = fault.declare(
    "zswap.zpool_malloc", "the allocator has no memory (-ENOMEM): reject_alloc_fail, the folio is not stored"
)
TREE_INSERT: Final = fault.declare(
    "zswap.tree_insert", "no memory for a node of the tree: reject_alloc_fail, the folio is not stored"
)


class Inventory:
    """All entries of a store. `entries` is the table, `tree` finds a published entry by its slot, `lrus` by age.

    `knows_raw` is v12: a page that lies there as it is, and so 4096 bytes long, is one that did not compress. Without
    it 4096 bytes are an output like any other.
    """

    __slots__ = ("_pools", "entries", "knows_raw", "lrus", "raw_pages", "tree")

    def __init__(self, pools: PoolList, knows_raw: bool) -> None:
        self._pools = pools
        self.knows_raw = knows_raw
        self.raw_pages = 0
        """Published entries that are raw (the kernel's stored_incompressible_pages)."""
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
        lengths: Iterable[int] = map(len, blobs)
        if fault.decider is not None:
            lengths = itertools.takewhile(lambda _: not fault.should_fail(ZPOOL_MALLOC), lengths)
        handles, err = pool.zs.malloc(lengths)
        handle_of, blob_of = self.entries.handle, self.entries.blob
        for entry, handle, blob in zip(entries, handles, blobs, strict=False):
            handle_of[entry] = handle
            blob_of[entry] = blob
        return err if err or len(handles) == len(entries) else -ENOMEM

    def discard(self, entries: Sequence[int], pool: Pool) -> None:
        """Free entries that were not published, with their blobs in `pool` as far as they have some."""
        table = self.entries
        pool.zs.free(table.handle[entry] for entry in entries if table.blob[entry] is not None)
        table.free(entries)

    def publish(self, slot: int, entries: Sequence[int], pool: Pool, lru: LruList) -> int:
        """Put filled entries into the tree at consecutive slots, in place of what was there; returns how many.

        Fewer than all, the first ones, when there was no memory for the next. They go on `lru`, or on its heir's if
        its cgroup went meanwhile. In the kernel's order: insert, free the replaced ones, references, charge, fields,
        LRU last.
        """
        lru = self.lrus.heir_of(lru)
        if fault.decider is not None:
            entries = list(itertools.takewhile(lambda _: not fault.should_fail(TREE_INSERT), entries))
            if not entries:
                return 0
        assert pool.id <= POOL_MASK
        home = lru.index << POOL_BITS | pool.id
        replaced = self.tree.put_range(slot, entries)
        if replaced:
            self._free(replaced)
        nr = len(entries)
        pool.refs += nr
        if self.knows_raw:
            self.raw_pages += self._count_raw(entries)
        if lru.cgroup is not None:
            lru.cgroup.charge_zswap(self._lengths(entries), nr)
        self.entries.describe(entries, slot, home, lru.tail)
        lru.add_linked(entries)
        return nr

    def remove(self, slot: int) -> bool:
        """Take whatever is at `slot` out of the tree and free it; whether there was something."""
        return self.remove_range(slot, 1) > 0

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

    def raw_page(self, entry: int) -> bytes | None:
        """The page of an entry that is raw, which no codec must ever see; None for one that is compressed."""
        blob = self.entries.blob[entry]
        return blob if self.knows_raw and blob is not None and len(blob) == PAGE_SIZE else None

    def pool_of(self, entry: int) -> Pool:
        """The pool that holds a published entry's page."""
        return self._pools[self.entries.home[entry] & POOL_MASK]

    def by_pool(self, entries: Iterable[int]) -> list[tuple[Pool, list[int]]]:
        """The pools that hold these published entries' pages; for each, which of them, by their number in the order."""
        pool_ids = [home & POOL_MASK for home in map(self.entries.home.__getitem__, entries)]
        return [
            (self._pools[pool_id], [number for number, other in enumerate(pool_ids) if other == pool_id])
            for pool_id in dict.fromkeys(pool_ids)
        ]

    def lrus_of(self, entries: Iterable[int]) -> list[tuple[LruList, int]]:
        """On which LRUs these published entries are, and how many of them; one may be there several times."""
        homes = Counter(map(self.entries.home.__getitem__, entries))
        return [(self.lrus.lists[home >> POOL_BITS], count) for home, count in homes.items()]

    def lru_of(self, entry: int) -> LruList:
        """The LRU that a published entry is on."""
        return self.lrus.lists[self.entries.home[entry] >> POOL_BITS]

    def _lengths(self, entries: Iterable[int]) -> int:
        """Bytes of these entries' compressed pages together."""
        return sum(map(len, map(self.entries.blob.__getitem__, entries)))  # type: ignore[arg-type] # filled: no None

    def _count_raw(self, entries: Iterable[int]) -> int:
        """How many of these entries are raw."""
        return [*map(len, map(self.entries.blob.__getitem__, entries))].count(PAGE_SIZE)  # type: ignore[arg-type]

    def _free(self, entries: Sequence[int]) -> None:
        """Free published entries that left the tree; most often all are of one list and one pool."""
        home_of = self.entries.home
        homes = [home_of[entry] for entry in entries]
        if homes.count(homes[0]) == len(homes):
            self._free_alike(entries, homes[0])
            return
        for home in dict.fromkeys(homes):
            self._free_alike([entry for entry, its in zip(entries, homes, strict=True) if its == home], home)

    def _free_alike(self, entries: Sequence[int], home: int) -> None:
        lru, pool = self.lrus.lists[home >> POOL_BITS], self._pools[home & POOL_MASK]
        lru.remove(entries)
        if self.raw_pages:
            self.raw_pages -= self._count_raw(entries)
        handle_of = self.entries.handle
        length = pool.zs.free([handle_of[entry] for entry in entries])
        if lru.cgroup is not None:
            lru.cgroup.uncharge_zswap(length, len(entries))
        self.entries.free(entries)
        pool.put(len(entries))
