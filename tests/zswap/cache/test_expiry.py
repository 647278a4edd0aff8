"""Expiry, in virtual time: nothing early, nothing by a timer that was for an older value, and nothing left over."""

import asyncio
from collections.abc import Coroutine
from typing import Any
from unittest import mock

from swaplab import sim
from tests.zswap.cache.rig import check_quiet, devices, noise, opened, text, waiting_cache
from zswap.cache.deadlines import STALE, Deadlines
from zswap.cache.keys import Key


def virtual(test: Coroutine[Any, Any, None]) -> None:
    sim.run(test)


def test_a_value_lives_as_long_as_its_ttl_and_not_a_moment_less() -> None:
    async def test() -> None:
        async with opened() as cache:
            await cache.set("key", b"value", ttl=10)
            await asyncio.sleep(9.999999)
            assert await cache.get("key") == b"value" and await cache.contains("key") and len(cache) == 1
            await asyncio.sleep(0.000001)
            assert await cache.get("key") is None and not await cache.contains("key") and len(cache) == 0
            stats = cache.stats()
            assert (stats["expired"], stats["values"], stats["bytes"]) == (1, 0, 0)

    virtual(test())


def test_the_ttl_of_the_cache_that_of_a_value_and_none() -> None:
    async def test() -> None:
        async with opened(ttl=5) as cache:
            await cache.set("own", b"", ttl=20)
            await cache.set("default", b"")
            await cache.set("ever", b"", ttl=None)
            await asyncio.sleep(5)
            assert [key async for key in cache] == ["own", "ever"]
            await asyncio.sleep(15)
            assert [key async for key in cache] == ["ever"] and cache.stats()["expired"] == 2

    virtual(test())


def test_an_old_timer_removes_no_newer_value() -> None:
    async def test() -> None:
        async with opened() as cache:
            await cache.set("set again", b"old", ttl=5)
            await cache.set("for ever", b"old", ttl=5)
            await cache.set("touched", b"old", ttl=5)
            await cache.set("deleted", b"old", ttl=5)
            await asyncio.sleep(1)
            await cache.set("set again", b"new", ttl=5)
            await cache.set("for ever", b"new")
            assert await cache.touch("touched", 5) and not await cache.touch("not there", 5)
            await cache.delete("deleted")
            await cache.set("deleted", b"new", ttl=5)
            await asyncio.sleep(4.999)
            assert len(cache) == 4
            await asyncio.sleep(0.001)
            assert [key async for key in cache] == ["for ever"]

    virtual(test())


def test_values_that_nobody_asks_for_go_within_a_second() -> None:
    async def test() -> None:
        async with opened() as cache:
            for number in range(100):
                await cache.set(str(number), text(100), ttl=0.1 + number / 10)
            values = cache._check().values
            await asyncio.sleep(5)
            assert 50 <= len(values) <= 60
            await asyncio.sleep(6.1)
            assert len(values) == values.bytes == 0

    virtual(test())


def test_thousands_that_expire_at_once_do_not_stop_the_loop() -> None:
    async def test() -> None:
        async with opened(ttl=10) as cache:
            for number in range(5000):
                await cache.set(str(number), b"")
            contents = cache._check()
            await asyncio.sleep(10.9)
            assert len(contents.values) == 5000
            with mock.patch.object(contents, "sweep", wraps=contents.sweep) as sweep:
                await asyncio.sleep(0.2)
            assert sweep.call_count == 5, "in so many turns"
            assert not len(contents.values) and not contents._deadlines.records
            assert cache.stats()["expired"] == 5000

    virtual(test())


def test_a_value_in_the_file_expires_there() -> None:
    async def test() -> None:
        with devices():
            async with opened(max_bytes=20_000, spill=True) as cache:
                for number in range(10):
                    await cache.set(str(number), noise(1500, number), ttl=10 + number)
                    await cache.set(f"{number} again", noise(3000, number), ttl=30)
                assert cache.stats()["bytes_spilled"] > 0
                await asyncio.sleep(31)
                stats = cache.stats()
                assert (stats["values"], stats["bytes"], stats["bytes_spilled"]) == (0, 0, 0)
                assert stats["expired"] + stats["dropped"] == 20
                check_quiet(cache)

    virtual(test())


def test_touch_gives_another_ttl_and_none_is_for_ever() -> None:
    async def test() -> None:
        async with opened(ttl=5) as cache:
            await cache.set("key", b"")
            await cache.touch("key", 1)
            await asyncio.sleep(1)
            assert not await cache.touch("key", 10)
            await cache.set("key", b"")
            await cache.touch("key", None)
            await asyncio.sleep(100)
            assert len(cache) == 1

    virtual(test())


def test_a_large_value_lives_its_ttl_from_when_it_is_there() -> None:
    async def test() -> None:
        async with waiting_cache() as (cache, waiting):
            waiting.before = lambda _: asyncio.sleep(7)
            await cache.set("key", text(100_000), ttl=5)
            waiting.before = None
            await asyncio.sleep(4.9)
            assert await cache.get("key") == text(100_000)
            await asyncio.sleep(0.1)
            assert await cache.get("key") is None

    virtual(test())


def test_a_flight_that_takes_an_hour() -> None:
    async def test() -> None:
        calls = 0

        async def make() -> bytes:
            nonlocal calls
            calls += 1
            await asyncio.sleep(3600)
            return b"%d" % calls

        async with opened(ttl=60) as cache:
            loop = asyncio.get_running_loop()

            async def caller(wait: float) -> Any:
                await asyncio.sleep(wait)
                return await cache.get_or_compute("key", make), loop.time()

            answers = await asyncio.gather(*(caller(wait) for wait in (0, 1, 3599, 3600, 3659, 3660)))
            assert [value for value, _ in answers] == [b"1"] * 5 + [b"2"]
            assert [round(at, 3) for _, at in answers] == [3600, 3600, 3600, 3600, 3659, 7260]

    virtual(test())


def test_records_of_what_is_set_again_do_not_pile_up() -> None:
    async def test() -> None:
        async with opened(ttl=1e6) as cache:
            for number in range(5000):
                await cache.set("key", b"", ttl=1e6 + number)
            assert cache._check()._deadlines.records <= STALE + 3
            await asyncio.sleep(1e6 + 4999)
            assert len(cache) == 0

    virtual(test())


def test_one_timer_for_all() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, sim.VirtualLoop)
        async with opened() as cache:
            for number in range(100):
                await cache.set(str(number), b"", ttl=100 - number)
            assert len([timer for timer in loop.timers() if not timer.cancelled()]) == 1
            await cache.clear()
        assert not [timer for timer in loop.timers() if not timer.cancelled()]

    virtual(test())


def test_deadlines_by_the_second() -> None:
    deadlines, gone = Deadlines(), list[Key]()
    due = {"a": 1.5, "b": 1.2, "c": 7.0}
    for key, deadline in due.items():
        deadlines.add(key, deadline)
    now = 0.0

    def expire(key: Key, second: int) -> bool:
        assert int(due[str(key)]) == second
        if due[str(key)] > now:
            return False
        gone.append(key)
        return True

    for now, expected, records, next_s in (
        (1.1, [], 3, 2.0),
        (1.3, ["b"], 2, 2.0),
        (3.0, ["b", "a"], 1, 8.0),
        (9.0, ["b", "a", "c"], 0, None),
    ):
        deadlines.sweep(now, expire)
        assert (gone, deadlines.records, deadlines.next_s) == (expected, records, next_s)


async def test_expiry_by_the_clock_of_every_loop() -> None:
    async with opened() as cache:
        await cache.set("key", b"", ttl=0.01)
        await asyncio.sleep(0.02)
        assert await cache.get("key") is None
        check_quiet(cache)
