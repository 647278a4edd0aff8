"""Millions of stores and loads: `python -m benchmarks.soak [--pages 3000000]`. Memory flat, nothing left behind?

Eight tasks store, load, check and invalidate folios of a bounded number of slots, over worker threads and over the
emulated accelerator in turns, now and then cancelled in the middle of a store. It fails when resident memory grows from
its second quarter to its last, when a page comes back wrong, or when a task, thread or file is left at the end.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import uvloop

import acomp
import acomp.threads
import iaa_emulator
import zswap
from acomp import PAGE_SIZE

from .memory import resident_bytes
from .pages import Work, work
from .raw import TASKS

SLOTS_PER_TASK = 4096
FOLIO_PAGES = 16
SAMPLE_S = 1.0
GROWTH_LIMIT = 1.03


@dataclass(slots=True)
class Tally:
    """What was done, and what the process looked like meanwhile."""

    stored: int = 0
    loaded: int = 0
    invalidated: int = 0
    cancelled: int = 0
    refused: int = 0
    resident: list[int] = field(default_factory=list)

    @property
    def pages(self) -> int:
        """Pages stored and loaded."""
        return self.stored + self.loaded


async def one(store: zswap.Zswap, task: int, pages: Work, tally: Tally, over: Callable[[], bool]) -> None:
    """One task with slots of its own and a dict of which folio is where."""
    dice = random.Random(f"soak/{task}")
    folios, held = pages.folios(FOLIO_PAGES), dict[int, int]()
    while not over():
        slot = task * SLOTS_PER_TASK + dice.randrange(SLOTS_PER_TASK // FOLIO_PAGES) * FOLIO_PAGES
        choice = dice.random()
        if slot in held and choice < 0.5:
            tally.loaded += await check(store, slot, folios[held[slot]], keep=choice < 0.4)
            if choice >= 0.4:
                del held[slot]
        elif slot in held and choice < 0.55:
            tally.invalidated += store.invalidate(slot, FOLIO_PAGES)
            del held[slot]
        else:
            number = dice.randrange(len(folios))
            storing = asyncio.ensure_future(store.store(zswap.Folio(slot, folios[number])))
            if choice > 0.99:
                await asyncio.sleep(0)
                storing.cancel()
                await asyncio.wait([storing])
            if choice > 0.99 and storing.cancelled():
                tally.cancelled += 1
                held.pop(slot, None)
            elif await storing:
                held[slot] = number
                tally.stored += FOLIO_PAGES
            else:
                tally.refused += 1
                held.pop(slot, None)


async def check(store: zswap.Zswap, slot: int, data: bytes, keep: bool) -> int:
    """Load a folio page by page and compare; the number of pages."""
    for page in range(FOLIO_PAGES):
        loaded = await store.load(slot + page, keep)
        if loaded != data[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]:
            raise RuntimeError(f"slot {slot + page} came back wrong: {'nothing' if loaded is None else 'other bytes'}")
    return FOLIO_PAGES


async def sample(tally: Tally, over: Callable[[], bool]) -> None:
    """Note the resident size every second, and say so."""
    while not over():
        await asyncio.sleep(SAMPLE_S)
        tally.resident.append(resident_bytes())
        print(f"\r{tally.pages:12,} pages  {tally.resident[-1] >> 20:6,} MiB", end="", file=sys.stderr)


async def soak(pages: Work, count: int, tally: Tally) -> None:
    """Run until `count` pages were stored and loaded, half of them with each compressor."""
    async with AsyncExitStack() as stack:
        stack.enter_context(acomp.registry())
        await stack.enter_async_context(acomp.threads.open(workers=2, loop_pages=8))
        await stack.enter_async_context(iaa_emulator.Platform.open())
        async with zswap.Zswap.open(zswap.Params(compressor="zstd-threads")) as store:
            for turn, compressor in enumerate(["zstd-threads", "deflate-iaa"] * 4, start=1):
                store.params["compressor"] = compressor

                def over(until: int = count * turn // 8) -> bool:
                    return tally.pages >= until

                async with asyncio.TaskGroup() as group:
                    for task in range(TASKS):
                        group.create_task(one(store, task, pages, tally, over))
                    group.create_task(sample(tally, over))
                tally.invalidated += store.invalidate(0, TASKS * SLOTS_PER_TASK)


def left_over(before: Counter[str]) -> Counter[str]:
    """What the process has now and had not before."""
    return census() - before


def census() -> Counter[str]:
    """Threads by name, and open files by what they are."""
    files = [f"{os.readlink(f'/proc/self/fd/{fd}')}" for fd in os.listdir("/proc/self/fd") if fd_exists(fd)]
    return Counter([thread.name for thread in threading.enumerate()] + files)


def fd_exists(fd: str) -> bool:
    """Whether it is still open: the listing itself was."""
    return os.path.lexists(f"/proc/self/fd/{fd}")


def main() -> None:
    """Soak, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", type=int, default=3_000_000, help="stores and loads (default 3,000,000)")
    options = parser.parse_args()
    pages, tally, tasks = work(2048), Tally(), set[asyncio.Task[object]]()
    uvloop.run(asyncio.sleep(0))  # the first loop of a process opens a pipe that stays
    before, began = census(), time.perf_counter()

    async def run() -> None:
        await soak(pages, options.pages, tally)
        tasks.update(asyncio.all_tasks() - {asyncio.current_task()})

    uvloop.run(run())
    quarter = len(tally.resident) // 4
    early, late = (
        statistics.median(part) for part in (tally.resident[quarter : 2 * quarter], tally.resident[-quarter:])
    )
    left = left_over(before)
    print(
        f"\r{tally.stored:,} pages stored, {tally.loaded:,} loaded and compared, {tally.invalidated:,} invalidated,"
        f" {tally.cancelled:,} stores cancelled, {tally.refused:,} refused, {time.perf_counter() - began:.0f} s\n"
        f"resident: {early / 2**20:.1f} MiB in the second quarter, {late / 2**20:.1f} MiB in the last\n"
        f"left behind: {dict(left) or 'no thread, no file'}, {len(tasks)} tasks"
    )
    if late > early * GROWTH_LIMIT or left or tasks:
        sys.exit("the soak has failed")


if __name__ == "__main__":
    main()
