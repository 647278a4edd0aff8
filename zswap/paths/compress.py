"""Compress a batch of pages and put the results into the allocator (patch 14).

One code path for both kinds of compressor: with a batching one all pages of the batch are one chain, else each page is
one request, and in both cases `crypto_wait_req(crypto_acomp_compress(reqs[0]), wait)` is the call. Never touches the
tree; whoever calls owns the entries and frees them after a failure.
"""

from collections.abc import Sequence
from errno import ENOSPC

from acomp import (
    PAGE_SIZE,
    acomp_reqchain_clear,
    acomp_reqchain_fill,
    acomp_reqchain_init,
    acomp_request_err,
    acomp_request_set_params,
    crypto_acomp_compress,
    crypto_req_done,
    crypto_wait_req,
)

from ..folio import Folio
from ..pool.context import CpuContext
from ..pool.pool import Pool
from .attempt import Attempt
from .parts import Parts


async def batch_compress(
    parts: Parts, attempt: Attempt, first: int, entries: Sequence[int], context: CpuContext
) -> bool:
    """Compress the pages of the folio from `first` on into `entries`, one each. Needs the context locked.

    At most 8; if `attempt.chained`, `context.nr_reqs`. True when every entry is filled. A chain stores nothing at all
    when one of its pages fails, and ticks a reject counter for each failing page; page by page, the first failure ends
    it and ticks once.
    """
    step = len(entries) if attempt.chained else 1
    for start in range(0, len(entries), step):
        errs = await _compress(context, attempt.folio, first + start, step, attempt.chained)
        if any(errs):
            _count_rejects(parts, errs)
            return False
        if not _allocate(parts, entries[start : start + step], attempt.pool, context):
            return False
    return True


async def _compress(context: CpuContext, folio: Folio, first: int, nr: int, chained: bool) -> list[int]:
    """The code of each of `nr` pages; the outputs are in the requests, or else in the buffers."""
    reqs, wait = context.reqs, context.wait
    head = reqs[0]
    pages = context.take_pages(folio, first, nr)
    if not chained:
        acomp_request_set_params(head, pages[0], context.buffers[0], PAGE_SIZE, PAGE_SIZE)
        return [await crypto_wait_req(crypto_acomp_compress(head), wait)]
    acomp_reqchain_init(head, 0, crypto_req_done, wait)
    acomp_reqchain_fill(reqs[:nr], pages, context.buffers[:nr], PAGE_SIZE, PAGE_SIZE)
    await crypto_wait_req(crypto_acomp_compress(head), wait)
    errs = [acomp_request_err(req) for req in reqs[:nr]]
    acomp_reqchain_clear(head, wait)
    return errs


def _count_rejects(parts: Parts, errs: Sequence[int]) -> None:
    """-ENOSPC is a page that compresses poorly; whatever else, -E2BIG of deflate-iaa too, a failure."""
    for err in errs:
        if err == -ENOSPC:
            parts.counters.reject_compress_poor += 1
        elif err:
            parts.counters.reject_compress_fail += 1


def _allocate(parts: Parts, entries: Sequence[int], pool: Pool, context: CpuContext) -> bool:
    """Put each output into its entry, in page order, until the allocator fails; copied only if it has to be."""
    blobs = [
        req.output if req.output is not None else bytes(memoryview(buffer)[: req.dlen])
        for req, buffer, _ in zip(context.reqs, context.buffers, entries, strict=False)
    ]
    err = parts.inventory.fill(entries, pool, blobs)
    if err == -ENOSPC:
        parts.counters.reject_compress_poor += 1
    elif err:
        parts.counters.reject_alloc_fail += 1
    return not err
