"""Every public coroutine cancelled at every point, once and twice, and every fallible step made to fail, one by one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import acomp
import zswap
from acomp import fault
from tests.zswap.cache.rig import KIB, UNIT, Waiting, check_quiet, devices, noise, opened, text, turns, waiting_cache

BUDGET = 64 * KIB
OLD = noise(500)
LARGE = b"".join(noise(9000, number) + bytes(UNIT - 9000) for number in range(3))
"""Three units of some 9,000 bytes each."""
OPTIONS: dict[str, Any] = {"max_bytes": BUDGET, "spill": True, "units": True}


@asynccontextmanager
async def full(compressor: str = "waits") -> AsyncIterator[zswap.Cache]:
    """A cache at its budget, with something in the file, over an algorithm that suspends."""
    with devices():
        async with waiting_cache(compressor=compressor, **OPTIONS) as (cache, waiting):
            waiting.before = lambda _: asyncio.sleep(0)
            await refill(cache)
            yield cache


async def refill(cache: zswap.Cache) -> None:
    await cache.clear()
    for number in range(60):
        await cache.set(str(number), noise(1500, number))
    await cache.set("key", OLD)


async def check_others(cache: zswap.Cache) -> None:
    for number in range(60):
        assert await cache.get(str(number)) == noise(1500, number)


async def test_a_set_that_is_cancelled_leaves_the_old_value_or_the_new() -> None:
    async with full() as cache:
        seen: set[bool] = set()

        async def check() -> None:
            await turns()
            check_quiet(cache)
            value = await cache.get("key")
            assert value in (OLD, LARGE)
            seen.add(value == LARGE)
            await check_others(cache)
            await refill(cache)

        assert await acomp.testing.sweep_cancel(lambda: cache.set("key", LARGE), check) >= 4
        assert seen == {False, True}


async def test_a_small_set_that_waits_for_room() -> None:
    async with full("zstd") as cache:
        small = noise(20 * KIB)

        async def check() -> None:
            await turns()
            check_quiet(cache)
            assert await cache.get("key") in (OLD, small)
            await check_others(cache)
            await refill(cache)

        assert await acomp.testing.sweep_cancel(lambda: cache.set("key", small), check) >= 1


async def test_a_get_from_memory_and_from_the_file() -> None:
    async with full() as cache:
        await cache.set("large", LARGE)

        async def get() -> None:
            assert await cache.get("0") == noise(1500, 0)
            assert await cache.get("large") == LARGE
            assert await cache.get("1") == noise(1500, 1)

        async def check() -> None:
            await turns()
            check_quiet(cache)
            assert cache.stats()["damaged"] == 0
            await check_others(cache)
            await refill(cache)
            await cache.set("large", LARGE)

        assert await acomp.testing.sweep_cancel(get, check) >= 5


async def test_a_caller_who_waits_for_a_flight() -> None:
    async with full() as cache:

        async def make() -> bytes:
            await asyncio.sleep(0)
            return LARGE

        async def check() -> None:
            await turns(50)
            check_quiet(cache)
            assert await cache.get("new") == LARGE, "the flight goes on"
            await refill(cache)

        assert await acomp.testing.sweep_cancel(lambda: cache.get_or_compute("new", make), check) >= 1


async def test_an_iteration() -> None:
    async with opened() as cache:
        for number in range(1100):
            await cache.set(str(number), b"")

        async def keys() -> None:
            assert len([key async for key in cache]) == 1100

        async def check() -> None:
            check_quiet(cache)

        assert await acomp.testing.sweep_cancel(keys, check) == 1


async def test_closing() -> None:
    with acomp.registry(), devices() as made:
        waiting = Waiting(units=True)
        waiting.before = lambda _: asyncio.sleep(0)
        acomp.crypto_register_acomp(waiting.alg)
        caches: list[zswap.Cache] = []
        sets: list[asyncio.Task[None]] = []

        async def check() -> None:
            await asyncio.wait(sets)
            for one in sets:
                error = one.exception()
                assert error is None or isinstance(error, zswap.StoreClosedError)
            check_quiet(caches[-1])
            assert made[-1].closed and len(caches[-1]) == 0
            await open_another()

        async def open_another() -> None:
            caches.append(zswap.Cache.open(max_bytes=BUDGET, spill=True, compressor="waits"))
            await caches[-1].__aenter__()
            await refill(caches[-1])
            sets[:] = [asyncio.ensure_future(caches[-1].set(str(number), LARGE)) for number in range(3)]
            await asyncio.sleep(0)

        await open_another()
        assert await acomp.testing.sweep_cancel(lambda: caches[-1].close(), check) >= 1
        await caches[-1].close()
        await asyncio.wait(sets)


@pytest.mark.parametrize("compressor", ["waits", "zstd"])
async def test_every_step_that_can_fail_fails_once(compressor: str) -> None:
    async with full(compressor) as cache:
        asked = failing = 0
        values: dict[str, Any] = {"key": LARGE, "small": text(3000), **{f"more {n}": noise(3000, n) for n in range(20)}}

        def fail_nth(point: str) -> bool:
            nonlocal asked
            asked += 1
            return asked == failing

        while asked >= failing:
            failing, asked = failing + 1, 0
            there = {"key": OLD, **values}
            with fault.installed(fail_nth):
                for key, value in values.items():
                    try:
                        await cache.set(key, value)
                    except zswap.ValueTooLargeError:  # it is kept raw, and that is too large: the old value stays
                        there["key"] = OLD
                for key, value in there.items():
                    assert await cache.get(key) in (value, None)
            check_quiet(cache)
            lost = sum([not await cache.contains(key) for key in values])
            assert lost <= cache.stats()["dropped"] + cache.stats()["damaged"]
            await refill(cache)
        assert failing > 20
