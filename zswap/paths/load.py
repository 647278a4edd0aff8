"""The way of a page back: one page, one plain request on the current cpu's context (kernel-facts 11.9, 13.7).

Where nothing would wait (the slot and the context are free, the codec is software, time is real) a load is over before
anybody else runs, and takes the short way: no lease, no lock, no request.
"""

import asyncio
from errno import EIO

from acomp import (
    PAGE_SIZE,
    acomp_request_set_params,
    cpu,
    crypto_acomp_decompress,
    crypto_wait_req,
    trace,
)

from ..errors import DecompressError
from ..inventory.entries import NO_ENTRY
from ..inventory.lru import LruList
from .parts import Core


def load_at_once(core: Core, offset: int, keep: bool) -> bytes | None:
    """What `load` would return, if it would wait for nothing and nothing goes wrong; None for whatever else.

    Who watches sees every step: with a trace sink the long way is taken.
    """
    if trace.sink is not None or cpu.is_modelled() or not core.slots.is_free(offset):
        return None
    entry = core.inventory.tree.get(offset)
    if entry == NO_ENTRY:
        return None
    context = core.inventory.pool_of(entry).free_context_here(core.loop)
    if context is None or context.tfm is None or context.tfm.decompress_at_once is None:
        return None
    if not core.may_decompress_now():
        return None
    blob = core.inventory.entries.blob[entry]
    assert blob is not None
    try:
        page = context.tfm.decompress_at_once(blob, PAGE_SIZE)
    except Exception:
        return None  # the long way says what it was
    if len(page) != PAGE_SIZE:
        return None
    _count(core, entry)
    if not keep:
        core.inventory.remove(offset)
    return page


def _count(core: Core, entry: int) -> None:
    core.counters.events["zswpin"] += 1
    if (cgroup := core.inventory.lru_of(entry).cgroup) is not None:
        cgroup.count("zswpin")


async def load(core: Core, offset: int, keep: bool) -> bytes | None:
    """The page at this slot, or None; without `keep` its entry is gone when the page is returned.

    The entry leaves the tree only when the bytes are in hand: cancelled or failing, a load changes nothing. (The kernel
    erases first; it cannot be cancelled.) Invalidated meanwhile, it returns None.
    """
    lease = core.slots.request(offset)
    try:
        if not lease.held:
            await lease.wait()
        entry = core.inventory.tree.get(offset)
        if entry == NO_ENTRY:
            return None
        lru = core.inventory.lru_of(entry)
        page = await decompress(core, entry)
        if keep:
            await cpu.settle()
        else:
            await pay_for_freeing(lru)
        if lease.invalidated:
            return None
        _count(core, entry)
        if not keep:
            core.inventory.remove(offset)
        if trace.sink is not None:
            trace.emit("zswap.load", offset=offset, keep=keep)
        return page
    finally:
        lease.release()


async def pay_for_freeing(lru: LruList, nr_pages: int = 1) -> None:
    """Charge what freeing these entries costs, with the shared lock held; without a cost model nothing happens."""
    await cpu.settle()
    await lru.lock.acquire()
    try:
        cpu.charge("zswap.free_hold", nr_pages)
        await cpu.settle()
    finally:
        lru.lock.release()


async def decompress(core: Core, entry: int) -> bytes:
    """The page of a published entry, by its own pool's compressor; DecompressError if that cannot.

    Differs from the kernel: compressed pages are immutable here, so an async compressor needs no copy of them in
    buffer 0 (11.9, B10).
    """
    entries = core.inventory.entries
    slot, blob, pool = entries.slot[entry], entries.blob[entry], core.inventory.pool_of(entry)
    assert blob is not None
    context = pool.try_lock_current()
    if context is None:
        pool.get()  # the entry may be invalidated meanwhile, and with it the last reference go
        try:
            context = await pool.lock_current()
        finally:
            pool.put()
    try:
        req = context.reqs[0]
        acomp_request_set_params(req, blob, context.page, len(blob), PAGE_SIZE)
        code = crypto_acomp_decompress(req)
        err = await crypto_wait_req(code, context.wait) if code else 0
        length, page = req.dlen, req.output if req.output is not None else bytes(context.page)
    finally:
        context.unlock()
    if context.is_inline and core.turn_is_due(decompressed=1):
        await asyncio.sleep(0)
    if err or length != PAGE_SIZE:
        core.counters.decompress_fail += 1
        raise DecompressError(slot, pool.compressor, err or -EIO)
    return page
