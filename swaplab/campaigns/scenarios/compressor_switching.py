"""The compressor is switched while pages are stored and loaded: pools come, go, and come back."""

from random import Random
from typing import Final

from swaplab import stress
from zswap import ParameterError, Params

from ..clients import use
from ..fault_plan import FaultPlan, PointFault
from ..machines import small_machine
from ..opening import open_system
from ..states import reach

PLAN: Final = FaultPlan.of(
    {
        "zswap.pool_alloc": 0.2,
        "zswap.context_alloc": PointFault(probability=0.1, at_ms=0.001),
        "zswap.zpool_malloc": 0.02,
    }
)
COMPRESSORS: Final = ("deflate-iaa", "zstd", "lz4", "deflate-iaa")


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def compressor_switching(world: stress.World) -> None:
    """Two clients store and load, one switches, and turns the store off and on."""
    draw = world.random
    params = Params(compressor="deflate-iaa", interface=draw.choice(("chain", "array", "unit")))
    plan = PLAN if draw.random() < 0.5 else None
    async with open_system(world, machine=small_machine(slots=16, cpus=1), params=params, plan=plan) as system:
        reach(system, "two pools", "page found", "rejected folio", "contended context")

        async def store() -> None:
            await use(world, system.observed, Random(draw.random()), calls=5, slots=12, sizes=(1, 8, 10))

        async def switch() -> None:
            random = Random(draw.random())
            for _ in range(6):
                try:
                    system.zswap.params["compressor"] = random.choice(COMPRESSORS)
                except ParameterError:
                    system.observed.counts["stays with its compressor"] += 1
                system.zswap.params["enabled"] = random.random() < 0.9
                await world.sleep(10e-6)

        clients = iter((store, store, switch))

        async def client() -> None:
            await next(clients)()

        async with world.clients(client, n=3):
            pass
