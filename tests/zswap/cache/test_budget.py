"""The budget: who leaves, when, for how much, and that it is never exceeded."""

import asyncio
import ctypes
import gc
import sys
import tracemalloc
from pathlib import Path

import pytest

import zswap
from tests.zswap.cache.rig import KIB, check_quiet, noise, opened, text, turns, waiting_cache
from tests.zswap.loop_turns import counted_turns
from zswap.cache.entry import ENTRY_BYTES, Held, size_in_memory
from zswap.cache.eviction import victims
from zswap.cache.options import LEAST_BYTES
from zswap.cache.values import Values

BUDGET = 64 * KIB
SIZE = 1000
EACH = sys.getsizeof(noise(SIZE)) + sys.getsizeof("00") + ENTRY_BYTES
"""What a value of noise takes of the budget."""
FITS = BUDGET // EACH


async def fill(cache: zswap.Cache, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        await cache.set(f"{number:02d}", noise(SIZE, number))


async def test_a_value_takes_its_units_its_key_and_an_entry() -> None:
    async with opened() as cache:
        await fill(cache, 3)
        assert cache.stats()["bytes"] == 3 * EACH
        await cache.set("00", b"")
        assert cache.stats()["bytes"] == 2 * EACH + sys.getsizeof(b"") + sys.getsizeof("00") + ENTRY_BYTES
        await cache.set("large", text(400 * KIB))
        units = cache._check().values.held["large"].units
        assert isinstance(units, tuple) and len(units) == 4
        await cache.clear()
        await cache.set("large", text(400 * KIB))
        assert cache.stats()["bytes"] == sum(map(sys.getsizeof, units)) + sys.getsizeof("large") + ENTRY_BYTES


def test_the_docs_name_the_total_of_a_small_value() -> None:
    page = (Path(__file__).parents[3] / "docs" / "cache.md").read_text()
    total = size_in_memory("", b"")
    assert f"In all that is {total} bytes" in page and f"small values take {total} " in page


async def test_a_key_takes_the_same_when_it_comes_and_when_it_goes() -> None:
    """C code that asks for the UTF-8 form of a str makes it larger."""
    async with opened() as cache:
        key = "".join(["key \u20ac"] * 10)  # no constant, which other runs would share
        await cache.set(key, b"value")
        before = sys.getsizeof(key)
        ctypes.pythonapi.PyUnicode_AsUTF8(ctypes.py_object(key))
        assert sys.getsizeof(key) > before, "else this shows nothing"
        await cache.delete(key)
        assert cache.stats()["bytes"] == 0


async def test_the_oldest_leave_until_a_tenth_is_free_the_new_value_included() -> None:
    async with opened(max_bytes=BUDGET) as cache:
        await fill(cache, FITS)
        assert (len(cache), cache.stats()["evicted"]) == (FITS, 0)
        await fill(cache, 1, first=FITS)
        left = BUDGET * 9 // 10 // EACH
        assert [key async for key in cache] == [f"{number:02d}" for number in range(FITS + 1 - left, FITS + 1)]
        assert cache.stats()["evicted"] == FITS + 1 - left
        check_quiet(cache)


async def test_who_was_asked_for_has_a_second_chance_and_only_one() -> None:
    async with opened(max_bytes=BUDGET) as cache:
        await fill(cache, FITS)
        await cache.get("00")
        await cache.contains("01")
        await cache.touch("02", None)
        await fill(cache, 1, first=FITS)
        there = [key async for key in cache]
        assert "00" in there and "02" in there and "01" not in there, "contains is no touch"
        # Spared, they came behind those that were there, and before the value that needed the room.
        assert there[-3:] == ["00", "02", f"{FITS}"]
        await fill(cache, FITS, first=FITS + 1)
        assert not {"00", "02"} & {key async for key in cache}


async def test_when_all_were_asked_for_the_oldest_leave() -> None:
    async with opened(max_bytes=BUDGET) as cache:
        await fill(cache, FITS)
        for number in range(FITS):
            await cache.get(f"{number:02d}")
        await fill(cache, 1, first=FITS)
        assert (
            not await cache.contains("00") and await cache.contains(f"{FITS - 1}") and await cache.contains(f"{FITS}")
        )
        check_quiet(cache)


async def test_thousands_that_leave_do_not_stop_the_loop() -> None:
    async with opened(max_bytes=3 << 20) as cache, counted_turns() as turns:
        for number in range(13_000):
            await cache.set(f"{number:05d}", b"")
        assert cache.stats()["evicted"] == 0
        turns.count = 0
        large, small = cache.set("large", noise(2 << 20)), cache.set("small", b"")
        await asyncio.gather(large, small)
        assert cache.stats()["evicted"] > 8 * 1024 and turns.count > 8
        assert [key async for key in cache][-2:] == ["large", "small"], "nobody took the room"
        check_quiet(cache)


async def test_what_a_value_replaces_makes_room_for_it_and_is_not_evicted_for_it() -> None:
    async with opened(max_bytes=BUDGET) as cache:
        await cache.set("large", noise(50 * KIB))
        await cache.set("large", noise(51 * KIB, 1))
        assert await cache.get("large") == noise(51 * KIB, 1) and cache.stats()["evicted"] == 0


async def test_what_has_expired_goes_first() -> None:
    async with opened(max_bytes=BUDGET) as cache:
        await fill(cache, FITS - 1)
        await cache.set(f"{FITS - 1}", noise(SIZE), ttl=0.001)
        await asyncio.sleep(0.002)
        await fill(cache, 1, first=FITS)
        stats = cache.stats()
        assert (stats["expired"], stats["evicted"], stats["values"]) == (1, 0, FITS)


@pytest.mark.parametrize("max_bytes", [LEAST_BYTES, 238])
async def test_a_tiny_budget_refuses_what_does_not_fit(max_bytes: int) -> None:
    async with opened(max_bytes=max_bytes) as cache:
        with pytest.raises(zswap.ValueTooLargeError):
            await cache.set("0", b"")
        assert len(cache) == 0


async def test_the_least_budget_has_room_for_the_least_value() -> None:
    async with opened(max_bytes=LEAST_BYTES) as cache:
        await cache.set(b"", b"")
        assert len(cache) == 1
    with pytest.raises(ValueError, match=f"write a number of bytes, {LEAST_BYTES} or more"):
        zswap.Cache.open(max_bytes=LEAST_BYTES - 1)


@pytest.mark.parametrize("max_bytes", [300, 1000])
async def test_a_tiny_budget_keeps_what_fits(max_bytes: int) -> None:
    async with opened(max_bytes=max_bytes) as cache:
        for number in range(20):
            await cache.set(str(number), b"")
            assert await cache.get(str(number)) == b""
            check_quiet(cache)


async def test_sets_in_progress_are_bounded_and_served_in_order() -> None:
    async with waiting_cache(max_bytes=BUDGET) as (cache, waiting):
        go, ended = asyncio.Event(), list[int]()
        waiting.before = lambda _: go.wait()

        async def one(number: int) -> None:
            await cache.set(str(number), text(20 * KIB, number))
            ended.append(number)

        tasks = [asyncio.ensure_future(one(number)) for number in range(8)]
        await turns()
        assert len(waiting.compressions) == 3, "three of 20 KiB are what 64 KiB have room for"
        tasks[4].cancel()  # stands in line
        tasks[0].cancel()  # is being compressed
        await turns()
        assert len(waiting.compressions) == 4
        go.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert ended == [1, 2, 3, 5, 6, 7]
        check_quiet(cache)


async def test_a_value_larger_than_the_budget_before_compression_goes_alone() -> None:
    async with waiting_cache(max_bytes=BUDGET) as (cache, _):
        await asyncio.gather(*(cache.set(str(number), text(200 * KIB, number)) for number in range(3)))
        assert len(cache) == 3
        check_quiet(cache)


def test_victims_are_chosen_without_a_wait_and_stay_where_they_are() -> None:
    values = Values(lambda places: None)
    for number in range(10):
        held = Held(b"x" * 100, 100)
        held.referenced = number < 2
        values.put(str(number), held, held.size(str(number)))
    chosen, visited = victims(values, 3, values.held["2"], lambda key, held: 1)
    assert [key for key, _ in chosen] == ["3", "4", "5"] and visited == 6
    assert list(values.held) == [*"23456789", "0", "1"] and not values.held["0"].referenced
    chosen, visited = victims(values, 100, None, lambda key, held: 1, visits=4)
    assert [key for key, _ in chosen] == ["2", "3", "4", "5"] and visited == 4


def test_a_dict_of_gaps_is_laid_out_anew() -> None:
    values = Values(lambda places: None)
    for number in range(5000):
        held = Held(b"", 0)
        values.put(str(number), held, held.size(str(number)))
    for number in range(4990):
        values.remove(str(number))
    before = sys.getsizeof(values.held)
    assert [key for key, _ in victims(values, 1, None, lambda key, held: 1)[0]] == ["4990"]
    assert sys.getsizeof(values.held) < before / 100


@pytest.mark.slow
@pytest.mark.parametrize("count", [10_900, 11_000], ids=["before it grows", "after"])
def test_an_entry_takes_what_is_said_to_a_tenth(count: int) -> None:
    """Whatever the dict of them is about to do."""

    async def per_value() -> float:
        async with opened() as cache:
            await cache.set(f"{count:016d}", b"the first")
            gc.collect()
            tracemalloc.start()
            try:
                before, counted = tracemalloc.get_traced_memory()[0], cache.stats()["bytes"]
                for number in range(count):
                    await cache.set(f"{number:016d}", b"%0300d" % number)
                gc.collect()
                taken = tracemalloc.get_traced_memory()[0] - before
            finally:
                tracemalloc.stop()
            return (taken - (cache.stats()["bytes"] - counted)) / count + ENTRY_BYTES

    assert asyncio.run(per_value()) == pytest.approx(ENTRY_BYTES, rel=0.1)
