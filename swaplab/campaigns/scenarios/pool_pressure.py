"""Pools at their limit, a percentage or a budget, with writeback to a device that fails now and then."""

from random import Random
from typing import Final

from acomp import PAGE_SIZE
from swaplab import stress
from zswap import MemoryDevice, Params, Swap

from ..clients import use
from ..fault_plan import FaultPlan, PointFault
from ..hysteresis import Hysteresis
from ..machines import small_machine
from ..opening import open_system, planned
from ..states import reach
from ..system import System

PLAN: Final = FaultPlan.of(
    {
        "swap.device_write": PointFault(probability=0.3, times=6),
        "swap.device_read": 0.5,
        "zswap.writeback_folio": 0.2,
        "zswap.zpool_malloc": 0.02,
        "zswap.tree_insert": 0.04,
        "zswap.entry_alloc": 0.04,
        "zswap.entry_bulk_alloc": 0.5,
        "zswap.lru_alloc": 0.02,
    }
)
SWAPON: Final = FaultPlan.of({"zswap.swapon": 1.0})
LIMIT_PAGES: Final = 8


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def pool_pressure(world: stress.World) -> None:
    """Three clients with poorly compressing pages on a swap device of few slots, and one that asks to shrink."""
    draw = world.random
    limit = {"max_pool_bytes": LIMIT_PAGES * PAGE_SIZE}
    if draw.random() < 0.5:
        limit = {"ram_bytes": LIMIT_PAGES * PAGE_SIZE * 10, "max_pool_percent": 10}
    params = Params.for_generation(
        draw.choice(("base", "v8", "v9", "v14")),
        compressor=draw.choice(("deflate-iaa", "lz4")),
        accept_threshold_percent=70,
        shrinker_enabled=True,
        **limit,
    )
    plan = PLAN if draw.random() < 0.5 else None
    failed = draw.random() < 0.2 and await _no_memory_for_the_tree(world)
    async with open_system(world, machine=small_machine(slots=16), params=params, plan=plan, swap_slots=40) as system:
        world.sometimes(lambda: failed, "a swap space could not be opened")
        reach(system, "full pools", "writeback", "page found")
        hysteresis = Hysteresis(system)
        observed = system.observed
        observed.must_refuse = hysteresis.must_refuse
        world.sometimes(hysteresis.crossed, "hysteresis crossed")
        world.sometimes(lambda: observed.counts["rightly refused"], "refused since pools were full")
        world.always(lambda: not observed.let_in, "I11 nothing is accepted before the threshold is reached")
        clients = iter((_fill, _fill, _fill, _shrink))

        async def client() -> None:
            await next(clients)(world, system, Random(draw.random()))

        async with world.clients(client, n=4):
            pass


async def _fill(world: stress.World, system: System, random: Random) -> None:
    await use(world, system.observed, random, calls=5, slots=24, sizes=(1, 2, 3, 8), kinds=("poor", "poor", "random"))


async def _shrink(world: stress.World, system: System, random: Random) -> None:
    """Memory pressure, and pages of zeroes, which are nowhere."""
    for _ in range(3):
        await system.observed.store(random.randrange(24), 2, zero=True)
        await world.sleep(20e-6)
        system.observed.counts["shrunk"] += await system.zswap.shrink(nr_to_scan=random.randint(1, 4))


async def _no_memory_for_the_tree(world: stress.World) -> bool:
    """Whether a swap space could not be opened, which leaves nothing behind."""
    with planned(world, SWAPON):
        try:
            async with Swap.open(Params(), device=MemoryDevice(8)):
                return False
        except OSError:
            return True
