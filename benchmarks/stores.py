"""Eight tasks store folios: zswap over worker threads and over the emulated accelerator, against two bare threads."""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

import acomp
import acomp.threads
import iaa_emulator
import zswap
from zswap.params import InterfaceName

from .pages import Work
from .raw import TASKS, Make, dict_rate, executor_rate, one_by_one, threads_rate, zstd_jobs
from .rows import Measure, Row, Sample, against, in_turns, speed_up

GAIN = 1.3
"""What a threaded algorithm must gain over the generic one to be registered by default, opened as it is by default."""
SHARE = 4
"""Single pages are a fourth of the work: they take so much longer than folios."""


Setup = Callable[[], AbstractAsyncContextManager[object]]


def loop_and_worker(loop_pages: int = 16) -> AbstractAsyncContextManager[object]:
    """The fastest way for many tasks on two cores: a worker thread, and the loop's own does a batch at a turn."""
    return acomp.threads.open(workers=1, loop_pages=loop_pages)


def two_workers(name: str = "zstd") -> AbstractAsyncContextManager[object]:
    """Two worker threads, the default; the loop compresses nothing."""
    return acomp.threads.open(workers=2, algorithms=[name])


def two_engine_threads() -> AbstractAsyncContextManager[object]:
    """The emulated accelerator, its engines on two threads."""
    return iaa_emulator.Platform.open(engine=iaa_emulator.WorkerThreads(2))


def engines_on_the_loop() -> AbstractAsyncContextManager[object]:
    """The same without threads."""
    return iaa_emulator.Platform.open(engine=iaa_emulator.WorkerThreads(0))


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

    def store(
        setup: Setup,
        compressor: str,
        nr_pages: int,
        length: int = 8,
        interface: InterfaceName = "chain",
        share: int = 1,
    ) -> Measure:
        params = zswap.Params(compressor=compressor, max_batch_size=length, long_chains=length > 8, interface=interface)

        async def measure() -> float:
            folios = work.folios(nr_pages)
            with acomp.registry():
                async with setup():
                    return await store_rate(params, folios[: len(folios) // share], nr_pages)

        return measure

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
        "64K zstd, worker + loop, chains of 16": store(loop_and_worker, "zstd-threads", 16, 16),
        "64K zstd, worker + loop, chains of 8": store(partial(loop_and_worker, 8), "zstd-threads", 16),
        "64K zstd, two workers, chains of 16": store(two_workers, "zstd-threads", 16, 16),
        "64K zstd, two workers, chains of 8": store(two_workers, "zstd-threads", 16),
        "2M zstd, worker + loop, chains of 32": store(
            partial(loop_and_worker, 16), "zstd-threads", 512, zswap.LONGEST_CHAIN
        ),
        "2M zstd, two workers, chains of 8": store(two_workers, "zstd-threads", 512),
        "64K zstd, worker + loop, units, 16 a request": store(loop_and_worker, "zstd-threads", 16, 16, "unit"),
        "2M zstd, worker + loop, units, 32 a request": store(
            partial(loop_and_worker, 16), "zstd-threads", 512, zswap.LONGEST_CHAIN, "unit"
        ),
        "64K deflate-iaa, engines on the loop, units": store(engines_on_the_loop, "deflate-iaa", 16, 8, "unit"),
        "single pages, zstd, inside acomp.threads": store(acomp.threads.open, "zstd", 1, share=SHARE),
        "single pages, zstd, inline": store(nullcontext, "zstd", 1, share=SHARE),
        "64K zstd-generic": store(nullcontext, "zstd-generic", 16),
        "executor call per page": partial(executor_rate, work.pages),
        "executor call per page, stock loop": partial(asyncio.to_thread, stock_loop),
        "zstd, two threads, page by page": threads(one_by_one("zstd")),
        "isal, two threads, page by page": threads(one_by_one("isal")),
        "64K deflate-iaa, two engine threads": store(two_engine_threads, "deflate-iaa", 16),
        "64K deflate-iaa, engines on the loop": store(engines_on_the_loop, "deflate-iaa", 16),
        "2M deflate-iaa, two engine threads": store(two_engine_threads, "deflate-iaa", 512),
        "deflate, two threads, page by page": threads(one_by_one("deflate")),
        "64K deflate-threads": store(partial(two_workers, "deflate"), "deflate-threads", 16),
        "64K deflate-generic": store(nullcontext, "deflate-generic", 16),
        "lz4, two threads, page by page": threads(one_by_one("lz4")),
        "64K lz4-threads": store(partial(two_workers, "lz4"), "lz4-threads", 16),
        "64K lz4-generic": store(nullcontext, "lz4-generic", 16),
        "dict": in_a_dict,
    }


async def rows(work: Work, rounds: int) -> list[Row]:
    """The rows of storing."""
    taken = await in_turns(measures(work), rounds)
    return [*_rows(taken), *_processor_rows(taken, len(work.pages))]


def _rows(taken: dict[str, list[Sample]]) -> list[Row]:
    zstd, isal = taken["zstd, two threads, jobs of 512"], taken["isal, two threads, page by page"]
    executor, stock = taken["executor call per page"], taken["executor call per page, stock loop"]
    best = taken["64K zstd, worker + loop, chains of 16"]
    unit = "pages/s"

    def store(name: str, limit: list[Sample], target: float | None = None, aim: float | None = None) -> Row:
        return against(f"store {name}", unit, taken[name], limit, target=target, aim=aim)

    return [
        against("this machine: two threads / one thread, zstd", unit, zstd, taken["zstd, one thread, jobs of 512"]),
        store("64K zstd, worker + loop, units, 16 a request", zstd, target=0.7, aim=0.78),
        store("64K zstd, worker + loop, chains of 16", zstd),
        store("64K zstd, worker + loop, chains of 8", zstd),
        store("64K zstd, two workers, chains of 16", zstd),
        store("64K zstd, two workers, chains of 8", zstd),
        store("64K zstd-generic", zstd),
        store("2M zstd, worker + loop, units, 32 a request", zstd, target=0.75, aim=0.85),
        store("2M zstd, worker + loop, chains of 32", zstd),
        store("2M zstd, two workers, chains of 8", zstd),
        store("64K deflate-iaa, two engine threads", isal, target=0.6, aim=0.85),
        store("64K deflate-iaa, engines on the loop, units", isal, target=0.17, aim=0.22),
        store("64K deflate-iaa, engines on the loop", isal),
        store("2M deflate-iaa, two engine threads", isal),
        against("peer: executor call per page, asyncio's loop", unit, stock, zstd),
        against("peer: executor call per page, loop of this run", unit, executor, zstd),
        against("peer: two threads, page by page", unit, taken["zstd, two threads, page by page"], zstd),
        against("peer: dict, not compressed", unit, taken["dict"], zstd),
        speed_up("times faster: 64K zstd than an executor call per page", best, stock, zstd, target=5, aim=8),
        speed_up("times faster: 64K zstd than zstd-generic", best, taken["64K zstd-generic"], zstd),
        *(_gain(taken, name) for name in ("deflate", "lz4")),
    ]


def _gain(taken: dict[str, list[Sample]], name: str) -> Row:
    return speed_up(
        f"times faster: 64K {name}-threads than {name}-generic",
        taken[f"64K {name}-threads"],
        taken[f"64K {name}-generic"],
        taken[f"{name}, two threads, page by page"],
        target=GAIN,
    )


def _processor_rows(taken: dict[str, list[Sample]], pages: int) -> list[Row]:
    """Processor time per page, codec included: steadier than rates where others use the machine."""

    def row(name: str, raw: str, share: int = 1, target: float | None = None, aim: float | None = None) -> Row:
        value, limit = ([sample.cpu_s * share / pages * 1e6 for sample in taken[which]] for which in (name, raw))
        fractions = [a / b for a, b in zip(value, limit, strict=True)]
        middle = statistics.median
        return Row(
            f"processor time, {name}",
            middle(value),
            "us/page",
            middle(limit),
            middle(fractions),
            target,
            aim,
            better="lower",
            spread=(min(fractions), max(fractions)),
        )

    zstd, isal = "zstd, two threads, jobs of 512", "isal, two threads, page by page"
    return [
        row("64K zstd, worker + loop, chains of 16", zstd),
        row("2M zstd, worker + loop, chains of 32", zstd),
        row("64K deflate-iaa, two engine threads", isal),
        row("single pages, zstd, inside acomp.threads", "single pages, zstd, inline", SHARE, target=1.2, aim=1.05),
    ]
