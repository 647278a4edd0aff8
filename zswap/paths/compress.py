"""Compress a batch of pages and put the results into the allocator (patch 14).

One code path for every interface and both kinds of compressor: what an interface takes at once is one call of it, and
what comes back is an output or a code for each page. Never touches the tree; whoever calls owns the entries and frees
them after a failure.
"""

from collections.abc import Sequence
from errno import ENOSPC

from ..pool.context import CpuContext
from ..pool.pool import Pool
from .attempt import Attempt
from .parts import Parts


async def batch_compress(
    parts: Parts, attempt: Attempt, first: int, entries: Sequence[int], context: CpuContext
) -> bool:
    """Compress the pages of the folio from `first` on into `entries`, one each. Needs the context locked.

    True when every entry is filled. Of pages that go to the compressor at once nothing at all is stored when one of
    them fails, and a reject counter ticks for each failing page; page by page, the first failure ends it and ticks
    once.
    """
    interface = context.interface
    for start in range(0, len(entries), interface.batch_size):
        some = entries[start : start + interface.batch_size]
        outputs = await interface.compress(attempt.folio, first + start, len(some))
        blobs = [output for output in outputs if type(output) is bytes]
        if len(blobs) < len(outputs):
            _count_rejects(parts, outputs)
            return False
        if not _allocate(parts, some, attempt.pool, blobs):
            return False
    return True


def _count_rejects(parts: Parts, outputs: Sequence[bytes | int]) -> None:
    """-ENOSPC is a page that compresses poorly; whatever else, -E2BIG of deflate-iaa too, a failure."""
    for err in outputs:
        if err == -ENOSPC:
            parts.counters.reject_compress_poor += 1
        elif type(err) is int:
            parts.counters.reject_compress_fail += 1


def _allocate(parts: Parts, entries: Sequence[int], pool: Pool, blobs: Sequence[bytes]) -> bool:
    """Put each output into its entry, in page order, until the allocator fails."""
    err = parts.inventory.fill(entries, pool, blobs)
    if err == -ENOSPC:
        parts.counters.reject_compress_poor += 1
    elif err:
        parts.counters.reject_alloc_fail += 1
    return not err
