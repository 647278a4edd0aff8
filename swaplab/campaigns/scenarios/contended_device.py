"""112 cpus before one device with few descriptors: chains wait for each other, and nobody starves."""

from random import Random
from typing import Final

from acomp import cpu
from swaplab import stress
from zswap import Params

from ..clients import use
from ..fault_plan import FaultPlan
from ..machines import big_machine
from ..opening import open_system
from ..states import reach

PLAN: Final = FaultPlan.of({"iaa.alloc_descriptor": 0.02})
CPUS: Final = (0, 27, 28, 60, 111)
"""Whose neighbours they are: of both packages, and siblings."""


@stress.scenario(jitter_ms=0.02)
async def contended_device(world: stress.World) -> None:
    """Pinned clients with folios of several batches; what the work costs takes its time."""
    params = Params(
        compressor="deflate-iaa",
        interface=world.random.choice(("chain", "array", "unit")),
        max_batch_size=4,
    )
    plan = PLAN if world.random.random() < 0.5 else None
    async with open_system(world, machine=big_machine(slots=6), params=params, plan=plan, costs=True) as system:
        reach(system, "descriptor exhaustion", "a lease that a landing hands on", "page found")
        pins = iter(CPUS)

        async def client() -> None:
            random = Random(world.random.random())
            with cpu.on_cpu(next(pins)):
                await use(world, system.observed, random, calls=2, slots=24, sizes=(1, 4, 9))

        async with world.clients(client, n=3):
            pass
