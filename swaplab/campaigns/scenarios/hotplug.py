"""Queues are bound and removed, cpus come and go, while pages are stored and loaded."""

from random import Random
from typing import Final

from acomp import cpu
from iaa_emulator import ConfigurationError
from swaplab import stress
from zswap import ParameterError, Params, StoreFeatures
from zswap.testing import parts_of

from ..clients import use
from ..fault_plan import FaultPlan, PointFault
from ..machines import small_machine
from ..opening import open_system
from ..states import reach
from ..system import System

PLAN: Final = FaultPlan.of({"zswap.context_alloc": PointFault(probability=0.3, at_ms=0.001), "iaa.submit": 0.05})
CPUS: Final = 3
QUEUES: Final = ("wq1.0", "wq1.1", "wq3.0", "wq3.1")
PAUSE_S: Final = 15e-6


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def hotplug(world: stress.World) -> None:
    """Two clients store, one plugs queues, one plugs cpus."""
    draw = world.random
    lifetime = draw.random() < 0.7
    params = Params(
        compressor="deflate-iaa",
        interface=draw.choice(("chain", "array", "unit")),
        features=StoreFeatures(pool_lifetime_contexts=lifetime),
        offline_timeout=40e-6,
    )
    machine = small_machine(slots=16, devices=2, wqs=2, cpus=CPUS)
    attributes = {"g_wqs_per_iaa": str(draw.randrange(2))}
    plan = PLAN if draw.random() < 0.5 else None
    async with open_system(world, machine=machine, params=params, plan=plan, attributes=attributes) as system:
        reach(system, "driver disabled", "page found", "rejected folio")
        world.sometimes(lambda: system.observed.counts["CpuOfflineError"], "a pinned client gave up on its cpu")
        if lifetime:
            contexts = _Contexts(system)
            world.always(contexts.are_the_same, "I13 a context is allocated once, whatever happens to cpus")
        clients = iter((_store, _store, _plug_queues, _plug_cpus))

        async def client() -> None:
            await next(clients)(world, system, Random(draw.random()))

        async with world.clients(client, n=4):
            pass
        for cpu_id in range(CPUS):
            _online(system, cpu_id)
        await _uses_the_device_again(system)


class _Contexts:
    """The transforms of all contexts, once each has been seen."""

    def __init__(self, system: System) -> None:
        self._pool = parts_of(system.zswap).pools.pools[0]
        self._seen: dict[int, object] = {}

    def are_the_same(self) -> bool:
        """Whether each context that was there has kept its transform, for as long as the pool lives."""
        if not self._pool.refs:
            return True
        return all(
            self._seen.setdefault(context.cpu, context.tfm) is context.tfm
            for context in self._pool.contexts
            if context.tfm is not None or context.cpu in self._seen
        )


async def _store(world: stress.World, system: System, random: Random) -> None:
    with cpu.on_cpu(random.randrange(CPUS)):
        await use(world, system.observed, random, calls=4, slots=12, sizes=(1, 3, 9), kinds=("text",))


async def _plug_queues(world: stress.World, system: System, random: Random) -> None:
    """Remove them all, one after the other, and bind them again in another order."""
    for _ in range(2):
        names = random.sample(QUEUES, len(QUEUES))
        for name in names:
            try:
                await system.platform.unbind(name)
            except ConfigurationError:
                system.observed.counts["removed before"] += 1
            await world.sleep(PAUSE_S if random.random() < 0.5 else 0)
        for name in random.sample(names, random.randint(1, len(names))):
            system.platform.bind(name)


async def _plug_cpus(world: stress.World, system: System, random: Random) -> None:
    for _ in range(4):
        cpu_id = random.randrange(CPUS)
        try:
            await system.zswap.offline_cpu(cpu_id)
        except ParameterError:
            system.observed.counts["last cpu"] += 1
        await world.sleep(PAUSE_S)
        if random.random() < 0.7:
            _online(system, random.randrange(CPUS))


def _online(system: System, cpu_id: int) -> None:
    try:
        system.zswap.online_cpu(cpu_id)
    except ParameterError:
        system.observed.counts["stays offline"] += 1


async def _uses_the_device_again(system: System) -> None:
    """I8: with queues bound, compressions and decompressions go to the device, whatever was removed before."""
    platform = system.platform
    missing = [wq.name for device in platform.devices for wq in device.work_queues if not wq.bound]
    if missing:
        platform.bind(*missing)
    totals = platform.stats.totals
    before = totals.total_comp_calls
    stored = await system.observed.store(100, 2)
    if platform.enabled and stored and totals.total_comp_calls == before:
        raise AssertionError("I8: a folio was stored, and not by the device")
