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
    _count(parts, entry)
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
        _count(parts, entry)
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
    found = [parts.inventory.tree.get(slot) for slot in slots]
    entries = [entry for entry in found if entry != NO_ENTRY]
    for entry in entries:
        _count(parts, entry)
    pages = iter(await decompress_many(parts, entries))
    return [next(pages) if entry != NO_ENTRY else None for entry in found]


def _count(parts: Parts, entry: int) -> None:
    parts.counters.events["zswpin"] += 1
    if (cgroup := parts.inventory.lru_of(entry).cgroup) is not None:
        cgroup.count("zswpin")


async def pay_for_freeing(lru: LruList, nr_pages: int = 1) -> None:
    """Charge what freeing these entries costs, with the shared lock held; without a cost model nothing happens."""
    await cpu.settle()
    await lru.lock.acquire()
    try:
        cpu.charge("zswap.free_hold", nr_pages)
        await cpu.settle()
    finally:
        lru.lock.release()
