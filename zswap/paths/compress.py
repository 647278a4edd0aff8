"""Compress a batch of pages and put the results into the allocator (patch 14).

One code path for every interface and both kinds of compressor: what an interface takes at once is one call of it, and
what comes back is an output or a code for each page. Never touches the tree; whoever calls owns the entries and frees
them after a failure.
"""

from collections.abc import Sequence
from errno import ENOSPC
from typing import cast

from acomp import PAGE_SIZE

from ..pool.context import CpuContext
from ..pool.pool import Pool
from .attempt import Attempt
from .parts import Parts


async def batch_compress(
    parts: Parts, attempt: Attempt, first: int, entries: Sequence[int], context: CpuContext
) -> bool:
    """Compress the pages of the folio from `first` on into `entries`, one each. Needs the context locked.

    True when every entry is filled, from v12 on with the page itself if that does not compress. Of pages that go to the
    compressor at once nothing at all is stored when one of them fails, and a reject counter ticks for each failing
    page; page by page, the first failure ends it and ticks once.
    """
    interface = context.interface
    for start in range(0, len(entries), interface.batch_size):
        some = entries[start : start + interface.batch_size]
        outputs = await interface.compress(attempt.folio, first + start, len(some))
        if parts.inventory.knows_raw and not _all_compressed(outputs):
            outputs = _with_raw_pages(attempt, first + start, outputs)
        if int in set(map(type, outputs)):
            _count_rejects(parts, outputs)
            return False
        if not _allocate(parts, some, attempt.pool, cast("Sequence[bytes]", outputs)):
            return False
    return True


def _all_compressed(outputs: Sequence[bytes | int]) -> bool:
    """Whether every page has an output that is shorter. (Mostly so: no step of the interpreter per page.)"""
    return set(map(type, outputs)) == {bytes} and max(map(len, outputs)) < PAGE_SIZE  # type: ignore[arg-type]


def _with_raw_pages(attempt: Attempt, first: int, outputs: Sequence[bytes | int]) -> list[bytes | int]:
    """What v12 makes of them: the page itself for each that did not compress, whatever the code says of it.

    An output as long as a page must not be stored, for an entry of that length is raw: where raw pages are not allowed,
    it is a page that compresses poorly.
    """
    stored: list[bytes | int] = []
    for number, output in enumerate(outputs, first):
        if type(output) is bytes and len(output) < PAGE_SIZE:
            stored.append(output)
        elif attempt.may_store_raw:
            stored += attempt.folio.pages(number, number + 1)
        else:
            stored.append(-ENOSPC if type(output) is bytes else output)
    return stored


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
