"""The public coroutines that other files do not sweep: release, close, sync, swapoff, shrink through a device."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import acomp
import zswap
from acomp import cpu
from tests.zswap.null_algorithm import NullDevice, null_algorithm, page_of

RANDOM = acomp.testing.sample_pages()["random"]
PARAMS = zswap.Params(compressor="null-async", shrinker_enabled=True)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[zswap.Swap, NullDevice]]:
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Swap.open(PARAMS, device=zswap.MemoryDevice(64)) as swap:
            yield swap, device


async def fill(swap: zswap.Swap) -> dict[int, bytes]:
    pages = {offset: page_of(9 + offset) for offset in range(8)} | {8: RANDOM, 9: bytes(4096)}
    for offset, page in pages.items():
        await swap.store(zswap.Folio(offset, page))
    return pages


def assert_quiet(swap: zswap.Swap) -> None:
    parts = swap.zswap._parts
    assert not len(parts.slots) and not len(swap._parts.locks)
    assert not swap._parts.io.in_flight.count and not swap._parts.in_flight.count and not swap.zswap._in_flight.count
    assert not any(context.mutex.locked for pool in parts.pools.pools for context in pool.contexts)
    assert not any(lru.lock.locked for lru in parts.inventory.lrus.lists)
    assert swap.slots.used == len(swap)


async def test_release() -> None:
    async with opened() as (swap, device):
        await fill(swap)
        with cpu.costs({"zswap.free_hold": 5, "zswap.lru_hold": 0, "zswap.store_page": 0}):

            async def check() -> None:
                await device.quiesce()
                assert_quiet(swap)
                await swap.release(0, 10)
                assert len(swap) == 0
                await fill(swap)
                assert_quiet(swap)

            assert await acomp.testing.sweep_cancel(lambda: swap.release(0, 10), check) >= 1


async def test_swapoff_loses_no_page() -> None:
    async with opened() as (swap, device):
        pages = await fill(swap)
        given: dict[int, bytes] = {}

        async def swapoff() -> None:
            async for offset, page in swap.swapoff():
                given[offset] = page

        async def check() -> None:
            await device.quiesce()
            assert_quiet(swap)
            assert {offset: await swap.load(offset, keep=True) for offset in swap} | given == pages
            given.clear()
            swap.invalidate(0, 10)
            await fill(swap)

        assert await acomp.testing.sweep_cancel(swapoff, check) >= 9


async def test_shrink_and_sync() -> None:
    async with opened() as (swap, device):
        pages = await fill(swap)
        await swap.zswap.shrink(nr_to_scan=8)

        async def shrink() -> None:
            await swap.zswap.shrink(nr_to_scan=8)
            await swap.sync()

        async def check() -> None:
            await device.quiesce()
            assert_quiet(swap)
            assert {offset: await swap.load(offset, keep=True) for offset in swap} == pages
            swap.invalidate(0, 10)
            await fill(swap)
            await swap.zswap.shrink(nr_to_scan=8)

        assert await acomp.testing.sweep_cancel(shrink, check) >= 8


async def test_closing_that_is_cancelled_leaves_nothing_behind() -> None:
    with acomp.registry(), null_algorithm() as device:
        spaces: list[zswap.Swap] = []
        loads: list[asyncio.Task[None]] = []

        async def load_some(swap: zswap.Swap) -> None:
            for offset in (0, 8, 1, 2, 3):
                await swap.load(offset)

        async def open_another() -> None:
            swap = zswap.Swap.open(PARAMS, device=zswap.MemoryDevice(64))
            spaces.append(await swap.__aenter__())
            await fill(swap)
            loads.append(asyncio.ensure_future(load_some(swap)))
            await asyncio.sleep(0)

        async def check(again: bool = True) -> None:
            await device.quiesce()
            for load in loads:
                with pytest.raises(zswap.StoreClosedError):
                    await load
            loads.clear()
            swap = spaces[-1]
            with pytest.raises(zswap.StoreClosedError):
                await swap.load(0)
            assert not swap.zswap._parts.pools.pools, "every context is freed"
            assert not len(swap.zswap._parts.inventory.entries)
            if again:
                await open_another()

        await open_another()
        assert await acomp.testing.sweep_cancel(lambda: spaces[-1].__aexit__(None, None, None), check) >= 1
        await spaces[-1].__aexit__(None, None, None)
        await check(again=False)
