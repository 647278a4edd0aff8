"""Opening and closing: where a cache may be used, and what becomes of what is under way."""

import asyncio
from typing import Any

import pytest

import acomp
import zswap
from swaplab import sim
from tests.zswap.cache.rig import KIB, check_quiet, devices, noise, opened, text, turns, waiting_cache


async def fetch() -> bytes:
    return b""


def calls(cache: zswap.Cache) -> list[Any]:
    return [
        cache.get("key"), cache.set("key", b""), cache.delete("key"), cache.contains("key"), cache.clear(),
        cache.touch("key", 1), cache.get_or_compute("key", fetch),
    ]  # fmt: skip


async def test_every_call_needs_an_open_cache() -> None:
    with acomp.registry():
        cache = zswap.Cache.open(max_bytes=None)
        for call in calls(cache):
            with pytest.raises(zswap.StoreClosedError, match="not open yet; enter it"):
                await call
        with pytest.raises(zswap.StoreClosedError):
            cache.stats()
        async with cache:
            await cache.set("key", b"")
            with pytest.raises(zswap.StoreOpenError):
                await cache.__aenter__()
        for call in calls(cache):
            with pytest.raises(zswap.StoreClosedError, match="is closed"):
                await call
        with pytest.raises(zswap.StoreClosedError):
            cache.__aiter__()
        with pytest.raises(zswap.StoreClosedError, match="open another"):
            await cache.__aenter__()
        await cache.close()
        assert len(cache) == 0 and cache.stats()["sets"] == 1, "counters can be read afterwards"


def test_outside_of_a_loop_a_cache_can_be_made_and_not_used() -> None:
    cache = zswap.Cache.open(max_bytes=None)

    async def enter() -> None:
        async with cache:
            await cache.set("key", b"")

    asyncio.run(enter())
    with pytest.raises(zswap.StoreClosedError):
        asyncio.run(cache.get("key"))


def test_a_cache_belongs_to_its_loop() -> None:
    with asyncio.Runner() as runner, asyncio.Runner() as other:
        cache = zswap.Cache.open(max_bytes=None)
        runner.run(cache.__aenter__())
        runner.run(cache.set("key", b"value"))
        for call in [*calls(cache), cache.close()]:
            with pytest.raises(acomp.WrongLoopError, match="open one per loop"):
                other.run(call)
        assert runner.run(cache.get("key")) == b"value"
        runner.run(cache.close())


async def test_two_caches_know_nothing_of_each_other() -> None:
    async with opened() as first, opened() as second:
        await first.set("key", b"first")
        await second.set("key", b"second")
        assert (await first.get("key"), await second.get("key")) == (b"first", b"second")


async def test_closing_waits_for_what_is_under_way() -> None:
    async with waiting_cache() as (cache, waiting):
        await cache.set("old", text(1000))
        go = asyncio.Event()
        waiting.before = lambda _: go.wait()
        setting = asyncio.ensure_future(cache.set("key", text(1000)))
        getting = asyncio.ensure_future(cache.get("old"))
        await turns()
        closing = asyncio.ensure_future(cache.close())
        await turns()
        assert not closing.done()
        with pytest.raises(zswap.StoreClosedError):
            await cache.get("old")
        go.set()
        await closing
        await setting
        assert await getting == text(1000)
        check_quiet(cache)


def test_closing_waits_five_seconds_and_no_longer() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        with acomp.registry():
            async with waiting_cache() as (cache, waiting):
                go = asyncio.Event()
                waiting.before = lambda _: go.wait()
                setting = asyncio.ensure_future(cache.set("key", text(1000)))
                await turns()
                with pytest.raises(zswap.CloseTimeoutError, match="1 calls are under way 5 s after"):
                    await cache.close()
                assert loop.time() == 5
                go.set()
                with pytest.raises(zswap.StoreClosedError, match="on its way"):
                    await setting
                check_quiet(cache)
                assert not waiting.alg.cra_flags & 0x1 and len(cache) == 0

    sim.run(test())


def test_a_make_that_does_not_end_delays_closing_by_five_seconds() -> None:
    async def test() -> None:
        async def stubborn() -> bytes:
            for _ in range(2):
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    continue
            return b"late"

        async with opened() as cache:
            caller = asyncio.ensure_future(cache.get_or_compute("key", stubborn))
            await turns()
            closing = asyncio.ensure_future(cache.close())
            with pytest.raises(zswap.StoreClosedError):
                await caller
            assert asyncio.get_running_loop().time() == 0, "who waits is told at once"
            with pytest.raises(zswap.CloseTimeoutError):
                await closing
            await asyncio.sleep(100)
            check_quiet(cache)

    sim.run(test())


async def test_closing_while_sets_wait_for_the_file() -> None:
    with devices() as made:
        async with opened(max_bytes=64 * KIB, spill=True) as cache:
            sets = [asyncio.ensure_future(cache.set(str(n), noise(3000, n))) for n in range(60)]
            await turns(3)
            await cache.close()
            await asyncio.gather(*sets)
            check_quiet(cache)
        assert made[0].closed


async def test_closing_that_is_cancelled_has_closed() -> None:
    async with waiting_cache() as (cache, waiting):
        go = asyncio.Event()
        waiting.before = lambda _: go.wait()
        setting = asyncio.ensure_future(cache.set("key", text(1000)))
        await turns()
        closing = asyncio.ensure_future(cache.close())
        await turns()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        go.set()
        with pytest.raises(zswap.StoreClosedError):
            await setting
        with pytest.raises(zswap.StoreClosedError):
            await cache.get("key")


async def test_an_iteration_over_a_cache_that_closes_is_told() -> None:
    async with opened() as cache:
        await cache.set("a", b"")
        await cache.set("b", b"")
        keys = aiter(cache)
        assert await anext(keys) == "a"
        await cache.close()
        with pytest.raises(zswap.StoreClosedError):
            await anext(keys)
