"""Cgroups with limits, without writeback, and gone while their pages are stored."""

from collections.abc import Sequence
from random import Random
from typing import Final

from acomp import PAGE_SIZE
from swaplab import stress
from zswap import Cgroup, Params
from zswap.testing import parts_of

from ..clients import use
from ..fault_plan import FaultPlan
from ..machines import small_machine
from ..opening import open_system
from ..pages import Kind
from ..states import reach
from ..system import System

PLAN: Final = FaultPlan.of({"zswap.lru_alloc": 0.1, "swap.device_write": 0.1, "swap.device_read": 0.3})

KINDS: Final[tuple[Kind, ...]] = ("text", "poor", "poor", "random")


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def mixed_cgroups(world: stress.World) -> None:
    """Three clients, each in a cgroup of its own below one parent, and one that takes cgroups offline."""
    draw = world.random
    params = Params.for_generation(
        draw.choice(("v8", "v9", "v14")),
        compressor=draw.choice(("zstd", "deflate-iaa")),
        shrinker_enabled=True,
        max_pool_bytes=draw.choice((None, 6 * PAGE_SIZE)),
    )
    root = Cgroup("/")
    parent = Cgroup("parent", root, zswap_max=draw.choice((None, 3 * PAGE_SIZE)))
    groups = [
        Cgroup("free", parent),
        Cgroup("limited", parent, zswap_max=PAGE_SIZE),
        Cgroup("stays", parent, zswap_writeback=False),
    ]
    plan = PLAN if draw.random() < 0.5 else None
    async with open_system(world, machine=small_machine(slots=16), params=params, plan=plan, swap_slots=48) as system:
        reach(system, "page found", "rejected folio", "writeback", "contended context")
        world.sometimes(lambda: any(not group.online for group in groups), "a cgroup went")
        inventory = parts_of(system.zswap).inventory
        world.always(lambda: root.zswapped == inventory.stored_pages, "I10 the root is charged for every page")
        world.at_rest(lambda: (root.zswapped, root.zswap_current) == (0, 0), "I2 nobody is charged any more")
        numbers = iter(range(4))

        async def client() -> None:
            number, random = next(numbers), Random(draw.random())
            if number == len(groups):
                await _take_offline(world, system, groups, random)
                return
            group = groups[number]
            await use(world, system.observed, random, calls=4, slots=12, sizes=(1, 2, 9), kinds=KINDS, cgroup=group)

        async with world.clients(client, n=4):
            pass


async def _take_offline(world: stress.World, system: System, groups: Sequence[Cgroup], random: Random) -> None:
    for group in random.sample(groups, 2):
        await world.sleep(40e-6)
        system.zswap.offline_cgroup(group)
        if random.random() < 0.5:
            await system.zswap.shrink(group.parent, nr_to_scan=3)
