"""The page of an entry, for loads and for writeback: decompressed by one plain request on the current cpu's context.

Or taken as it is, if it is raw. Pages that are wanted together need no context: they are decompressed at once where the
codec is software, and else as the chains of requests of their own.
"""

import asyncio
from collections.abc import Sequence
from errno import EIO
from typing import cast

from acomp import PAGE_SIZE, acomp_request_set_params, crypto_acomp_decompress, crypto_wait_req, decompress_pages
from acomp.codecs import CodecError

from ..errors import DecompressError
from ..pool.pool import Pool
from .parts import Parts


async def decompress(parts: Parts, entry: int) -> bytes:
    """The page of a published entry, by its own pool's compressor; DecompressError if that cannot.

    A raw page is there already, whichever compressor its pool has: no context is locked for it, and it counts as one
    decompressed inline, so that the loop gets its turns.

    Differs from the kernel: compressed pages are immutable here, so an async compressor needs no copy of them in
    buffer 0.
    """
    if (raw := parts.inventory.raw_page(entry)) is not None:
        if parts.inline_work.turn_is_due(decompressed=1):
            await asyncio.sleep(0)
        return raw
    entries = parts.inventory.entries
    slot, blob, pool = entries.slot[entry], entries.blob[entry], parts.inventory.pool_of(entry)
    assert blob is not None
    context = pool.try_lock_current()
    if context is None:
        pool.get()  # the entry may be invalidated meanwhile, and with it the last reference go
        try:
            context = await pool.lock_current()
        finally:
            pool.put()
    try:
        req = context.req
        acomp_request_set_params(req, blob, context.page, len(blob), PAGE_SIZE)
        code = crypto_acomp_decompress(req)
        err = await crypto_wait_req(code, context.wait) if code else 0
        length, page = req.dlen, req.output if req.output is not None else bytes(context.page)
    finally:
        context.unlock()
    if context.is_inline and parts.inline_work.turn_is_due(decompressed=1):
        await asyncio.sleep(0)
    if err or length != PAGE_SIZE:
        parts.counters.decompress_fail += 1
        raise DecompressError(slot, pool.compressor, err or -EIO)
    return page


def decompress_at_once(parts: Parts, entry: int) -> bytes | None:
    """The same without a request, where nothing would wait: None if that cannot be, or for whatever goes wrong.

    Nothing would wait where the context is free, the codec is software, and the loop needs no turn.
    """
    if (raw := parts.inventory.raw_page(entry)) is not None:
        return raw if parts.inline_work.may_decompress_at_once() else None
    context = parts.inventory.pool_of(entry).free_context_here(parts.loop)
    if context is None or context.tfm is None or context.tfm.decompress_at_once is None:
        return None
    if not parts.inline_work.may_decompress_at_once():
        return None
    blob = parts.inventory.entries.blob[entry]
    assert blob is not None
    try:
        page = context.tfm.decompress_at_once(blob, PAGE_SIZE)
    except Exception:
        return None  # `decompress` says what it was
    return page if len(page) == PAGE_SIZE else None


async def decompress_many(parts: Parts, entries: Sequence[int]) -> list[bytes]:
    """The pages of published entries, in order; DecompressError for the first that cannot be read.

    What the entries are is looked up now. They may be invalidated or written back meanwhile: their blobs never change.
    """
    inventory = parts.inventory
    pages: list[bytes] = [*map(inventory.entries.blob.__getitem__, entries)]  # type: ignore[list-item] # published
    slots = [*map(inventory.entries.slot.__getitem__, entries)]
    by_pool = inventory.by_pool(entries)
    any_raw = inventory.knows_raw and PAGE_SIZE in map(len, pages)
    for pool, _ in by_pool:
        pool.get()
    try:
        for pool, numbers in by_pool:
            packed = [number for number in numbers if len(pages[number]) < PAGE_SIZE] if any_raw else numbers
            if not packed:
                continue
            outcomes = await _decompress_blobs(parts, pool, [*map(pages.__getitem__, packed)])
            plain = _checked(parts, pool, [*map(slots.__getitem__, packed)], outcomes)
            if len(plain) == len(pages):
                return [*plain]
            for number, page in zip(packed, plain, strict=True):
                pages[number] = page
    finally:
        for pool, _ in by_pool:
            pool.put()
    return pages


def _checked(parts: Parts, pool: Pool, slots: Sequence[int], outcomes: Sequence[bytes | int]) -> Sequence[bytes]:
    """The outcomes, if they are a page each; DecompressError for the slot of the first that is not."""
    if set(map(type, outcomes)) == {bytes} and set(map(len, outcomes)) == {PAGE_SIZE}:  # type: ignore[arg-type]
        return cast("Sequence[bytes]", outcomes)
    parts.counters.decompress_fail += 1
    bad = next(i for i, page in enumerate(outcomes) if not isinstance(page, bytes) or len(page) != PAGE_SIZE)
    outcome = outcomes[bad]
    raise DecompressError(slots[bad], pool.compressor, outcome if isinstance(outcome, int) else -EIO)


async def _decompress_blobs(parts: Parts, pool: Pool, blobs: list[bytes]) -> Sequence[bytes | int]:
    """Each one's page or negative errno. On the loop it gets its turns; a device does all of them at the same time."""
    if (many := pool.tfm.decompress_many) is not None:
        return await many(blobs, PAGE_SIZE)
    at_once = pool.tfm.decompress_at_once
    if at_once is None:
        return [result.err or result.data for result in await decompress_pages(pool.tfm, blobs)]
    pages: list[bytes | int] = []
    for blob in blobs:
        if parts.inline_work.turn_is_due(decompressed=1):
            await asyncio.sleep(0)
        try:
            pages.append(at_once(blob, PAGE_SIZE))
        except CodecError:
            pages.append(-EIO)
    return pages
