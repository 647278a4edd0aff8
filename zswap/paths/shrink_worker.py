"""The worker that empties full pools down to the accept threshold. Stores wake it; `Zswap` makes it and ends it.

It has two rules, by the kind of limit. A percentage of memory (`ram_bytes`) goes by the kernel's rule, which gives up
early and often, for there reclaim comes back again and again. A byte budget (`max_pool_bytes`) is ours, for those who
embed a store: they want the oldest pages gone when the budget is used up, and wait for it.
"""

import asyncio
import contextvars
from collections.abc import Iterator
from errno import EAGAIN, EEXIST, ENOENT
from typing import Final, TypeVar

from ..cgroup import Cgroup
from ..inventory.entries import NO_ENTRY
from ..inventory.lru import LruList
from .parts import Parts
from .shrinker import may_write_back, shrink_memcg, visit_oldest

Item = TypeVar("Item")

MAX_RECLAIM_RETRIES: Final = 16
"""Failures after which a run gives up: of any kind by the kernel's rule, by ours only of the device and in a row."""
VISITS_PER_TURN: Final = 32
"""Entries that a run for a byte budget visits before the loop gets a turn, if no writeback has given it one."""


class GlobalShrinker:
    """A task that exists only while it works; what it does from being woken to its end is a run."""

    __slots__ = ("_context", "_last_cgroup", "_last_lru", "_parts", "_stopped", "_task", "runs_in_vain")

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._context: contextvars.Context | None = None
        self._last_cgroup: Cgroup | None = None
        self._last_lru: LruList | None = None
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self.runs_in_vain = 0
        """Runs that ended above the threshold, be it by an exception; one that could not begin is one of them."""

    def begin(self) -> None:
        """The store is opened, here: runs see this registry. (And not a store's pins to a cpu, which may wake them.)"""
        self._context = contextvars.copy_context()

    @property
    def running(self) -> bool:
        """Whether the worker is at work."""
        return self._task is not None and not self._task.done()

    def queue(self) -> None:
        """Start a run, unless there is one, or nothing to write back to."""
        if self._parts.backing is not None and not self.running and not self._stopped:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._work(), name="zswap shrink worker", context=self._context)

    async def make_room(self) -> None:
        """Wait until a run has ended: the one that is under way, else a new one. Where none begins, it is in vain."""
        self.queue()
        if not self.running:
            self.runs_in_vain += 1
        await self.ended()

    def stop(self) -> None:
        """End the run that is under way, also for the stores that wait for it, and start no other."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until it does not work any more."""
        if self.running:
            assert self._task is not None
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        try:
            if self._parts.limit.is_budget:
                while await self._evict():
                    pass
            else:
                await self._shrink()
        finally:
            self.runs_in_vain += not self._enough()

    async def _evict(self) -> bool:
        """Our run, for a byte budget: oldest first, until the threshold is reached or every entry had its visit.

        Its visit without a mark, that is: as one that only clears marks is no failure here, a run can free what it was
        woken for however young everything is. A device that refuses 16 pages in a row is full or broken, and ends it.

        True when it has to be done once more: pages left, and yet it was not enough. Then stores that were let in
        before have added theirs meanwhile; there are few of these, as all that come later wait in line.
        """
        refused = written = 0
        for visits, lru in enumerate(self._visits(), 1):
            if self._enough() or refused == MAX_RECLAIM_RETRIES:
                return False
            err = await visit_oldest(self._parts, lru)
            self._last_lru = lru
            if not err:
                refused = 0
                written += 1
            elif err not in (-EAGAIN, -EEXIST):
                refused += 1
            if visits % VISITS_PER_TURN == 0:
                await asyncio.sleep(0)
        return written > 0 and not self._enough()

    def _visits(self) -> Iterator[LruList]:
        """The list whose oldest entry is to be visited next, again and again.

        The lists take turns, so that all of them get shorter at the same pace. A turn is one entry without a mark,
        together with those before it whose marks are cleared by their visits: else a list of fresh entries would use up
        its turns for marks, while another one that is fresh no more is emptied.

        A list with n entries at the start is visited 2n times at most, so that this ends whatever comes of the visits:
        n can be needed to clear every mark, and n to write every entry back.
        """
        lists = _in_turn(self._parts.inventory.lrus.lists, self._last_lru)
        visits_left = {lru: 2 * lru.length for lru in lists}
        while visits_left:
            for lru in list(visits_left):
                yield from self._one_turn(lru, visits_left)

    def _one_turn(self, lru: LruList, visits_left: dict[LruList, int]) -> Iterator[LruList]:
        """The list once for each mark and once more; it leaves `visits_left` when there is nothing to visit (more)."""
        referenced = self._parts.inventory.entries.referenced
        marked = True
        while marked:
            if not visits_left[lru] or lru.head == NO_ENTRY or not may_write_back(self._parts, lru.cgroup):
                del visits_left[lru]
                return
            marked = bool(referenced[lru.head])
            visits_left[lru] -= 1
            yield lru

    async def _shrink(self) -> None:
        """The kernel's run: one entry of each cgroup in turn, until the threshold is reached or 16 failures.

        A failure is a candidate that could not be shrunk, be it that its oldest entry had its second chance, or a round
        without candidates.
        """
        failures = 0
        while not self._enough() and failures < MAX_RECLAIM_RETRIES:
            candidates = 0
            for cgroup in _in_turn(self._parts.inventory.lrus.owners(), self._last_cgroup):
                err = await shrink_memcg(self._parts, cgroup)
                self._last_cgroup = cgroup
                await asyncio.sleep(0)
                if err != -ENOENT:
                    candidates += 1
                    failures += err != 0
                if self._enough() or failures >= MAX_RECLAIM_RETRIES:
                    return
            failures += not candidates

    def _enough(self) -> bool:
        threshold = self._parts.limit.accept_pages
        return threshold is None or self._parts.pools.total_pages <= threshold


def _in_turn(items: list[Item], last: Item | None) -> list[Item]:
    """All of them once, going on behind the one that was visited last, if that is still there."""
    start = items.index(last) + 1 if last in items else 0
    return items[start:] + items[:start]
