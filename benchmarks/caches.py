"""`zswap.Cache` beside the line that people write without it: a dict of zstd-compressed values (zict).

Values are cut from the files of a Python installation. Both sides do a few of them in turns, so that whoever else uses
the machine slows both. `python -m benchmarks.caches` prints these rows; with `memory` the one number of its process.
"""

import asyncio
import gc
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import uvloop
import zict
import zstandard

import acomp
import acomp.threads
import zswap
from swaplab.realbytes.inputs import read_pages

from . import report
from .raw import TASKS
from .rows import Row, Sample, against

KIB = 1024
MIB = 1 << 20
SLICES = 20
"""Turns of a round; in each, both sides do a twentieth of the work."""
MEMORY_VALUES = 20_000
TICK_S = 0.001

Target = tuple[float, float]
TARGETS: dict[int, tuple[int, Target, Target]] = {
    4 * KIB: (2000, (1.6, 1.3), (1.6, 1.3)),
    64 * KIB: (200, (1.2, 1.1), (0.9, 0.8)),
    MIB: (20, (1.0, 0.9), (1.0, 0.9)),
}
"""By the size of values: how many of them, and target and aim of a set and of a get, as times the baseline's."""
EVICTING: Target = (2.0, 1.5)
LATENESS_MS: Target = (5.0, 2.0)
MEMORY_BYTES: Target = (300, 230)

Step = Callable[[str, bytes], Awaitable[object]]


def values(size: int, count: int) -> list[bytes]:
    """So many values of that size, in an order of their own."""
    data = bytes(read_pages([]).data)
    cut = [data[start : start + size] for start in range(0, len(data) - size, size)]
    random.Random(1).shuffle(cut)
    return cut[:count]


def baseline() -> zict.Func[str, bytes, bytes]:
    """What the cache is compared with: no budget, no ttl, no file, no single flight."""
    compress, decompress = zstandard.ZstdCompressor(level=3).compress, zstandard.ZstdDecompressor().decompress
    return zict.Func(compress, decompress, {})


async def in_slices(work: Sequence[tuple[str, bytes]], steps: dict[str, Step], rounds: int) -> dict[str, list[Sample]]:
    """Microseconds of the loop's thread that each step takes, by rounds, after one that does not count.

    Processor time, as nothing here waits: whoever else wants the core does not count.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        taken = dict.fromkeys(steps, 0.0)
        for number in range(SLICES):
            part = work[number::SLICES]
            for name, step in steps.items():
                began = time.thread_time()
                for key, value in part:
                    await step(key, value)
                taken[name] += time.thread_time() - began
        if turn:
            for name, seconds in taken.items():
                samples[name].append(Sample(seconds / len(work) * 1e6, seconds))
    return samples


async def of_size(size: int, rounds: int) -> list[Row]:
    """A set and a get of values of that size."""
    count, set_target, get_target = TARGETS[size]
    work = [(f"key-{number:012d}", value) for number, value in enumerate(values(size, count))]
    plain = baseline()
    with acomp.registry():
        async with zswap.Cache.open(max_bytes=None) as cache:

            async def plain_set(key: str, value: bytes) -> None:
                plain[key] = value

            async def plain_get(key: str, _: bytes) -> None:
                plain[key]

            async def cache_get(key: str, _: bytes) -> None:
                await cache.get(key)

            sets = await in_slices(work, {"plain": plain_set, "cache": cache.set}, rounds)
            gets = await in_slices(work, {"plain": plain_get, "cache": cache_get}, rounds)
    name = f"{size // KIB} KiB" if size < MIB else f"{size // MIB} MiB"
    return [
        _row(f"cache: set {name}", sets["cache"], sets["plain"], set_target),
        _row(f"cache: get {name}", gets["cache"], gets["plain"], get_target),
    ]


async def evicting(rounds: int) -> Row:
    """A set of 4 KiB with a ttl, and a budget for so few values that each set evicts one."""
    work = [(f"key-{number:012d}", value) for number, value in enumerate(values(4 * KIB, 2000))]
    plain = baseline()
    with acomp.registry():
        async with zswap.Cache.open(max_bytes=8 * KIB, ttl=60) as cache:

            async def plain_set(key: str, value: bytes) -> None:
                plain[key] = value

            sets = await in_slices(work, {"plain": plain_set, "cache": cache.set}, rounds)
            stats = cache.stats()
            if stats["evicted"] < 0.9 * stats["sets"]:
                raise RuntimeError(f"only {stats['evicted']} of {stats['sets']} sets have evicted something")
    return _row("cache: set 4 KiB, ttl, each evicts", sets["cache"], sets["plain"], EVICTING)


def _row(name: str, values: list[Sample], limits: list[Sample], target: Target) -> Row:
    return against(name, "us", values, limits, target=target[0], aim=target[1], better="lower")


async def lateness(seconds: float) -> Row:
    """Milliseconds, 99.9th percentile, that a ticker is late while eight tasks set values of 1 MiB on two workers.

    The limit: while two threads compress the same, of which the loop knows nothing.
    """
    megabytes = values(MIB, 20)

    async def setting(until: float) -> None:
        async def one(first: int) -> None:
            number = first
            while time.perf_counter() < until:
                await cache.set(str(number % 40), megabytes[number % len(megabytes)])
                number += TASKS

        await asyncio.gather(*(one(number) for number in range(TASKS)))

    async def compressing(until: float) -> None:
        def work() -> None:
            compress = zstandard.ZstdCompressor(level=3).compress
            while time.perf_counter() < until:
                for value in megabytes:
                    compress(value)

        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(2)))

    async def late_while(what: Callable[[float], Awaitable[None]]) -> list[float]:
        until = time.perf_counter() + seconds
        late: list[float] = []

        async def tick() -> None:
            while time.perf_counter() < until:
                due = time.perf_counter() + TICK_S
                await asyncio.sleep(TICK_S)
                late.append((time.perf_counter() - due) * 1e3)

        await asyncio.gather(tick(), what(until))
        return sorted(late)

    async with AsyncExitStack() as stack:
        stack.enter_context(acomp.registry())
        await stack.enter_async_context(acomp.threads.open())
        cache = await stack.enter_async_context(zswap.Cache.open(max_bytes=64 * MIB))
        await setting(time.perf_counter() + 0.2)
        late, limit = await late_while(setting), await late_while(compressing)
    value, of = (one[len(one) * 999 // 1000] for one in (late, limit))
    name = "cache: loop lateness p99.9, eight tasks set 1 MiB"
    return Row(name, value, "ms", of, value / of, *LATENESS_MS, "value", "lower", (late[len(late) // 2], late[-1]))


async def memory_per_value() -> float:
    """Bytes that Python allocates for a value beyond its compressed ones, its key of 16 characters included."""
    with acomp.registry():
        async with zswap.Cache.open(max_bytes=None) as cache:
            await cache.set("the first", b"loads what is loaded on demand")
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for number in range(MEMORY_VALUES):
                await cache.set(f"key-{number:012d}", b"%0200d" % number)
            gc.collect()
            taken = tracemalloc.get_traced_memory()[0] - before
            figures, stats = cache.figures(), cache.stats()
            compressed = stats["bytes"] - (figures.overhead_bytes or 0) * stats["values"]
            return (taken - compressed) / MEMORY_VALUES


def memory() -> Row:
    """The row of memory, from a process of its own."""
    value = float(subprocess.check_output([sys.executable, "-m", "benchmarks.caches", "memory"], text=True))
    name = f"cache: memory beyond compressed bytes, {MEMORY_VALUES:,} values"
    return Row(name, value, "B", None, None, *MEMORY_BYTES, "value", "lower", (value, value))


async def rows(rounds: int, seconds: float) -> list[Row]:
    """Everything about the cache."""
    by_size = [row for size in TARGETS for row in await of_size(size, rounds)]
    return [*by_size, await evicting(rounds), await lateness(seconds)]


if __name__ == "__main__":
    if sys.argv[1:] == ["memory"]:
        print(asyncio.run(memory_per_value()))
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(report.table([*runner.run(rows(9, 3.0)), memory()]))
