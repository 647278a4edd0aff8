"""The way of a folio into the store (kernel-facts 11.6, 13.2 - 13.4, patch 14).

`store` (folio level: may it go in?) -> `_store_folio` (batches and context) -> `_store_pages` (entries, compress,
publish) -> `batch_compress`. All or nothing on each level; and whatever did not go in takes older entries of its slots
with it, so that nobody reads a stale page.
"""

import asyncio

from acomp import cpu, trace

from ..folio import Folio
from ..inventory.lru import LruList
from ..params import ZSWAP_MAX_BATCH_SIZE
from ..pool.context import CpuContext
from ..pool.pool import Pool
from ..slot_locks import SlotLease
from . import shrinker
from .compress import batch_compress
from .parts import Core


async def store(core: Core, folio: Folio) -> bool:
    """Store the whole folio: True; or nothing of it, and nothing older at its slots either: False.

    Cancelled or left by an exception, it has stored nothing and the older entries are gone as well, before it raises.
    """
    lease = core.slots.request(folio.offset, folio.nr_pages)
    stored = False
    try:
        await lease.wait()
        stored = await _try_store(core, folio, lease)
    finally:
        if not stored:
            _forget(core, folio, lease)
        lease.release()
        if trace.sink is not None:
            trace.emit("zswap.store", offset=folio.offset, nr_pages=folio.nr_pages, stored=stored)
    return stored


def _forget(core: Core, folio: Folio, lease: SlotLease) -> None:
    """Remove old entries of these slots and those that this very attempt has published (11.6 step 9).

    A store that was cancelled while earlier ones of these slots still run makes their pages stale too.
    """
    if not lease.held:
        core.slots.invalidate(folio.offset, folio.nr_pages, before=lease)
    core.inventory.remove_range(folio.offset, folio.nr_pages)


async def _try_store(core: Core, folio: Folio, lease: SlotLease) -> bool:
    """The steps of 11.6 in order; the caller cleans up."""
    if not core.settings.enabled:
        return False
    stored = await _admitted(core, folio) and await _store_in_current_pool(core, folio, lease)
    await cpu.settle()
    if not stored or lease.invalidated:
        if core.limit.full and not core.limit.is_budget:
            core.worker.queue()
        return False
    core.counters.events["zswpout"] += folio.nr_pages
    core.counters.count_folio("zswpout", folio.nr_pages)
    if (owner := folio.owner) is not None:
        owner.count("zswpout", folio.nr_pages)
    return True


async def _admitted(core: Core, folio: Folio) -> bool:
    """The checks that are made once per folio: its size, its cgroup's limit, the pool limit."""
    if folio.nr_pages > 1 and not core.params.features.large_folios:
        return False
    cgroup = folio.owner
    if cgroup is not None and not cgroup.may_zswap() and await shrinker.shrink_memcg(core, cgroup):
        return False
    return await _has_room(core)


async def _has_room(core: Core) -> bool:
    """Whether the pools may grow. For a byte budget a store waits for the worker to make room, one run at most.

    Differs from the kernel, where a full pool refuses at once. That would send to the device whatever is stored during
    a run, hence the newest pages, while older ones stay in memory; and a program can wait where reclaim can not.
    """
    full = core.limit.reached(core.pools.total_pages)
    if full and core.limit.is_budget and core.backing is not None:
        await core.worker.make_room()
        full = core.limit.reached(core.pools.total_pages)
    return not full


async def _store_in_current_pool(core: Core, folio: Folio, lease: SlotLease) -> bool:
    pool = core.pools.current
    if pool is None:
        return False
    pool.get()
    try:
        lru = core.inventory.lrus.ensure(folio.owner, folio.node)
        return lru is not None and await _store_folio(core, folio, pool, lru, lease)
    finally:
        pool.put()


async def _store_folio(core: Core, folio: Folio, pool: Pool, lru: LruList, lease: SlotLease) -> bool:
    """Batch after batch, each under the context of the current cpu; a chaining store keeps its context throughout.

    The context is looked at before the first batch, as in v8, to learn how many requests it has. Without patch 14 pages
    go one by one.
    """
    context: CpuContext | None = None
    batch_size = 1
    batching = False
    if core.params.features.batched_store:
        context = pool.try_lock_current() or await pool.lock_current()
        batching = context.nr_reqs > 1 and folio.nr_pages > 1
        batch_size = context.nr_reqs if batching else ZSWAP_MAX_BATCH_SIZE
    keep = batching and core.params.context_scope == "folio"
    try:
        for first in range(0, folio.nr_pages, batch_size):
            if context is not None and not keep:
                context.unlock()
                context = None
            if context is None:
                context = pool.try_lock_current() or await pool.lock_current()
            end = min(first + batch_size, folio.nr_pages)
            if not await _store_pages(core, folio, first, end, pool, lru, context, batching) or lease.invalidated:
                return False
            if not batching and core.turn_is_due(compressed=end - first):
                context.unlock()
                context = None
                await asyncio.sleep(0)
        return True
    finally:
        if context is not None:
            context.unlock()


async def _store_pages(
    core: Core,
    folio: Folio,
    first: int,
    end: int,
    pool: Pool,
    lru: LruList,
    context: CpuContext,
    batching: bool,
) -> bool:
    """Pages `first` .. `end - 1`: entries, compress, publish. After False or an exception none of them is unpublished.

    Entries that were published before a later one failed stay in the tree; the folio's clean-up removes them.
    """
    inventory = core.inventory
    unpublished = inventory.entries.alloc(end - first)
    if unpublished is None:
        core.counters.reject_kmemcache_fail += 1
        return False
    try:
        if not await batch_compress(core, folio, first, unpublished, pool, context, batching):
            return False
        await cpu.settle()
        await lru.lock.acquire()
        try:
            unpublished = _publish(core, folio.offset + first, unpublished, pool, lru)
            cpu.charge("zswap.lru_hold", end - first - len(unpublished))
            await cpu.settle()
        finally:
            lru.lock.release()
        cpu.charge("zswap.store_page", end - first)
        if unpublished:
            core.counters.reject_alloc_fail += 1
        return not unpublished
    finally:
        if unpublished:
            inventory.discard(unpublished, pool)


def _publish(core: Core, slot: int, entries: list[int], pool: Pool, lru: LruList) -> list[int]:
    """Publish entries at consecutive slots until one fails; those that are left."""
    lru = core.inventory.lrus.heir_of(lru)  # its cgroup may have gone since the store began
    return entries[core.inventory.publish(slot, entries, pool, lru) :]
