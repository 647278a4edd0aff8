"""The table of entries: what is known of each stored page, in flat columns.

An entry is an index into the columns and no object: half a million of them are ordinary, and each column costs the
bytes of its items and nothing else. Who uses them: `inventory` fills and empties entries, `lru` links them.
"""

from array import array
from collections.abc import Sequence
from typing import Final

from acomp import fault

NO_ENTRY: Final = -1
"""Instead of an index: there is no entry."""
POOL_BITS: Final = 12
"""Bits of a `home` that say which pool; there is one pool for each compressor at most."""
POOL_MASK: Final = (1 << POOL_BITS) - 1
_BLOCK: Final = 256

ENTRY_ALLOC: Final = fault.declare(
    "zswap.entry_alloc", "no memory for an entry: reject_kmemcache_fail, the batch and so the folio are not stored"
)
ENTRY_BULK_ALLOC: Final = fault.declare(
    "zswap.entry_bulk_alloc", "no memory for the entries of a batch in one go (v10): they are allocated one by one"
)


class EntryTable:
    """Entries by index; an index is reused after `free`.

    `blob` is the compressed page, None in an entry that has none yet, and `handle` its place in the allocator; `slot`
    the swap slot; `home` the index of the LRU it is on << POOL_BITS | the id of the pool that holds it, for what is
    freed together mostly has both in common; `next`, `prev` its neighbours on the LRU; `referenced` the second chance.
    """

    __slots__ = ("_free", "_used", "blob", "handle", "home", "next", "prev", "referenced", "slot")

    def __init__(self) -> None:
        self.blob: list[bytes | None] = []
        self.handle = array("I")
        self.slot = array("Q")
        self.home = array("I")
        self.next = array("i")
        self.prev = array("i")
        self.referenced = bytearray()
        self._free = array("I")  # and no list: an integer object of each free entry would stay
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def alloc(self, nr: int) -> list[int] | None:
        """`nr` >= 1 entries without blobs; None, and nothing allocated, when there is no memory for one of them."""
        if fault.decider is not None and any(fault.should_fail(ENTRY_ALLOC) for _ in range(nr)):
            return None
        return self._take(nr)

    def alloc_bulk(self, nr: int) -> list[int] | None:
        """`alloc` as it is from v10 on: in one go, which gives all or none; where that fails, one by one."""
        if fault.should_fail(ENTRY_BULK_ALLOC):
            return self.alloc(nr)
        return self._take(nr)

    def _take(self, nr: int) -> list[int]:
        while len(self._free) < nr:
            self._grow()
        self._used += nr
        taken = self._free[-nr:]
        del self._free[-nr:]
        taken.reverse()
        return taken.tolist()

    def _grow(self) -> None:
        """Add a block of entries to every column; the lowest index comes out first."""
        first = len(self.blob)
        self.blob.extend([None] * _BLOCK)
        for column in (self.handle, self.slot, self.home, self.next, self.prev):
            column.frombytes(bytes(_BLOCK * column.itemsize))  # published entries have others
        self.referenced.extend(bytes(_BLOCK))
        self._free.extend(range(first + _BLOCK - 1, first - 1, -1))

    def describe(self, entries: Sequence[int], slot: int, home: int, prev: int) -> None:
        """All that is known of entries from their publication on: consecutive slots, a home, links, and no visit yet.

        They follow each other and `prev` (or nothing); the last one has nobody behind it. Links and all in one go, for
        this is done once a page.
        """
        slot_of, home_of, referenced = self.slot, self.home, self.referenced
        prev_of, next_of = self.prev, self.next
        first = before = entries[0]
        for its_slot, entry in enumerate(entries, slot):
            slot_of[entry] = its_slot
            home_of[entry] = home
            referenced[entry] = 1
            prev_of[entry] = before
            next_of[before] = entry
            before = entry
        prev_of[first] = prev
        next_of[before] = NO_ENTRY

    def free(self, entries: Sequence[int]) -> None:
        """Give entries back; their handles and links were given back before."""
        blob = self.blob
        for entry in entries:
            blob[entry] = None
        self._free.extend(entries)
        self._used -= len(entries)
