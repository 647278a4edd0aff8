"""What a kernel's counters say of given pages: everything through the swap layer, in order, by one task.

What `swaplab store --features` runs. With the features of a released kernel, a compressor's counters here are that
kernel's on the same pages: `pool_total_size` follows from lengths and size classes, and nothing of it is timed.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

import zswap
from acomp import PAGE_SIZE


class CountersColumn(BaseModel):
    """One compressor's counters after the last store and before the first load. Pages, and bytes of pool."""

    model_config = ConfigDict(extra="forbid")

    compressor: str
    zero_pages: int = Field(description="pages of zero-filled folios, which never reach the compressed store")
    stored_pages: int
    reject_compress_fail: int
    reject_compress_poor: int
    pool_total_size: int = Field(description="bytes of whole zspages")


class CountersReport(BaseModel):
    """The file that `swaplab store --features NAME --json FILE` writes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["swaplab.counters/1"] = Field("swaplab.counters/1", alias="schema")
    swaplab: str = Field(default_factory=lambda: version("swaplab"))
    features: str
    folio: str
    pages: int
    bytes: int
    verified_pages: int
    verified_bytes: int
    differing_pages: int
    columns: list[CountersColumn]


async def count(
    folios: Sequence[memoryview],
    nr_pages: int,
    compressors: Sequence[str],
    features: str,
    folio: str,
    progress: Callable[[int], object],
) -> CountersReport:
    """Store and read back everything, once per compressor; call it inside `comparison.hardware`."""
    columns = []
    verified = []
    differing = 0
    for compressor in compressors:
        column, compared, differ = await _count_one(folios, nr_pages, compressor, features, progress)
        columns.append(column)
        verified.append(compared)
        differing += differ
    pages = len(folios) * nr_pages
    return CountersReport(
        features=features,
        folio=folio,
        pages=pages,
        bytes=pages * PAGE_SIZE,
        verified_pages=min(verified),
        verified_bytes=min(verified) * PAGE_SIZE,
        differing_pages=differing,
        columns=columns,
    )


async def _count_one(
    folios: Sequence[memoryview], nr_pages: int, compressor: str, features: str, progress: Callable[[int], object]
) -> tuple[CountersColumn, int, int]:
    """The column, and how many pages were read back and compared, and how many of them differ."""
    params = zswap.Params(compressor=compressor, features=zswap.StoreFeatures.named(features))
    device = zswap.FileDevice(nr_slots=len(folios) * nr_pages)
    async with zswap.Swap.open(params, device=device) as swap:
        for index, data in enumerate(folios):
            await swap.store(zswap.Folio(index * nr_pages, data))
            progress(nr_pages)
        stats = swap.zswap.stats()
        column = CountersColumn(
            compressor=compressor,
            zero_pages=swap.zswap.events["swpout_zero"],
            stored_pages=stats["stored_pages"],
            reject_compress_fail=stats["reject_compress_fail"],
            reject_compress_poor=stats["reject_compress_poor"],
            pool_total_size=stats["pool_total_size"],
        )
        compared = differing = 0
        for index, data in enumerate(folios):
            for page in range(nr_pages):
                loaded = await swap.load(index * nr_pages + page)
                compared += 1
                differing += loaded != bytes(data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE])
            progress(nr_pages)
    return column, compared, differing
