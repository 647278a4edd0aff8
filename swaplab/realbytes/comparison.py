"""Store real bytes with one compressor after another, page by page and in chains, and read every byte back.

What `swaplab store` runs. Each measurement is a fresh store; a folio that the store rejects goes to a swap device, a
file, outside of the time that is measured; after each run every page is read from wherever it went and compared.
"""

import asyncio
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from time import perf_counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

import acomp
import zswap
from acomp import PAGE_SIZE

SCHEMA: Literal["swaplab.store/1"] = "swaplab.store/1"

Mode = Literal["sequential", "batching"]
MAX_BATCH_SIZE: dict[Mode, int] = {"sequential": 1, "batching": 8}

Progress = Callable[[int], object]
"""Called with the number of pages done since the last call."""


class StoreColumn(BaseModel):
    """One way of storing: a compressor, sequential or batching, by so many storing tasks."""

    model_config = ConfigDict(extra="forbid")

    compressor: str
    mode: Mode
    tasks: int
    pages: int
    stored_pages: int
    rejected_pages: int
    reject_compress_fail: int
    reject_compress_poor: int
    reject_other: int
    pool_total_size: int = Field(description="bytes of whole zspages after the last store")
    ratio: float | None = Field(description="bytes stored over pool_total_size; null when nothing was stored")


class Timing(BaseModel):
    """How fast a column was; times differ from run to run and machine to machine."""

    model_config = ConfigDict(extra="forbid")

    compressor: str
    mode: Mode
    tasks: int
    pages_per_s: list[float] = Field(description="one figure per run, in the order they were made")

    @property
    def median(self) -> float:
        """Pages per second, the median of the runs."""
        return statistics.median(self.pages_per_s)


class Run(BaseModel):
    """What the host had to do with it."""

    model_config = ConfigDict(extra="forbid")

    timings: list[Timing]


class Report(BaseModel):
    """All that `swaplab store` found; the file that `--json` writes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["swaplab.store/1"] = Field(SCHEMA, alias="schema")
    swaplab: str = Field(default_factory=lambda: version("swaplab"))
    folio: str
    pages: int
    bytes: int
    verified_pages: int = Field(description="pages read back and compared in every run")
    verified_bytes: int
    differing_pages: int = Field(description="over all runs")
    columns: list[StoreColumn]
    run: Run

    def timing(self, column: StoreColumn) -> Timing:
        """The timing that belongs to a column."""
        key = (column.compressor, column.mode, column.tasks)
        return next(t for t in self.run.timings if (t.compressor, t.mode, t.tasks) == key)


@dataclass(slots=True)
class _Measured:
    """One fresh store, filled, read back and closed."""

    stats: dict[str, int]
    rejected_folios: int
    seconds: float
    verified_pages: int
    differing_pages: int


@dataclass(slots=True)
class Comparison:
    """What to compare: folios of `nr_pages` pages, by which compressors, how many tasks, how many runs of each."""

    folios: Sequence[memoryview]
    nr_pages: int
    compressors: Sequence[str]
    tasks: Sequence[int] = (1, 8)
    runs: int = 3
    progress: Progress = field(default=lambda pages: None)

    def modes(self) -> dict[str, list[Mode]]:
        """The columns of each compressor: one that does not batch has the sequential one only."""
        return {
            name: ["sequential", "batching"] if batch_size(name) > 1 else ["sequential"] for name in self.compressors
        }

    def steps(self, columns: int) -> int:
        """Pages that `progress` will hear of: every page of every run is stored and read back."""
        return 2 * len(self.folios) * self.nr_pages * columns * self.runs * len(self.tasks)


def batch_size(compressor: str) -> int:
    """Requests per chain that this compressor asks for; AlgorithmNotFoundError if there is none of that name."""
    tfm = acomp.crypto_alloc_acomp(compressor)
    try:
        return acomp.crypto_acomp_batch_size(tfm)
    finally:
        acomp.crypto_free_acomp(tfm)


async def compare(comparison: Comparison, folio: str) -> Report:
    """Measure every column, runs interleaved, and verify each; call it inside `hardware`."""
    columns: list[StoreColumn] = []
    timings: list[Timing] = []
    all_runs: list[_Measured] = []
    for compressor, modes in comparison.modes().items():
        for tasks in comparison.tasks:
            measured: dict[Mode, list[_Measured]] = {mode: [] for mode in modes}
            for _ in range(comparison.runs):
                for mode in modes:
                    measured[mode].append(await _measure(comparison, compressor, mode, tasks))
            for mode, runs in measured.items():
                all_runs += runs
                columns.append(_column(comparison, compressor, mode, tasks, runs[-1]))
                rates = [len(comparison.folios) * comparison.nr_pages / run.seconds for run in runs]
                timings.append(Timing(compressor=compressor, mode=mode, tasks=tasks, pages_per_s=rates))
    pages = len(comparison.folios) * comparison.nr_pages
    verified = min(run.verified_pages for run in all_runs)
    return Report(
        folio=folio,
        pages=pages,
        bytes=pages * PAGE_SIZE,
        verified_pages=verified,
        verified_bytes=verified * PAGE_SIZE,
        differing_pages=sum(run.differing_pages for run in all_runs),
        columns=columns,
        run=Run(timings=timings),
    )


def _column(comparison: Comparison, compressor: str, mode: Mode, tasks: int, run: _Measured) -> StoreColumn:
    stats = run.stats
    named = stats["reject_compress_fail"] + stats["reject_compress_poor"]
    size = stats["pool_total_size"]
    return StoreColumn(
        compressor=compressor,
        mode=mode,
        tasks=tasks,
        pages=len(comparison.folios) * comparison.nr_pages,
        stored_pages=stats["stored_pages"],
        rejected_pages=run.rejected_folios * comparison.nr_pages,
        reject_compress_fail=stats["reject_compress_fail"],
        reject_compress_poor=stats["reject_compress_poor"],
        reject_other=sum(count for name, count in stats.items() if name.startswith("reject_")) - named,
        pool_total_size=size,
        ratio=stats["stored_pages"] * PAGE_SIZE / size if size else None,
    )


async def _measure(comparison: Comparison, compressor: str, mode: Mode, tasks: int) -> _Measured:
    params = zswap.Params(compressor=compressor, max_batch_size=MAX_BATCH_SIZE[mode])
    async with zswap.Zswap.open(params) as store:
        work = enumerate(comparison.folios)
        began = perf_counter()  # the loop's own clock may count milliseconds
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(_store_from(store, work, comparison)) for _ in range(tasks)]
        seconds = perf_counter() - began
        stats = dict(store.stats())
        rejected = frozenset(index for worker in workers for index in worker.result())
        verified, differing = await _verify(store, comparison, rejected)
    return _Measured(stats, len(rejected), seconds, verified, differing)


async def _store_from(store: zswap.Zswap, work: Iterator[tuple[int, memoryview]], comparison: Comparison) -> list[int]:
    """Store folios from the shared iterator until it is empty; the indices of those that were rejected."""
    rejected = []
    for index, data in work:
        if not await store.store(zswap.Folio(index * comparison.nr_pages, data)):
            rejected.append(index)
        comparison.progress(comparison.nr_pages)
    return rejected


async def _verify(store: zswap.Zswap, comparison: Comparison, rejected: frozenset[int]) -> tuple[int, int]:
    """Read every page back from wherever it went: how many were compared with the input, and how many differ.

    What the store rejected is on a swap device (a file) meanwhile. It must have left nothing in the store: a page that
    the store still gives for it is stale, and differs.
    """
    device = zswap.FileDevice(nr_slots=len(comparison.folios) * comparison.nr_pages)
    verified = differing = 0
    try:
        for index in sorted(rejected):
            await asyncio.to_thread(device.write, index * comparison.nr_pages, bytes(comparison.folios[index]))
        for index, folio in enumerate(comparison.folios):
            first = index * comparison.nr_pages
            loaded = [await store.load(first + page) for page in range(comparison.nr_pages)]
            if index in rejected:
                differing += sum(page is not None for page in loaded)
                loaded = _cut(await asyncio.to_thread(device.read, first, comparison.nr_pages))
            differing += sum(page != original for page, original in zip(loaded, _cut(folio), strict=True))
            verified += len(loaded)
            comparison.progress(comparison.nr_pages)
    finally:
        device.close()
    return verified, differing


def _cut(folio: bytes | memoryview) -> list[bytes | None]:
    return [bytes(folio[start : start + PAGE_SIZE]) for start in range(0, len(folio), PAGE_SIZE)]
