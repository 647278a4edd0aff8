"""What an export stands on: a swap space of the right size, over a file that nobody else sees."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import acomp.threads
import zswap

from .export import Export, nr_slots

WORKERS: Final = 1
"""Threads that compress beside the loop, which lends a hand (docs/benchmarks.md)."""
LOOP_PAGES: Final = 8


@asynccontextmanager
async def compressed_device(
    size: int, compressor: str = "zstd", max_pool_bytes: int | None = None, spill: Path | None = None
) -> AsyncIterator[Export]:
    """An export of `size` bytes, all zeroes, and gone with the context.

    At `max_pool_bytes` of compressed pages the oldest are written to the file, as is what does not compress where there
    is no room for it. The file has no name; `spill` says where it lies, and nothing may be there. Pages are compressed
    on worker threads where the algorithm has such a form.

    Raises OSError where the file cannot be made, zswap.ParameterError for a compressor that there is not.
    """
    async with AsyncExitStack() as stack:
        if compressor in acomp.threads.ALGORITHMS:
            threads = acomp.threads.open(WORKERS, algorithms=[compressor], loop_pages=LOOP_PAGES)
            await stack.enter_async_context(threads)
        params = zswap.Params.for_generation(
            "v14", compressor=compressor, max_pool_bytes=max_pool_bytes, max_batch_size=32, long_chains=True
        )
        device = zswap.FileDevice(spill, nr_slots(size), private=spill is not None)
        swap = await stack.enter_async_context(zswap.Swap.open(params, device=device, at_home=True))
        yield Export(swap, size)
