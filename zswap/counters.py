"""Counters under the kernel's names: debugfs, /proc/vmstat and per-size files (docs/kernel.md#counters)."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from acomp import PAGE_SIZE

DEBUGFS: Final = (
    "pool_limit_hit",
    "reject_reclaim_fail",
    "reject_alloc_fail",
    "reject_kmemcache_fail",
    "reject_compress_fail",
    "reject_compress_poor",
    "written_back_pages",
    "pool_total_size",
    "stored_pages",
)
"""What `stats()` has, and nothing else but `stored_incompressible_pages` where such pages are stored (v12)."""


@dataclass(slots=True)
class Counters:
    """The event counters of a store. `pool_total_size` and `stored_pages` are states, counted where they are.

    `events` holds page counts (zswpout, zswpin, zswpwb; a `Swap` adds pswpout, pswpin, swpout_zero, swpin_zero) and
    counts of large folios by size, for example `zswpout-64kB`. `decompress_fail` is a later kernel's.
    """

    pool_limit_hit: int = 0
    reject_reclaim_fail: int = 0
    reject_alloc_fail: int = 0
    reject_kmemcache_fail: int = 0
    reject_compress_fail: int = 0
    reject_compress_poor: int = 0
    written_back_pages: int = 0
    decompress_fail: int = 0
    events: Counter[str] = field(default_factory=Counter)

    def count_folio(self, event: str, nr_pages: int) -> None:
        """One large folio of that size; folios of one page have no counter."""
        if nr_pages > 1:
            self.events[f"{event}-{nr_pages * PAGE_SIZE // 1024}kB"] += 1
