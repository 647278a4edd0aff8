"""For tests of what stores pages: wait until nothing is under way, and look at what must hold then."""

from collections.abc import Iterator

from .paths.parts import Parts
from .pool.pool import Pool
from .swap.placed import Placed
from .swap.swap import Swap
from .zswap import Zswap


def parts_of(store: Zswap | Swap) -> Parts:
    """The parts of a store, to be looked at: its pools, its inventory, its slots. They are no interface."""
    return (store.zswap if isinstance(store, Swap) else store)._parts


def is_idle(store: Zswap | Swap) -> bool:
    """Whether nobody works on any slot or page."""
    return not len(parts_of(store).slots) and not (isinstance(store, Swap) and len(store._parts.locks))


async def quiesce(store: Zswap | Swap) -> None:
    """Wait until the shrink worker of an open store has ended, and its device has taken what it was given.

    For calls and jobs under way whoever made them has to wait.
    """
    zswap = store.zswap if isinstance(store, Swap) else store
    await zswap._worker.ended()
    if isinstance(store, Swap):
        await store._parts.io.in_flight.ended(timeout=store._params.close_timeout)


def not_at_rest(store: Zswap | Swap) -> Iterator[str]:
    """What does not hold although nothing is under way, each with the number that it has in docs/invariants.md.

    I2: no call, lease or context is held. I10: entries are in the tree, on LRUs and in the allocators alike. I13: each
    context is there once. I9, of a `Swap`: each page is at one place.
    """
    if isinstance(store, Swap):
        yield from _of_swap(store)
        store = store.zswap
    parts = store._parts
    inventory, pools = parts.inventory, parts.pools.pools
    if store._in_flight.count or len(parts.slots) or store._worker.running or parts.line.locked:
        yield f"I2: {store!r} has something under way, {len(parts.slots)} leases, worker {store._worker.running}"
    counts = (inventory.stored_pages, len(inventory.lrus), len(inventory.entries))
    if len(set(counts)) > 1:
        yield f"I10: entries in the tree, on LRUs, allocated: {counts}"
    references = sum(pool.refs for pool in pools)
    if references != inventory.stored_pages + bool(pools):
        yield f"I2: {references} references of pools, {inventory.stored_pages} pages"
    stored = sum(inventory.length(inventory.tree.get(slot)) for slot in inventory.tree)
    if stored != sum(pool.zs.bytes_stored for pool in pools):
        yield f"I10: {stored} bytes are stored, and not what the allocators have"
    raw = sum(inventory.raw_page(inventory.tree.get(slot)) is not None for slot in inventory.tree)
    if raw != inventory.raw_pages:
        yield f"I10: {raw} pages are raw, and {inventory.raw_pages} are counted"
    for pool in pools:
        yield from _of_pool(pool)


def _of_pool(pool: Pool) -> Iterator[str]:
    pages = sum(of_class.pages_used for of_class in pool.zs.class_stats())
    if pages != pool.zs.total_pages:
        yield f"I10: {pool!r} has {pages} pages by its size classes"
    for context in pool.contexts:
        if context.mutex.locked or any(req.held for req in context.interface.reqs):
            yield f"I2: somebody holds {context!r} of {pool!r}"


def _of_swap(swap: Swap) -> Iterator[str]:
    if swap._parts.in_flight.count or len(swap._parts.locks) or swap._parts.io.in_flight.count:
        yield f"I2: {swap!r} has something under way"
    if swap.slots.used != len(swap):
        yield f"I2: {swap.slots.used} slots are taken by {len(swap)} pages"
    if swap._parts.state != "open":
        return
    places = [swap.where(offset) for offset in swap]
    if None in places or places.count(Placed.ZSWAP) != swap.zswap._parts.inventory.stored_pages:
        yield f"I9: the pages are at {places}, and the store has {swap.zswap._parts.inventory.stored_pages}"
