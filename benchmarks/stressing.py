"""What `swaplab.stress` costs: per event beside the bare virtual loop, and for 2,000 seeds of each zoo program."""

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator

from swaplab import sim, stress
from swaplab.stress.run import run
from swaplab.stress.zoo import BUGS
from swaplab.stress.zoo.pools import CarefulHandingPool

from .rows import Row

CLIENTS = 8
TURNS = 200
OVERHEAD_TARGET = 1.8
SEEDS = 2_000
MINUTES_TARGET = 10.0
MINUTES_AIM = 5.0

Sleep = Callable[[float], Awaitable[None]]


async def client(pool: CarefulHandingPool, sleep: Sleep) -> None:
    """Take a slot of a pool again and again."""
    for _ in range(TURNS):
        await pool.acquire()
        try:
            await sleep(0.001)
        finally:
            pool.release()
        await sleep(0)


async def bare() -> None:
    """Let the clients run, and look at nothing."""
    pool = CarefulHandingPool()
    await asyncio.gather(*(client(pool, asyncio.sleep) for _ in range(CLIENTS)))


@stress.scenario(jitter_ms=0, cancel=False)
async def looked_at(world: stress.World) -> None:
    """Let the same clients run under two `always`, without other latencies than those that they have in `bare`."""
    pool = CarefulHandingPool()
    world.always(lambda: pool.in_use <= 2, "limit")
    world.always(lambda: pool.in_use >= 0, "no slot is given back twice")
    async with world.clients(lambda: client(pool, asyncio.sleep), n=CLIENTS):
        pass


def hooked() -> None:
    """Let the clients run on a loop with a hook. (Without one, `after_event=None`, are all other rows of the loop.)"""
    loop = sim.VirtualLoop(after_event=lambda loop: None)
    try:
        loop.run_until_complete(bare())
    finally:
        loop.close()


def rows(rounds: int, seeds: int = SEEDS) -> Iterator[Row]:
    """Overheads against `sim.run`, then how long the zoo takes."""
    players: dict[str, Callable[[], object]] = {
        "sim.run": lambda: sim.run(bare()),
        "a hook that does nothing": hooked,
        "stress, two always, trace": lambda: run(looked_at, 0),
    }
    taken = _in_turns(players, rounds)
    events = run(looked_at, 0).events
    for name, target in (("a hook that does nothing", None), ("stress, two always, trace", OVERHEAD_TARGET)):
        fractions = [one / limit for one, limit in zip(taken[name], taken["sim.run"], strict=True)]
        yield Row(
            f"virtual loop, {name}, per event",
            statistics.median(taken[name]) / events * 1e6,
            "us",
            statistics.median(taken["sim.run"]) / events * 1e6,
            statistics.median(fractions),
            target,
            None,
            "fraction",
            "lower",
            (min(fractions), max(fractions)),
        )
    yield zoo_row(seeds)


def zoo_row(seeds: int) -> Row:
    """Minutes of this machine for so many seeds of each of the eight correct programs, two processes."""
    runs = 0
    began = time.perf_counter()
    for bug in BUGS.values():
        report = stress.explore(bug.correct, seeds=range(seeds), jobs=2)
        assert report.ok, report
        runs += report.runs
    minutes = (time.perf_counter() - began) / 60
    return Row(
        f"stress, {seeds:,} seeds of the zoo ({runs:,} runs)",
        minutes,
        "min",
        None,
        None,
        MINUTES_TARGET,
        MINUTES_AIM,
        "value",
        "lower",
    )


def _in_turns(players: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each in each round, after a round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in players}
    for turn in range(rounds + 1):
        for name, play in players.items():
            gc.collect()
            began = time.process_time()
            play()
            if turn:
                taken[name].append(time.process_time() - began)
    return taken
