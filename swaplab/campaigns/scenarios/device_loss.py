"""The device goes wrong: completions are lost, late, twice, out of order, outputs are corrupted or too long."""

from random import Random
from typing import Final

from swaplab import stress
from zswap import Params

from ..clients import use
from ..disturbed_engine import Disturbance
from ..fault_plan import FaultPlan, PointFault
from ..machines import small_machine
from ..opening import open_system
from ..states import reach

PLAN: Final = FaultPlan.of(
    {
        "iaa.lost_completion": PointFault(probability=0.1, times=1),
        "iaa.watchdog": 0.05,
        "iaa.analytics_error": 0.05,
        "iaa.corrupt_output": 0.2,
        "iaa.submit": 0.05,
        "iaa.enqueue_refused": PointFault(at_ms=0.005, for_ms=0.02),
    }
)
WRONG: Final = (
    Disturbance(),
    Disturbance(lost=0.05),
    Disturbance(late=0.5, twice=0.3),
    Disturbance(corrupted=0.2),
    Disturbance(lost=0.02, late=0.3, twice=0.2, corrupted=0.1, overflow=0.1),
)


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def device_loss(world: stress.World) -> None:
    """Three clients on an accelerator that goes wrong in one of five ways, with verification and without."""
    draw = world.random
    verify = draw.random() < 0.5
    disturbance = draw.choice(WRONG)
    plan = PLAN if not disturbance.late and draw.random() < 0.5 else None
    attributes = {"verify_compress": str(int(verify)), "sync_mode": draw.choice(("async", "async", "sync"))}
    params = Params(compressor="deflate-iaa", interface=draw.choice(("chain", "array", "unit")))
    opening = open_system(
        world,
        machine=small_machine(slots=16, wqs=2, shared=draw.random() < 0.5),
        params=params,
        plan=plan,
        disturbance=disturbance,
        attributes=attributes,
    )
    async with opening as system:
        reach(system, "a job that an engine has disturbed", "completion out of order", "driver disabled")
        reach(system, "software fallback", "rejected folio", "page found", "a lease that a landing hands on")
        damaged = system.observed.damaged
        if verify or not (disturbance.corrupted or plan):
            world.always(lambda: not damaged, "I6 no page comes back damaged")
        else:
            world.sometimes(lambda: damaged, "a page that was corrupted without verification came back")

        async def client() -> None:
            await use(world, system.observed, Random(draw.random()), calls=4, slots=12, sizes=(1, 3, 9))

        async with world.clients(client, n=3):
            pass
