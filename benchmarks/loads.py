"""Loading one page, and how late the loop is while eight tasks store."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import acomp
import acomp.threads
import zswap
from acomp.codecs import ZstdCodec

from .pages import Work
from .raw import TASKS, zstd_jobs
from .rows import Row, Sample, against, in_turns
from .stores import loop_and_worker

TICK_S = 0.001


async def load(work: Work, rounds: int) -> Row:
    """Microseconds of `Zswap.load` (kept, zstd-threads) beside the bare decompress call on the same bytes."""
    codec = ZstdCodec()
    blobs = [codec.compress(page) for page in work.pages]
    count = len(blobs)
    async with AsyncExitStack() as stack:
        stack.enter_context(acomp.registry())
        await stack.enter_async_context(acomp.threads.open(workers=2))
        store = await stack.enter_async_context(zswap.Zswap.open(zswap.Params(compressor="zstd-threads")))
        for number, folio in enumerate(work.folios(16)):
            await store.store(zswap.Folio(number * 16, folio))

        async def loaded() -> float:
            began = time.perf_counter()
            for offset in range(count):
                await store.load(offset, keep=True)
            return (time.perf_counter() - began) / count * 1e6

        async def bare() -> float:
            began = time.perf_counter()
            for blob in blobs:
                codec.decompress(blob, 4096)
            return (time.perf_counter() - began) / count * 1e6

        taken = await in_turns({"load": loaded, "bare": bare}, rounds)
    return against("load of one page, zstd", "us", taken["load"], taken["bare"], target=1.5, aim=1.2, better="lower")


async def lateness(work: Work, rounds: int, seconds: float) -> Row:
    """Milliseconds, 99.9th percentile, that a ticker is late while eight tasks store 64 KiB folios as fast as they can.

    The limit: while two threads compress, of which the loop knows nothing.
    """
    folios = work.folios(16)

    async def storing(over: Callable[[], bool]) -> None:
        async with zswap.Zswap.open(
            zswap.Params(compressor="zstd-threads", max_batch_size=16, long_chains=True)
        ) as store:

            async def one(first: int) -> None:
                number = first
                while not over():
                    await store.store(zswap.Folio(number % len(folios) * 16, folios[number % len(folios)]))
                    number += TASKS

            await asyncio.gather(*(one(number) for number in range(TASKS)))

    async def compressing(over: Callable[[], bool]) -> None:
        def work_on() -> None:
            compress = zstd_jobs()
            while not over():
                compress(work.pages[:64])

        threads = [threading.Thread(target=work_on) for _ in range(2)]
        for thread in threads:
            thread.start()
        while not over():
            await asyncio.sleep(0.05)
        for thread in threads:
            thread.join()

    def late_while(what: Callable[[Callable[[], bool]], Awaitable[None]]) -> Callable[[], Awaitable[float]]:
        async def measure() -> float:
            until = time.perf_counter() + seconds
            late: list[float] = []

            async def tick() -> None:
                while time.perf_counter() < until:
                    due = time.perf_counter() + TICK_S
                    await asyncio.sleep(TICK_S)
                    late.append(time.perf_counter() - due)

            await asyncio.gather(tick(), what(lambda: time.perf_counter() >= until))
            return sorted(late)[len(late) * 999 // 1000] * 1e3

        return measure

    async with AsyncExitStack() as stack:
        stack.enter_context(acomp.registry())
        await stack.enter_async_context(loop_and_worker(8))
        taken: dict[str, list[Sample]] = await in_turns(
            {"store": late_while(storing), "threads": late_while(compressing)}, rounds
        )
    return against(
        "loop lateness p99.9, 8 tasks store zstd",
        "ms",
        taken["store"],
        taken["threads"],
        target=5,
        aim=2,
        judged="value",
        better="lower",
    )
