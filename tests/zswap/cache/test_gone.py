"""`on_gone`: told of each value that left for good and was neither deleted nor replaced, and of no other."""

import asyncio

import pytest

from swaplab import sim
from tests.zswap.cache.rig import KIB, devices, noise, opened
from zswap.cache.keys import Key

BUDGET = 64 * KIB


@pytest.mark.parametrize("spill", [None, True], ids=["no file", "file"])
async def test_whoever_is_not_there_any_more_was_told_of(spill: bool | None) -> None:
    gone: list[Key] = []
    with devices():
        async with opened(max_bytes=BUDGET, spill=spill, max_spill_bytes=10 * 4096, on_gone=gone.append) as cache:
            for number in range(100):
                await cache.set(number.to_bytes(2), noise(1500, number))
            there = [key async for key in cache]
            assert gone and sorted([*gone, *there]) == [number.to_bytes(2) for number in range(100)]
            assert len(gone) == cache.stats()["dropped" if spill else "evicted"]
            told = len(gone)
    assert len(gone) == told, "closing is no leaving"


def test_expired_values_are_told_of_by_the_timer_and_by_who_looks() -> None:
    gone: list[Key] = []

    async def test() -> None:
        async with opened(on_gone=gone.append) as cache:
            for key, ttl in (("soon", 1), ("late", 100), ("again", 1)):
                await cache.set(key, b"", ttl=ttl)
            await cache.touch("again", 50)
            await asyncio.sleep(5)
            assert gone == ["soon"]
            await asyncio.sleep(45)
            assert await cache.get("again") is None
            assert gone == ["soon", "again"]

    sim.run(test())


async def test_a_damaged_value_is_told_of() -> None:
    gone: list[Key] = []
    with devices() as made:
        async with opened(max_bytes=BUDGET, spill=True, on_gone=gone.append) as cache:
            for number in range(60):
                await cache.set(str(number), noise(1500, number))
            made[0].error = OSError("cannot read")
            assert not gone and await cache.get("0") is None
            assert gone == ["0"]


async def test_what_is_deleted_replaced_or_cleared_is_not() -> None:
    gone: list[Key] = []
    async with opened(max_bytes=BUDGET, on_gone=gone.append) as cache:
        for value in (b"1", b"2"):
            await cache.set("key", value)
            await cache.set("other", value)
        await cache.delete("key")
        await cache.clear()
    assert gone == []
