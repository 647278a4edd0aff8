"""`Zswap`, the compressed store: the door to everything in this package.

It checks who comes in and whether the store is open, hands over to the paths, and closes. What happens to a page is in
`paths`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from errno import ENOMEM
from types import MappingProxyType, TracebackType
from typing import Final, Self

from acomp import PAGE_SIZE, WrongLoopError, cpu, fault

from .cgroup import Cgroup
from .counters import Counters
from .errors import CloseTimeoutError, StoreClosedError, StoreOpenError
from .figures import Figures, figures_of
from .folio import MAX_SLOTS, Folio, check_slots
from .inventory.inventory import Inventory
from .inventory.slot_map import EMPTY
from .limits import PoolLimit
from .parameter_table import ParameterTable
from .params import Params, Settings
from .paths import load as load_path
from .paths import shrinker
from .paths import store as store_path
from .paths.interfaces import INTERFACES
from .paths.parts import Backing, Parts
from .paths.shrink_worker import GlobalShrinker
from .pool.pool import PoolList
from .slot_locks import SlotLocks
from .wait_group import WaitGroup

SWAPON: Final = fault.declare("zswap.swapon", "no memory for a tree (ENOMEM): the device is not taken into use")


class Zswap:
    """A compressed store of pages, by swap slot. Open it with `async with Zswap.open(params) as store`.

    It belongs to the event loop it was opened on. Leaving the context closes it: new calls raise StoreClosedError, what
    is under way ends first (at most `Params.close_timeout`, then CloseTimeoutError), stored pages are dropped.
    """

    def __init__(self, params: Params, backing: Backing | None = None) -> None:
        if not isinstance(params, Params):
            raise TypeError(f"a store is opened with zswap.Params, not {type(params).__name__}")
        self._in_flight = WaitGroup()
        self._pools_alive = WaitGroup()
        self._closed = False
        self._has_pool = False
        self._nr_slots = MAX_SLOTS
        settings = Settings.of(params)
        counters = Counters()
        make, batched = INTERFACES[params.interface], params.features.batched_store
        pools = PoolList(params, lambda wait: make(wait, batched), on_empty=self._pools_alive.end)
        self._parts = Parts(
            params=params,
            settings=settings,
            counters=counters,
            pools=pools,
            inventory=Inventory(pools, knows_raw=params.features.raw_incompressible),
            limit=PoolLimit(settings, counters),
            slots=SlotLocks(),
            backing=backing,
        )
        self._parts.worker = self._worker = GlobalShrinker(self._parts)
        self.turns = self._parts.inline_work
        """When the loop is due for a turn, for who calls `store_at_once` and `load_at_once` many times in a row."""
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
        state = "closed" if self._closed else "open" if self._parts.loop is not None else "not entered"
        inventory = self._parts.inventory
        calls, pool = self._in_flight.count, self._parts.pools.current
        compressor = self._parts.settings.compressor if pool is None else pool.driver_name
        how = "" if pool is None else f", {pool.how}"
        return f"<Zswap {compressor} {state}: {inventory.stored_pages} pages, {calls} calls{how}>"

    async def __aenter__(self) -> Self:
        if self._closed:
            raise StoreClosedError("this store was closed; open another one")
        if self._parts.loop is not None:
            raise StoreOpenError("this store is open already; open another one")
        self._parts.pools.switch_checked(self._parts.settings.compressor, "compressor")
        self._pools_alive.begin()
        self._has_pool = True
        self._parts.loop = asyncio.get_running_loop()
        self._worker.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        timeout = self._parts.params.close_timeout
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            self._worker.stop()
            await self._worker.ended()
            await self._in_flight.ended(timeout)
        finally:
            self.close_now()
        if not await self._pools_alive.ended(max(0.0, deadline - loop.time())):
            raise CloseTimeoutError(
                f"{self._in_flight.count} calls and {len(self._parts.pools.pools)} pools are in use {timeout} s after"
                " the store was closed; end the tasks that use it, or raise Params.close_timeout"
            )

    def close_now(self) -> None:
        """Drop all pages without waiting for anything: stores under way end as not stored, loads with None.

        Leaving the context does this at its end, and at once if it is cancelled. Contexts are freed when their jobs
        have landed.
        """
        self._closed = True
        self._worker.stop()
        self._parts.slots.invalidate_all()
        self._parts.inventory.clear()
        if self._has_pool:
            self._has_pool = False
            current = self._parts.pools.current
            assert current is not None
            current.put()

    def __contains__(self, offset: object) -> bool:
        """Whether there is a page at this slot now; one that is being stored is not there yet."""
        if not isinstance(offset, int) or offset < 0 or self._parts.inventory.tree.get(offset) == EMPTY:
            return False
        return not self._parts.slots.is_stored(offset)

    def _check(self) -> None:
        """StoreClosedError unless the store is open, WrongLoopError on any loop but its own."""
        if self._closed or self._parts.loop is None:
            raise StoreClosedError(
                "the store is closed; do this inside its context"
                if self._closed
                else "the store is not open yet; enter it with `async with`"
            )
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is not self._parts.loop:
            raise WrongLoopError("a store is used on the event loop it was opened on; open one per loop")

    async def store(self, folio: Folio) -> bool:
        """Store a folio: True when it is in as a whole; False when nothing of it is, nor anything older at its slots.

        Where `max_pool_bytes` is used up and there is a device below, it waits in line until older pages were written
        back, and is refused only when a run of the shrink worker did not free enough. Any other limit refuses at once.
        After False (or an exception) the caller holds the only copy. `stats()` says why it was refused. Cancelled, it
        raises at once and counts as not stored. CpuOfflineError: the task is pinned to a cpu that stays offline.
        Kernel counterpart: zswap_store (docs/kernel.md#store).
        """
        self._check()
        if not isinstance(folio, Folio):
            raise TypeError(f"store takes a zswap.Folio, not {type(folio).__name__}")
        self._check_slots(folio.offset, folio.nr_pages)
        self._in_flight.begin()
        try:
            return await store_path.store(self._parts, folio)
        finally:
            self._in_flight.end()

    def store_at_once(self, offset: int, page: bytes) -> bool:
        """`store` a page that is nobody's, if that would wait for nothing and nothing stands in the way: True.

        A plain call, for `Swap.store_at_once`. After False nothing has changed, an older page is still there.
        """
        self._check()
        return store_path.store_at_once(self._parts, offset, page)

    def load_at_once(self, offset: int) -> bytes | None:
        """`load` a page that stays stored, if that would wait for nothing; else None. For `Swap.load_at_once`."""
        self._check()
        return load_path.load_at_once(self._parts, offset, keep=True)

    def compressed(self, offset: int) -> tuple[str, bytes] | None:
        """Algorithm (its `cra_name`) and compressed form of the page at this slot; None if there is none, or a raw one.

        A plain call that changes nothing, for who keeps pages elsewhere as well. For `Swap.compressed`.
        """
        self._check()
        inventory = self._parts.inventory
        entry = inventory.tree.get(offset)
        if entry == EMPTY or inventory.raw_page(entry) is not None:
            return None
        blob = inventory.entries.blob[entry]
        assert blob is not None
        return inventory.pool_of(entry).tfm.alg.cra_name, blob

    async def load(self, offset: int, keep: bool = False) -> bytes | None:
        """Return the page at this slot and forget it unless `keep`; None if there is none.

        DecompressError when the compressor cannot read its output, CpuOfflineError as in `store`. After either, and
        when the load is cancelled, the page stays stored.
        Works while `enabled` is off. Kernel counterpart: zswap_load (docs/kernel.md#load).

        Differs from the kernel, which erases the entry before it decompresses, and where an exclusive load follows from
        the swap cache and not from an argument.
        """
        self._check()
        if type(offset) is not int or not 0 <= offset < self._nr_slots:
            self._check_slots(offset)
        if (page := load_path.load_at_once(self._parts, offset, keep)) is not None:
            return page
        self._in_flight.begin()
        try:
            return await load_path.load(self._parts, offset, keep)
        finally:
            self._in_flight.end()

    async def load_many(self, offsets: Sequence[int]) -> list[bytes | None]:
        """Return the pages at these slots, which stay stored; None for each that has none. For `Swap.load_range`.

        Decompressed together where that is faster. Whoever calls lets nobody store there meanwhile, since no slot is
        locked. DecompressError for the first that cannot be read.
        """
        self._check()
        self._in_flight.begin()
        try:
            return await load_path.load_many(self._parts, offsets)
        finally:
            self._in_flight.end()

    def invalidate(self, offset: int, nr_pages: int = 1) -> int:
        """Forget these slots, now; a plain call. Returns how many held a page.

        A store of any of them that is under way ends as not stored, a load with None.
        """
        self._check()
        self._check_slots(offset, nr_pages)
        self._parts.slots.invalidate(offset, nr_pages)
        removed = self._parts.inventory.remove_range(offset, nr_pages)
        cpu.charge("zswap.free_hold", removed)
        return removed

    async def release(self, offset: int, nr_pages: int = 1) -> int:
        """Forget these slots as an exiting process does: a cost model's shared lock is held for the time it takes.

        For simulations. Without a cost model it is `invalidate`.
        """
        self._check()
        self._check_slots(offset, nr_pages)
        inventory = self._parts.inventory
        lrus = inventory.lrus_of(inventory.tree.values(offset, nr_pages))
        self._in_flight.begin()
        try:
            for lru, count in lrus:
                await load_path.pay_for_freeing(lru, count)
            self._parts.slots.invalidate(offset, nr_pages)
            return inventory.remove_range(offset, nr_pages)
        finally:
            self._in_flight.end()

    def swapon(self, nr_slots: int) -> None:
        """Say how many slots there are: beyond them offsets are refused. (Without it, 2**50.)

        OSError(ENOMEM) when there is no memory for the tree; the store then serves as before.
        """
        self._check()
        check_slots(0, nr_slots)
        if fault.should_fail(SWAPON):
            raise OSError(ENOMEM, "no memory for the tree of this swap device")
        self._nr_slots = nr_slots

    def swapoff(self) -> int:
        """Forget every slot and the number of slots. Returns how many pages were still stored, which should be 0."""
        self._check()
        left = self._parts.inventory.stored_pages
        self._parts.slots.invalidate_all()
        self._parts.inventory.clear()
        self._nr_slots = MAX_SLOTS
        return left

    def _check_slots(self, offset: int, nr_pages: int = 1) -> None:
        check_slots(offset, nr_pages)
        if offset + nr_pages > self._nr_slots:
            raise ValueError(f"slots {offset} .. {offset + nr_pages - 1} are not below the {self._nr_slots} of swapon")

    def online_cpu(self, cpu_id: int) -> None:
        """Bring a cpu online. With patch 12 its context is still there, without it a new one is allocated.

        Raises ParameterError(ENOMEM) when that fails; the cpu stays offline. When a store is opened, all are online.
        """
        self._check()
        self._parts.pools.online_cpu(cpu_id)

    async def offline_cpu(self, cpu_id: int) -> None:
        """Take a cpu offline, and wait until nobody uses its context any more.

        From the call on, unpinned tasks of that cpu use the next one that is online, pinned ones wait for it (at most
        `Params.offline_timeout`). ParameterError(EBUSY) for the last one online. Differs from the kernel: the cpu
        counts as offline before its holder is through, so that a cancelled wait leaves nothing half done.
        """
        self._check()
        self._in_flight.begin()
        try:
            await self._parts.pools.offline_cpu(cpu_id)
        finally:
            self._in_flight.end()

    def offline_cgroup(self, cgroup: Cgroup) -> None:
        """Remove a cgroup: its pages belong to its heir from now on, and so do those that stores under way bring.

        The heir is the nearest ancestor online. A cgroup that owns pages of several stores is taken offline in each.
        """
        self._check()
        cgroup.go_offline()
        self._parts.inventory.lrus.reparent(cgroup)

    def shrinker_count(self, cgroup: Cgroup | None = None, node: int = 0) -> int:
        """How many entries of a cgroup and node memory pressure may ask for (see `shrinker.shrinker_count`)."""
        self._check()
        return shrinker.shrinker_count(self._parts, cgroup, node)

    async def shrink(self, cgroup: Cgroup | None = None, node: int = 0, nr_to_scan: int | None = None) -> int:
        """The dynamic shrinker: visit up to `nr_to_scan` entries (default: `shrinker_count`), write back what is old.

        Returns how many were written. Nothing happens unless `shrinker_enabled`, writeback is allowed and there is a
        device below.
        """
        self._check()
        nr = self.shrinker_count(cgroup, node) if nr_to_scan is None else nr_to_scan
        self._in_flight.begin()
        try:
            return await shrinker.shrinker_scan(self._parts, cgroup, node, nr)
        finally:
            self._in_flight.end()

    def protect(self, cgroup: Cgroup | None, node: int) -> None:
        """Spare one entry of this cgroup and node from the dynamic shrinker, since a page came back from the disk."""
        lru = self._parts.inventory.lrus.find(cgroup.heir if cgroup is not None else None, node)
        if lru is not None:
            lru.protected += 1

    def compact(self) -> int:
        """Let the allocator move objects together in every pool; returns the bytes given back."""
        self._check()
        return sum(pool.zs.compact() for pool in self._parts.pools.pools) * PAGE_SIZE

    @property
    def events(self) -> Counter[str]:
        """Page and folio events since the store was opened: zswpout, zswpin, zswpwb, zswpout-64kB, ... (19)."""
        return self._parts.counters.events

    def count_folio(self, event: str, nr_pages: int) -> None:
        """Count an event of one large folio under the folio's size. The layer above the store counts with it, too."""
        self._parts.counters.count_folio(event, nr_pages)

    def figures(self) -> Figures:
        """What the counters amount to: pages, bytes, ratio, pool and per-cpu memory, size classes."""
        return figures_of(self._parts)

    def stats(self) -> Mapping[str, int]:
        """The debugfs counters as they are now: event counts, `pool_total_size` in bytes, `stored_pages`.

        With `StoreFeatures.raw_incompressible` also `stored_incompressible_pages`, those that are stored as they are.
        """
        parts = self._parts
        counters = parts.counters
        raw = {"stored_incompressible_pages": parts.inventory.raw_pages} if parts.inventory.knows_raw else {}
        return MappingProxyType(
            {
                "pool_limit_hit": counters.pool_limit_hit,
                "reject_reclaim_fail": counters.reject_reclaim_fail,
                "reject_alloc_fail": counters.reject_alloc_fail,
                "reject_kmemcache_fail": counters.reject_kmemcache_fail,
                "reject_compress_fail": counters.reject_compress_fail,
                "reject_compress_poor": counters.reject_compress_poor,
                "written_back_pages": counters.written_back_pages,
                "pool_total_size": parts.pools.total_pages * PAGE_SIZE,
                "stored_pages": parts.inventory.stored_pages,
                **raw,
            }
        )
