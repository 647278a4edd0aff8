"""Everybody gives up: stores and loads are cancelled by deadlines of their own, beside what the tool cancels."""

import asyncio
from random import Random

from swaplab import stress
from zswap import Params

from ..clients import use
from ..machines import small_machine
from ..opening import open_system
from ..states import reach

LONGEST_WAIT_S = 60e-6


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def cancellation_storm(world: stress.World) -> None:
    """Clients with deadlines of microseconds on few slots, few cpus and few descriptors."""
    params = Params(compressor="deflate-iaa", interface=world.random.choice(("chain", "array", "unit")))
    async with open_system(world, machine=small_machine(slots=12), params=params) as system:
        reach(system, "a lease that a landing hands on", "contended slot", "contended context", "page found")

        async def client() -> None:
            random = Random(world.random.random())
            for _ in range(2):
                try:
                    async with asyncio.timeout(random.uniform(1e-6, LONGEST_WAIT_S)):
                        await use(world, system.observed, random, calls=2, slots=10)
                except TimeoutError:
                    system.observed.counts["gave up"] += 1

        world.sometimes(lambda: system.observed.counts["gave up"], "gave up")
        async with world.clients(client, n=3):
            pass
