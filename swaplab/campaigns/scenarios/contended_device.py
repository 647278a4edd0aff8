"""112 cpus before one device with few descriptors: chains wait for each other, and nobody starves."""

from collections.abc import Callable
from random import Random
from typing import Final

from acomp import cpu
from swaplab import stress
from zswap import Params

from ..clients import use
from ..fault_plan import FaultPlan
from ..machines import big_machine
from ..opening import engine_model, open_system
from ..states import reach
from ..system import System

PLAN: Final = FaultPlan.of({"iaa.alloc_descriptor": 0.02})
SLOTS: Final = 4
CPUS: Final = (0, 27, 28, 60, 111)
"""Whose neighbours they are: of both packages, and siblings."""


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def contended_device(world: stress.World) -> None:
    """Pinned clients with folios of several batches; what the work costs takes its time."""
    params = Params(
        compressor="deflate-iaa",
        interface=world.random.choice(("chain", "array", "unit")),
        max_batch_size=3,
    )
    plan = PLAN if world.random.random() < 0.5 else None
    async with open_system(world, machine=big_machine(slots=SLOTS), params=params, plan=plan, costs=True) as system:
        reach(system, "descriptor exhaustion", "a lease that a landing hands on", "page found")
        if plan is None:
            world.always(_lands_in_time(system), "I15 a job ends when all descriptors before it have been served")
        pins = iter(CPUS)

        async def client() -> None:
            random = Random(world.random.random())
            with cpu.on_cpu(next(pins)):
                await use(world, system.observed, random, calls=2, slots=24, sizes=(1, 3, 7))

        async with world.clients(client, n=3):
            pass


def _lands_in_time(system: System) -> Callable[[], bool]:
    """Without faults a job lands a pipeline and so many services after its submission as there are descriptors."""
    model, in_flight = engine_model(), system.platform.driver.in_flight
    bound_ns = model.pipeline_ns + model.service_ns * SLOTS

    def holds() -> bool:
        now_ns = cpu.now_ns()
        return all(now_ns - job.submitted_ns <= bound_ns for job in in_flight)

    return holds
