"""Shrinking: a cgroup at its limit, memory pressure, and the global worker (kernel-facts 11.11, C20, C25).

All three walk LRUs from the head. An entry that was stored since the last visit gets its second chance: the first visit
only clears its mark. Writeback needs a device below the store; without one there is nothing to shrink to.
"""

import asyncio
import contextvars
from errno import EAGAIN, EEXIST, ENOENT
from typing import Final

from acomp import PAGE_SIZE

from ..cgroup import Cgroup
from ..inventory.entries import NO_ENTRY
from ..inventory.lru import LruList
from .parts import Core
from .writeback import writeback_entry

MAX_RECLAIM_RETRIES: Final = 16
"""Failures after which the global worker gives up until it is queued again."""


async def shrink_memcg(core: Core, cgroup: Cgroup | None) -> int:
    """Visit the oldest entry of a cgroup on each node: 0 when something was written back.

    -ENOENT: it is offline, may not write back, or has no entries. -EAGAIN: entries were visited, none was written.
    """
    if not _may_write_back(core, cgroup):
        return -ENOENT
    scanned = written = 0
    for lru in core.inventory.lrus.of(cgroup):
        if lru.head != NO_ENTRY:
            scanned += 1
            written += await _visit_oldest(core, lru) == 0
    if not scanned:
        return -ENOENT
    return 0 if written else -EAGAIN


def shrinker_count(core: Core, cgroup: Cgroup | None, node: int) -> int:
    """How many entries the dynamic shrinker offers to memory pressure; consumes the protection by recent swap-ins.

    The length of the LRU less recent disk swap-ins, scaled by compressed pages / stored pages of the cgroup: the better
    pages compress, the less there is to gain. 0 unless `shrinker_enabled` and writeback is allowed.
    """
    lru = core.inventory.lrus.find(cgroup, node)
    if lru is None or not core.settings.shrinker_enabled or not _may_write_back(core, cgroup):
        return 0
    if cgroup is None:
        compressed, stored = core.pools.total_pages, core.inventory.stored_pages
    else:
        compressed, stored = cgroup.zswap_current // PAGE_SIZE, cgroup.zswapped
    spared = min(lru.length, lru.protected)
    lru.protected -= spared
    return (lru.length - spared) * compressed // stored if stored else 0


async def shrinker_scan(core: Core, cgroup: Cgroup | None, node: int, nr_to_scan: int) -> int:
    """Visit up to that many entries and return how many were written back; a page in the swap cache ends the scan."""
    lru = core.inventory.lrus.find(cgroup, node)
    if lru is None or not core.settings.shrinker_enabled or not _may_write_back(core, cgroup):
        return 0
    written = 0
    for _ in range(min(nr_to_scan, lru.length)):
        if lru.head == NO_ENTRY:
            break
        err = await _visit_oldest(core, lru)
        written += err == 0
        if err == -EEXIST:
            break
    return written


def _may_write_back(core: Core, cgroup: Cgroup | None) -> bool:
    return core.backing is not None and (cgroup is None or (cgroup.online and cgroup.may_write_back))


async def _visit_oldest(core: Core, lru: LruList) -> int:
    """The callback per entry: 0 when it was written back, -EAGAIN for a second chance, else writeback's errno."""
    entry = lru.head
    entries = core.inventory.entries
    lru.rotate(entry)
    if entries.referenced[entry]:
        entries.referenced[entry] = 0
        return -EAGAIN
    err = await writeback_entry(core, entry)
    if err:
        core.counters.reject_reclaim_fail += 1
    else:
        core.counters.written_back_pages += 1
    return err


class GlobalShrinker:
    """The worker that empties full pools down to the accept threshold, one entry of each cgroup in turn.

    A task that exists only while it works. It ends when the threshold is reached or after 16 failures (a candidate
    that could not be shrunk, or a round without candidates), so it is bounded.
    """

    __slots__ = ("_context", "_core", "_last", "_task")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._context = contextvars.copy_context()  # not that of a store, which may be pinned to a cpu
        self._last: Cgroup | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the worker is at work."""
        return self._task is not None and not self._task.done()

    def queue(self) -> None:
        """Start the worker unless it works already, or there is nothing to write back to."""
        if self._core.backing is not None and not self.running:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._work(), name="zswap shrink worker", context=self._context)

    def cancel(self) -> None:
        """Tell it to end, if it works."""
        if self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until it does not work any more."""
        if self.running:
            assert self._task is not None
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        failures = 0
        while not self._enough() and failures < MAX_RECLAIM_RETRIES:
            candidates = 0
            for cgroup in self._round():
                err = await shrink_memcg(self._core, cgroup)
                self._last = cgroup
                await asyncio.sleep(0)
                if err != -ENOENT:
                    candidates += 1
                    failures += err != 0
                if self._enough() or failures >= MAX_RECLAIM_RETRIES:
                    return
            failures += not candidates

    def _enough(self) -> bool:
        threshold = self._core.limit.accept_pages
        return threshold is None or self._core.pools.total_pages <= threshold

    def _round(self) -> list[Cgroup | None]:
        """Every owner of entries once, going on behind the one visited last."""
        owners = self._core.inventory.lrus.owners()
        start = owners.index(self._last) + 1 if self._last in owners else 0
        return owners[start:] + owners[:start]
