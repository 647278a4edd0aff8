"""Opening the whole system: a scenario opens it, starts clients inside, and leaves it when they are through.

Then nothing is disturbed any more, every slot is read back, and what must hold at rest is looked at before the store is
closed, and once more after that.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import cache
from random import Random
from typing import Final

import acomp
from acomp import cpu, fault
from iaa_emulator import DriverFeatures, MachineConfig, Platform
from swaplab.stress import World
from zswap import MemoryDevice, Params, Swap, Zswap

from ..model.columns import V8
from ..model.engine import EngineModel, ModelledEngine
from ..model.machine import Setup
from ..model.testbed import load_testbed
from .disturbed_engine import Disturbance, DisturbedEngine
from .fault_plan import FaultPlan
from .invariants import watch
from .observed import Observed
from .remembered import outcome_of
from .system import System

TESTBED: Final = "spr-2s-8iaa"


@asynccontextmanager
async def open_platform(
    world: World,
    *,
    machine: MachineConfig,
    disturbance: Disturbance | None = None,
    attributes: Mapping[str, str] | None = None,
    features: DriverFeatures | None = None,
    costs: bool = False,
) -> AsyncIterator[tuple[Platform, DisturbedEngine]]:
    """Open a platform on a disturbed engine at modelled times, in a registry of its own.

    `costs`: steps take the testbed's time.
    """
    modelled = ModelledEngine(engine_model(), outcome_of)
    engine = DisturbedEngine(modelled, disturbance, Random(world.random.random()), world.strike)
    with acomp.registry(), cpu.costs(_costs_ns()) if costs else nullcontext():
        async with Platform.open(machine, engine=engine, attributes=attributes, features=features) as platform:
            yield platform, engine


@contextmanager
def planned(world: World, plan: FaultPlan | None) -> Iterator[None]:
    """Let faults strike by a plan; each is told in the report."""
    if plan is None:
        yield
        return
    with fault.installed(plan.decider(Random(world.random.random()), cpu.now_ns, world.strike)):
        yield


@asynccontextmanager
async def open_system(
    world: World,
    *,
    machine: MachineConfig,
    params: Params,
    plan: FaultPlan | None = None,
    disturbance: Disturbance | None = None,
    attributes: Mapping[str, str] | None = None,
    features: DriverFeatures | None = None,
    swap_slots: int | None = None,
    costs: bool = False,
) -> AsyncIterator[System]:
    """Open everything on the running loop, with a `Swap` of `swap_slots` or, without them, a bare `Zswap`.

    `plan` and `disturbance` are at work as long as the caller is inside. `costs`: steps take the testbed's time, and
    locks are held for it.
    """
    store = Zswap.open(params) if swap_slots is None else Swap.open(params, device=MemoryDevice(swap_slots))
    opening = open_platform(
        world, machine=machine, disturbance=disturbance, attributes=attributes, features=features, costs=costs
    )
    async with opening as (platform, engine), store:
        swap, zswap = (store, store.zswap) if isinstance(store, Swap) else (None, store)
        system = System(world, platform, engine, swap, zswap, Observed(world, store))
        watch(system)
        with planned(world, plan):
            yield system
        await system.rest()
    world.at_rest(lambda: not system.not_at_rest(), "I2 nothing is held after closing")


@cache
def _setup() -> Setup:
    return Setup(load_testbed(TESTBED), V8, "deflate-iaa", "64K")


@cache
def engine_model() -> EngineModel:
    """The times of a device, from the testbed."""
    testbed = _setup().testbed
    return EngineModel(testbed.ns("iaa.pipeline_ns"), testbed.ns("iaa.service_ns"), testbed.compress_engines)


@cache
def _costs_ns() -> Mapping[str, int]:
    return _setup().costs_ns()
