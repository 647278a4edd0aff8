"""Clients of one cache under stress: latencies vary, computations fail, each client is cancelled after each event."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from swaplab import stress
from tests.zswap.cache.rig import check_quiet, devices, noise, waiting_cache

BUDGET = 14_000
KEYS = ["a", "b", "c"]


def value_of(key: str, number: int) -> bytes:
    """Values say whose they are, and some take more than one unit."""
    size = (1000, 2000, 3000, 5000)[number % 4]
    return f"{key} {number};".encode() + noise(size, number) + bytes(130_000 * (number % 3))


@stress.scenario(jitter_ms=3)
async def the_cache_survives(world: stress.World) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(devices())
        options: dict[str, Any] = {
            "max_bytes": BUDGET,
            "spill": True,
            "max_spill_bytes": 8 * 4096,
            "units": True,
            "ttl": 0.02,
        }
        cache, waiting = await stack.enter_async_context(waiting_cache(**options))
        waiting.before = lambda _: world.sleep(0.001)
        source = world.faulty(asyncio.sleep, fail=0.2)
        numbers = iter(range(10_000))
        stats = cache.stats
        world.always(lambda: stats()["bytes"] <= BUDGET, "the budget holds")
        world.sometimes(lambda: stats()["spilled"] > 0, "something went to the file")
        world.sometimes(lambda: stats()["spill_hits"] > 0, "something came back")
        world.sometimes(lambda: stats()["dropped"] > 0, "the file was full")
        world.sometimes(lambda: stats()["expired"] > 0, "something expired")
        world.sometimes(
            lambda: any(len(one.waiters) > 1 for one in cache._flights._by_key.values()), "two share a flight"
        )
        world.sometimes(lambda: bool(cache._check().writes.open), "a write waits")

        def check(key: str, value: bytes | None) -> None:
            assert value is None or value.startswith(f"{key} ".encode())

        for number in range(10):
            await cache.set(str(number), noise(1500, number), ttl=None)

        async def client() -> None:
            for step in range(2):
                number = next(numbers)
                key = KEYS[(number + step) % len(KEYS)]
                await cache.set(key, value_of(key, number))
                check(key, await cache.get(key))
                old = await cache.get(str(number % 10))
                assert old in (None, noise(1500, number % 10))

                async def make(number: int = number) -> bytes:
                    await source(0.002)
                    return value_of("shared", number)

                try:
                    check("shared", await cache.get_or_compute("shared", make))
                except stress.InjectedFault:
                    pass
                await cache.delete("shared")

        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: None)  # of flights that fail when every caller has gone
        async with world.clients(client, n=3):
            pass
        while cache._flights._by_key:
            await asyncio.sleep(0.001)
        check_quiet(cache)


@pytest.mark.slow
def test_no_run_breaks_the_cache() -> None:
    report = stress.explore(the_cache_survives, seeds=range(30))
    assert report.ok, report
