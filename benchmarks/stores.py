"""Eight tasks store folios: zswap over worker threads and over the emulated accelerator, against two bare threads."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import acomp
import acomp.threads
import iaa_emulator
import zswap

from .pages import Work
from .raw import TASKS, Make, dict_rate, executor_rate, one_by_one, threads_rate, zstd_jobs
from .rows import Measure, Row, Sample, against, in_turns, speed_up

GAIN = 1.3
"""What a threaded algorithm must gain over the generic one to be registered by default."""


async def store_rate(params: zswap.Params, folios: Sequence[bytes], nr_pages: int) -> float:
    """Pages per second of eight tasks that store folios of `nr_pages` pages into a fresh store."""
    async with zswap.Zswap.open(params) as store:
        work = iter([zswap.Folio(number * nr_pages, data) for number, data in enumerate(folios)])

        async def one() -> None:
            for folio in work:
                if not await store.store(folio):
                    raise RuntimeError(f"{params.compressor} refused a folio: {dict(store.stats())}")

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(TASKS)))
        return len(folios) * nr_pages / (time.perf_counter() - began)


def measures(work: Work) -> dict[str, Measure]:
    """Everything that a round measures, in pages per second."""

    def store(compressor: str, nr_pages: int, **params: Any) -> Measure:
        return partial(store_rate, zswap.Params(compressor=compressor, **params), work.folios(nr_pages), nr_pages)

    def threads(make: Make, count: int = 2) -> Measure:
        async def measure() -> float:
            return threads_rate(make, work.pages, count)

        return measure

    async def in_a_dict() -> float:
        return dict_rate(work.data)

    def stock_loop() -> float:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(executor_rate(work.pages))

    return {
        "zstd, two threads, jobs of 512": threads(zstd_jobs),
        "zstd, one thread, jobs of 512": threads(zstd_jobs, 1),
        "store 64K zstd-threads": store("zstd-threads", 16),
        "store 2M zstd-threads": store("zstd-threads", 512),
        "store 2M zstd-threads, long chains": store(
            "zstd-threads", 512, max_batch_size=zswap.LONGEST_CHAIN, long_chains=True
        ),
        "store 64K zstd-threads, long chains": store("zstd-threads", 16, max_batch_size=16, long_chains=True),
        "store 64K zstd-generic": store("zstd-generic", 16),
        "executor call per page": partial(executor_rate, work.pages),
        "executor call per page, stock loop": partial(asyncio.to_thread, stock_loop),
        "zstd, two threads, page by page": threads(one_by_one("zstd")),
        "isal, two threads, page by page": threads(one_by_one("isal")),
        "store 64K deflate-iaa": store("deflate-iaa", 16),
        "store 2M deflate-iaa": store("deflate-iaa", 512),
        "deflate, two threads, page by page": threads(one_by_one("deflate")),
        "store 64K deflate-threads": store("deflate-threads", 16),
        "store 64K deflate-generic": store("deflate-generic", 16),
        "lz4, two threads, page by page": threads(one_by_one("lz4")),
        "store 64K lz4-threads": store("lz4-threads", 16),
        "store 64K lz4-generic": store("lz4-generic", 16),
        "dict": in_a_dict,
    }


async def rows(work: Work, rounds: int) -> list[Row]:
    """The rows of storing."""
    async with AsyncExitStack() as stack:
        stack.enter_context(acomp.registry())
        await stack.enter_async_context(acomp.threads.open(workers=2, algorithms=("zstd", "deflate", "lz4")))
        await stack.enter_async_context(iaa_emulator.Platform.open(engine=iaa_emulator.WorkerThreads(2)))
        taken = await in_turns(measures(work), rounds)
    return [*_rows(taken), *_processor_rows(taken, len(work.pages))]


def _rows(taken: dict[str, list[Sample]]) -> list[Row]:
    zstd, isal = taken["zstd, two threads, jobs of 512"], taken["isal, two threads, page by page"]
    store = taken["store 64K zstd-threads"]
    executor, stock = taken["executor call per page"], taken["executor call per page, stock loop"]
    unit = "pages/s"
    return [
        against("this machine: two threads / one thread, zstd", unit, zstd, taken["zstd, one thread, jobs of 512"]),
        against("store 64K, zstd, 8 tasks", unit, store, zstd, target=0.7, aim=0.9),
        against("store 64K, zstd, 8 tasks, chains of 16", unit, taken["store 64K zstd-threads, long chains"], zstd),
        against("store 2M, zstd, 8 tasks", unit, taken["store 2M zstd-threads"], zstd, target=0.8, aim=0.95),
        against("store 2M, zstd, 8 tasks, chains of 32", unit, taken["store 2M zstd-threads, long chains"], zstd),
        against("store 64K, deflate-iaa, 8 tasks", unit, taken["store 64K deflate-iaa"], isal, target=0.6, aim=0.85),
        against("store 2M, deflate-iaa, 8 tasks", unit, taken["store 2M deflate-iaa"], isal),
        speed_up("store 64K, zstd / executor call per page", store, stock, zstd, target=5, aim=8),
        against("peer: executor call per page, stock loop", unit, stock, zstd),
        against("peer: executor call per page, this loop", unit, executor, zstd),
        against("peer: two threads, page by page", unit, taken["zstd, two threads, page by page"], zstd),
        against("peer: dict, not compressed", unit, taken["dict"], zstd),
        *(_gain(taken, name, best) for name, best in (("zstd", zstd), ("deflate", None), ("lz4", None))),
    ]


def _gain(taken: dict[str, list[Sample]], name: str, best: list[Sample] | None) -> Row:
    return speed_up(
        f"store 64K, {name}-threads / {name}-generic",
        taken[f"store 64K {name}-threads"],
        taken[f"store 64K {name}-generic"],
        best or taken[f"{name}, two threads, page by page"],
        target=GAIN,
    )


def _processor_rows(taken: dict[str, list[Sample]], pages: int) -> list[Row]:
    """Processor time per page, codec included: steadier than rates where others use the machine."""

    def row(name: str, store: str, raw: str) -> Row:
        value, limit = ([sample.cpu_s / pages * 1e6 for sample in taken[which]] for which in (store, raw))
        fractions = [a / b for a, b in zip(value, limit, strict=True)]
        middle = statistics.median
        return Row(
            f"processor time, {name}",
            middle(value),
            "us/page",
            middle(limit),
            middle(fractions),
            better="lower",
            spread=(min(fractions), max(fractions)),
        )

    zstd = "zstd, two threads, jobs of 512"
    return [
        row("store 64K zstd", "store 64K zstd-threads", zstd),
        row("store 2M zstd", "store 2M zstd-threads", zstd),
        row("store 64K deflate-iaa", "store 64K deflate-iaa", "isal, two threads, page by page"),
    ]
