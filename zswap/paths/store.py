"""The way of a folio into the store.

`store` (folio level: may it go in?) -> `_store_folio` (batches and context) -> `_store_batch` (entries, compress,
publish) -> `batch_compress`. All or nothing on each level; and whatever did not go in takes older entries of its slots
with it, so that nobody reads a stale page.
"""

import asyncio

from acomp import PAGE_SIZE, cpu, fault, trace

from ..folio import Folio
from ..params import ZSWAP_MAX_BATCH_SIZE
from ..pool.context import CpuContext
from ..slot_locks import SlotLease
from . import shrinker
from .admission import has_room
from .attempt import Attempt
from .compress import batch_compress
from .parts import Parts


async def store(parts: Parts, folio: Folio) -> bool:
    """Store the whole folio: True; or nothing of it, and nothing older at its slots either: False.

    Cancelled or left by an exception, it has stored nothing and the older entries are gone as well, before it raises.
    """
    lease = parts.slots.request(folio.offset, folio.nr_pages)
    lease.storing = True
    stored = False
    try:
        await lease.wait()
        stored = await _try_store(parts, folio, lease)
    finally:
        if not stored:
            _forget(parts, folio, lease)
        lease.release()
        if trace.sink is not None:
            trace.emit("zswap.store", offset=folio.offset, nr_pages=folio.nr_pages, stored=stored)
    return stored


def store_at_once(parts: Parts, slot: int, page: bytes) -> bool:
    """What `store` would do with one page that is nobody's, if it would wait for nothing and nothing goes wrong: True.

    False, and nothing was done, for whatever else. Who watches sees every step: with a trace sink, a fault decider or a
    cost model it is always False, as while a limit or a turn of the loop has something to say.
    """
    if trace.sink is not None or fault.decider is not None or cpu.is_modelled() or not parts.slots.is_free(slot):
        return False
    pool, inventory, most = parts.pools.current, parts.inventory, parts.limit.max_pages
    if pool is None or not parts.settings.enabled:
        return False
    if most is not None and (parts.limit.full or parts.line.locked or parts.pools.total_pages >= most):
        return False
    context, lru = pool.free_context_here(parts.loop), inventory.lrus.ensure(None, 0)
    if context is None or context.tfm is None or context.tfm.compress_at_once is None or lru is None or lru.lock.locked:
        return False
    if not parts.inline_work.may_compress_at_once():
        return False
    try:
        output = context.tfm.compress_at_once(page)
    except Exception:
        return False  # the long way says what it was
    if len(output) >= PAGE_SIZE:
        if not inventory.knows_raw:
            return False
        output = page
    entries = inventory.entries.alloc(1)
    if entries is None or inventory.fill(entries, pool, (output,)):
        if entries is not None:
            inventory.discard(entries, pool)
        return False
    inventory.publish(slot, entries, pool, lru)
    parts.counters.events["zswpout"] += 1
    return True


def _forget(parts: Parts, folio: Folio, lease: SlotLease) -> None:
    """Remove old entries of these slots and those that this very attempt has published.

    A store that was cancelled while earlier ones of these slots still run makes their pages stale too.
    """
    if not lease.held:
        parts.slots.invalidate(folio.offset, folio.nr_pages, before=lease)
    parts.inventory.remove_range(folio.offset, folio.nr_pages)


async def _try_store(parts: Parts, folio: Folio, lease: SlotLease) -> bool:
    """Is the store enabled, is there room, does every page go in, was it wanted all along; the caller cleans up."""
    if not parts.settings.enabled:
        return False
    stored = await _admitted(parts, folio) and await _store_in_current_pool(parts, folio, lease)
    await cpu.settle()
    if not stored or lease.invalidated:
        if parts.limit.full and not parts.limit.is_budget:
            parts.worker.queue()
        return False
    parts.counters.events["zswpout"] += folio.nr_pages
    parts.counters.count_folio("zswpout", folio.nr_pages)
    if (owner := folio.owner) is not None:
        owner.count("zswpout", folio.nr_pages)
    return True


async def _admitted(parts: Parts, folio: Folio) -> bool:
    """The checks that are made once per folio: its size, its cgroup's limit, the pool limit."""
    if folio.nr_pages > 1 and not parts.params.features.large_folios:
        return False
    cgroup = folio.owner
    if cgroup is not None and not cgroup.may_zswap() and await shrinker.shrink_memcg(parts, cgroup):
        return False
    return await has_room(parts)


async def _store_in_current_pool(parts: Parts, folio: Folio, lease: SlotLease) -> bool:
    pool = parts.pools.current
    if pool is None:
        return False
    pool.get()
    try:
        owner = folio.owner
        lru = parts.inventory.lrus.ensure(owner, folio.node)
        if lru is None:
            return False
        may_store_raw = parts.inventory.knows_raw and (owner is None or owner.may_write_back)
        return await _store_folio(parts, Attempt(folio, lease, pool, lru, may_store_raw))
    finally:
        pool.put()


async def _store_folio(parts: Parts, attempt: Attempt) -> bool:
    """Batch after batch, each under the context of the current cpu. What a batch is, and how long a context is held:

    1. Without patch 14 a page is a batch, and has the context for itself.
    2. With it, the pool tells how many pages its compressor takes at once. In v8 that is the number of a context's
       requests, and to learn it the context is locked before the first batch.
    3. If these are several, and the folio has several pages, a batch is so many pages. The context is given back after
       each, so that others get their turn, or with `context_scope="folio"` held from the first batch to the last.
    4. Else a batch is 8 pages, compressed one by one; the context is given back after each batch.
    5. Pages that were compressed one by one took the loop's time: when a turn is due, the context is given back first.

    It ends with the first batch that fails, or when the folio was invalidated meanwhile; the caller cleans up.
    """
    nr_pages, pool = attempt.folio.nr_pages, attempt.pool
    context: CpuContext | None = None
    at_once = batch_size = 1
    if parts.params.features.batched_store:
        size = pool.batch_size
        if size is None:
            context = pool.try_lock_current() or await pool.lock_current()
            size = context.interface.batch_size
        at_once = size if nr_pages > 1 else 1
        batch_size = size if at_once > 1 else ZSWAP_MAX_BATCH_SIZE
    keep = at_once > 1 and parts.params.scope == "folio"
    try:
        for first in range(0, nr_pages, batch_size):
            if context is not None and not keep:
                context.unlock()
                context = None
            if context is None:
                context = pool.try_lock_current() or await pool.lock_current()
            batch = range(first, min(first + batch_size, nr_pages))
            if not await _store_batch(parts, attempt, batch, context) or attempt.lease.invalidated:
                return False
            if at_once == 1 and parts.inline_work.turn_is_due(compressed=len(batch)):
                context.unlock()
                context = None
                await asyncio.sleep(0)
        return True
    finally:
        if context is not None:
            context.unlock()


async def _store_batch(parts: Parts, attempt: Attempt, batch: range, context: CpuContext) -> bool:
    """These pages of the folio: entries, compress, publish. After False or an exception none of them is unpublished.

    Entries that were published before a later one failed stay in the tree; the folio's clean-up removes them.
    """
    inventory = parts.inventory
    table = inventory.entries
    unpublished = (table.alloc_bulk if parts.params.features.bulk_entries else table.alloc)(len(batch))
    if unpublished is None:
        parts.counters.reject_kmemcache_fail += 1
        return False
    try:
        if not await batch_compress(parts, attempt, batch.start, unpublished, context):
            return False
        await cpu.settle()
        await attempt.lru.lock.acquire()
        try:
            published = inventory.publish(attempt.folio.offset + batch.start, unpublished, attempt.pool, attempt.lru)
            unpublished = unpublished[published:]
            cpu.charge("zswap.lru_hold", published)
            await cpu.settle()
        finally:
            attempt.lru.lock.release()
        cpu.charge("zswap.store_page", len(batch))
        if unpublished:
            parts.counters.reject_alloc_fail += 1
        return not unpublished
    finally:
        if unpublished:
            inventory.discard(unpublished, attempt.pool)
