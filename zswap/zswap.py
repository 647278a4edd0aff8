"""`Zswap`, the compressed store: the door to everything in this room (kernel-facts 11).

It checks who comes in and whether the store is open, hands over to the paths, and closes. What happens to a page is in
`store_path` and `load_path`.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Self

from acomp import PAGE_SIZE, WrongLoopError, cpu

from . import load_path, shrinker, store_path
from .core import Backing, Core
from .counters import Counters
from .errors import CloseTimeoutError, StoreClosedError, StoreOpenError
from .folio import Folio, check_slots
from .in_flight import InFlight
from .inventory import Inventory
from .limits import PoolLimit
from .parameters import ParameterTable
from .params import Params, Settings
from .pool import PoolList
from .slots import SlotLocks


class Zswap:
    """A compressed store of pages, by swap slot. Open it with `async with Zswap.open(params) as store`.

    It belongs to the event loop it was opened on. Leaving the context closes it: new calls raise StoreClosedError, what
    is under way ends first (at most `Params.close_timeout`, then CloseTimeoutError), stored pages are dropped.
    """

    def __init__(self, params: Params, backing: Backing | None = None) -> None:
        if not isinstance(params, Params):
            raise TypeError(f"a store is opened with zswap.Params, not {type(params).__name__}")
        self._in_flight = InFlight()
        self._pools_alive = InFlight()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        settings = Settings.of(params)
        counters = Counters()
        pools = PoolList(params, on_empty=self._pools_alive.end)
        self._core = Core(
            params,
            settings,
            counters,
            pools,
            Inventory(pools),
            PoolLimit(settings, counters),
            SlotLocks(),
            backing,
        )
        self._worker = shrinker.GlobalShrinker(self._core)
        self._core.queue_shrink = self._worker.queue
        self.params = ParameterTable(settings, pools)
        """The parameters that may change now: `store.params["compressor"] = "zstd"` (see `ParameterTable`)."""

    @classmethod
    def open(cls, params: Params | None = None, *, backing: Backing | None = None) -> Self:
        """A store to be entered with `async with`, where it makes its first pool.

        Entering raises ParameterError(ENOENT) for an unknown compressor. (The kernel falls back to its build default.)
        `backing` receives what is written back; a `Swap` passes itself, and without it nothing is written back.
        """
        return cls(params if params is not None else Params(), backing)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._loop is not None else "not entered"
        inventory = self._core.inventory
        calls = self._in_flight.count
        return f"<Zswap {self._core.settings.compressor} {state}: {inventory.stored_pages} pages, {calls} calls>"

    async def __aenter__(self) -> Self:
        if self._closed:
            raise StoreClosedError("this store was closed; open another one")
        if self._loop is not None:
            raise StoreOpenError("this store is open already; open another one")
        self._core.pools.switch_checked(self._core.settings.compressor, "compressor")
        self._pools_alive.begin()
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        timeout = self._core.params.close_timeout
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            await self._worker.stop()
            await self._in_flight.ended(timeout)
        finally:
            self._core.slots.invalidate_all()
            self._core.inventory.clear()
            current = self._core.pools.current
            if current is not None:
                current.put()
        if not await self._pools_alive.ended(max(0.0, deadline - loop.time())):
            raise CloseTimeoutError(
                f"{self._in_flight.count} calls and {len(self._core.pools.pools)} pools are in use {timeout} s after"
                " the store was closed; end the tasks that use it, or raise Params.close_timeout"
            )

    def _check(self) -> None:
        """StoreClosedError unless the store is open, WrongLoopError on any loop but its own."""
        if self._closed or self._loop is None:
            raise StoreClosedError(
                "the store is closed; do this inside its context"
                if self._closed
                else "the store is not open yet; enter it with `async with`"
            )
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is not self._loop:
            raise WrongLoopError("a store is used on the event loop it was opened on; open one per loop")

    async def store(self, folio: Folio) -> bool:
        """Store a folio: True when it is in as a whole; False when nothing of it is, nor anything older at its slots.

        After False (or an exception) the caller holds the only copy. `stats()` says why it was refused. Cancelled, it
        raises at once and counts as not stored. Source: zswap_store, 11.6.
        """
        self._check()
        if not isinstance(folio, Folio):
            raise TypeError(f"store takes a zswap.Folio, not {type(folio).__name__}")
        self._in_flight.begin()
        try:
            return await store_path.store(self._core, folio)
        finally:
            self._in_flight.end()

    async def load(self, offset: int, keep: bool = False) -> bytes | None:
        """The page at this slot, or None. The entry is gone then, unless `keep`; cancelled, the page stays stored.

        DecompressError when the compressor cannot read its output; the entry stays. Works while `enabled` is off.
        Source: zswap_load, 11.9.
        """
        self._check()
        check_slots(offset)
        self._in_flight.begin()
        try:
            return await load_path.load(self._core, offset, keep)
        finally:
            self._in_flight.end()

    def invalidate(self, offset: int, nr_pages: int = 1) -> int:
        """Forget these slots, now; a plain call. Returns how many held a page.

        A store or load of any of them that is under way ends as not stored, or with None. Source: 11.10.
        """
        self._check()
        check_slots(offset, nr_pages)
        self._core.slots.invalidate(offset, nr_pages)
        removed = self._core.inventory.remove_range(offset, nr_pages)
        cpu.charge("zswap.free_hold", removed)
        return removed

    async def release(self, offset: int, nr_pages: int = 1) -> int:
        """`invalidate` as an exiting process does: under a cost model the shared lock is held for the time it takes.

        For simulations. Without a cost model it is `invalidate`.
        """
        self._check()
        check_slots(offset, nr_pages)
        lrus: dict[int, int] = {}
        inventory = self._core.inventory
        for slot in range(offset, offset + nr_pages):
            entry = inventory.tree.get(slot)
            if entry >= 0:
                index = inventory.entries.lru[entry]
                lrus[index] = lrus.get(index, 0) + 1
        self._in_flight.begin()
        try:
            for index, count in lrus.items():
                await load_path.pay_for_freeing(inventory.lrus.lists[index], count)
            self._core.slots.invalidate(offset, nr_pages)
            return inventory.remove_range(offset, nr_pages)
        finally:
            self._in_flight.end()

    def stats(self) -> Mapping[str, int]:
        """The debugfs counters (11.3) as they are now: event counts, `pool_total_size` in bytes, `stored_pages`."""
        core = self._core
        counters = core.counters
        return MappingProxyType(
            {
                "pool_limit_hit": counters.pool_limit_hit,
                "reject_reclaim_fail": counters.reject_reclaim_fail,
                "reject_alloc_fail": counters.reject_alloc_fail,
                "reject_kmemcache_fail": counters.reject_kmemcache_fail,
                "reject_compress_fail": counters.reject_compress_fail,
                "reject_compress_poor": counters.reject_compress_poor,
                "written_back_pages": counters.written_back_pages,
                "pool_total_size": core.pools.total_pages * PAGE_SIZE,
                "stored_pages": core.inventory.stored_pages,
            }
        )
