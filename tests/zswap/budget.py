"""Stores with a byte budget, pages that say which they are, and devices that remember what went to them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from errno import ENOSPC

import acomp
import zswap
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, sync_null

HUGE = 4000
"""A length that takes a whole page of the pool, which makes counting easy."""
BUDGET = 64
"""Pages of the pool; at 90 percent of it, 57, full pools accept again."""
ACCEPT = 57


def numbered(first: int, nr_pages: int = 1) -> bytes:
    """Pages that say which they are, and take a page of the pool each."""
    return b"".join(
        number.to_bytes(4, "little") + bytes([1]) * (HUGE - 4) + bytes(PAGE - HUGE)
        for number in range(first, first + nr_pages)
    )


def numbers_in(data: bytes) -> list[int]:
    return [int.from_bytes(data[start : start + 4], "little") for start in range(0, len(data), PAGE)]


class Ledger(zswap.MemoryDevice):
    """A device that remembers the numbers of the pages written to it, and is full when told so."""

    def __init__(self) -> None:
        super().__init__(1 << 12)
        self.written: list[int] = []
        self.full = False
        self.attempts = 0

    def write(self, slot: int, data: bytes) -> None:
        self.attempts += 1
        if self.full:
            raise OSError(ENOSPC, "the device is full")
        self.written += numbers_in(data)
        super().write(slot, data)


class FileLedger(zswap.FileDevice):
    """The same with a file, which is written on a worker thread."""

    def __init__(self) -> None:
        super().__init__(nr_slots=1 << 12)
        self.written: list[int] = []

    def write(self, slot: int, data: bytes) -> None:
        self.written += numbers_in(data)
        super().write(slot, data)


@contextmanager
def null(automatic: bool = True) -> Iterator[NullDevice]:
    with acomp.registry(), null_algorithm(automatic=automatic) as device:
        sync_null()
        yield device


def params(compressor: str = "null-async", nr_pages: int = BUDGET, threshold: int = 90) -> zswap.Params:
    return zswap.Params(
        compressor=compressor, max_pool_bytes=nr_pages * PAGE, accept_threshold_percent=threshold, offline_timeout=0
    )


@asynccontextmanager
async def opened(compressor: str = "null-async") -> AsyncIterator[tuple[zswap.Swap, Ledger]]:
    ledger = Ledger()
    with null() as device:
        async with zswap.Swap.open(params(compressor), device=ledger) as swap:
            yield swap, ledger
            await device.quiesce()


async def put(swap: zswap.Swap, first: int, nr_pages: int = 1) -> zswap.Placed:
    return await swap.store(zswap.Folio(first, numbered(first, nr_pages)))


async def fill(swap: zswap.Swap, first: int = 0) -> int:
    """Store single pages until the budget is used up; the next number."""
    while swap.zswap.stats()["pool_total_size"] < BUDGET * PAGE:
        assert await put(swap, first) is zswap.Placed.ZSWAP
        first += 1
    return first


class Sink:
    """A backing that takes every page without ever suspending."""

    async def write_back(self, slot: int, page: bytes) -> None:
        pass


class Gate(Sink):
    """A backing that takes nothing until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def write_back(self, slot: int, page: bytes) -> None:
        await self.open.wait()
