"""The way of a page back.

Where nothing would wait (the slot and the context are free, the codec is software, time is real) a load is over before
anybody else runs, and takes the short way: no lease, no lock, no request.
"""

from collections.abc import Sequence

from acomp import cpu, trace

from ..inventory.entries import NO_ENTRY
from ..inventory.lru import LruList
from .decompress import decompress, decompress_at_once, decompress_many
from .parts import Parts


def load_at_once(parts: Parts, offset: int, keep: bool) -> bytes | None:
    """What `load` would return, if it would wait for nothing and nothing goes wrong; None for whatever else.

    Who watches sees every step: with a trace sink the long way is taken.
    """
    if trace.sink is not None or cpu.is_modelled() or not parts.slots.is_free(offset):
        return None
    entry = parts.inventory.tree.get(offset)
    if entry == NO_ENTRY:
        return None
    page = decompress_at_once(parts, entry)
    if page is None:
        return None
    _count(parts, parts.inventory.lru_of(entry))
    if not keep:
        parts.inventory.remove(offset)
    return page


async def load(parts: Parts, offset: int, keep: bool) -> bytes | None:
    """The page at this slot, or None; without `keep` its entry is gone when the page is returned.

    The entry leaves the tree only when the bytes are in hand: cancelled or failing, a load changes nothing. (The kernel
    erases first; it cannot be cancelled.) Invalidated meanwhile, it returns None.
    """
    lease = parts.slots.request(offset)
    try:
        if not lease.held:
            await lease.wait()
        entry = parts.inventory.tree.get(offset)
        if entry == NO_ENTRY:
            return None
        lru = parts.inventory.lru_of(entry)
        page = await decompress(parts, entry)
        if keep:
            await cpu.settle()
        else:
            await pay_for_freeing(lru)
        if lease.invalidated:
            return None
        _count(parts, parts.inventory.lru_of(entry))
        if not keep:
            parts.inventory.remove(offset)
        if trace.sink is not None:
            trace.emit("zswap.load", offset=offset, keep=keep)
        return page
    finally:
        lease.release()


async def load_many(parts: Parts, slots: Sequence[int]) -> list[bytes | None]:
    """The pages at these slots as they are now, which stay stored; None for each that has none. Nothing is locked.

    Who calls sees to it that nobody stores there meanwhile. A page that is written back at the same time is found here
    until the device has it.
    """
    found = parts.inventory.tree.get_many(slots)
    entries = [entry for entry in found if entry != NO_ENTRY] if NO_ENTRY in found else found
    for lru, nr_pages in parts.inventory.lrus_of(entries):
        _count(parts, lru, nr_pages)
    pages = await decompress_many(parts, entries)
    if len(pages) == len(found):
        return [*pages]
    left = iter(pages)
    return [next(left) if entry != NO_ENTRY else None for entry in found]


def _count(parts: Parts, lru: LruList, nr_pages: int = 1) -> None:
    parts.counters.events["zswpin"] += nr_pages
    if lru.cgroup is not None:
        lru.cgroup.count("zswpin", nr_pages)


async def pay_for_freeing(lru: LruList, nr_pages: int = 1) -> None:
    """Charge what freeing these entries costs, with the shared lock held; without a cost model nothing happens."""
    await cpu.settle()
    await lru.lock.acquire()
    try:
        cpu.charge("zswap.free_hold", nr_pages)
        await cpu.settle()
    finally:
        lru.lock.release()
