"""`python -m benchmarks.campaigns`: how long the campaigns take, and the full cancel sweep of a large folio.

Apart from `python -m benchmarks`, for it takes minutes: 2,000 seeds of every campaign, in two processes.
"""

import argparse
import gc
import time
from random import Random

from swaplab import stress
from swaplab.campaigns import SCENARIOS
from swaplab.campaigns.machines import small_machine
from swaplab.campaigns.opening import open_system
from zswap import Params

from .report import table
from .rows import Row

SEEDS = 2000
CAMPAIGNS_TARGET_S = 600.0
CAMPAIGNS_AIM_S = 300.0
HUGE_PAGES = 512
SWEEP_TARGET_S = 20.0


@stress.scenario(jitter_ms=0.02)
async def huge_folio(world: stress.World) -> None:
    """One client stores 2 MiB on the accelerator, four others store and load beside it."""
    params = Params(compressor="deflate-iaa")
    async with open_system(world, machine=small_machine(cpus=8), params=params) as system:

        async def neighbour() -> None:
            random = Random(world.random.random())
            await system.observed.store(HUGE_PAGES + random.randrange(8), 2)
            await system.observed.load(HUGE_PAGES + random.randrange(8))

        async def huge() -> None:
            await system.observed.store(0, HUGE_PAGES)

        clients = iter((huge, neighbour, neighbour, neighbour, neighbour))

        async def client() -> None:
            await next(clients)()

        async with world.clients(client, n=5):
            pass


def sweep_row() -> Row:
    """Seconds of processor time for cancelling each of the five clients after each event, once and twice."""
    gc.collect()
    gc.freeze()  # what is loaded is no garbage, and would be searched again and again
    began = time.process_time()
    report = stress.explore(huge_folio, seeds=range(1))
    taken_s = time.process_time() - began
    assert report.ok, str(report)
    return Row(
        f"cancel sweep beside a store of 2 MiB, {report.runs} runs, processor time",
        taken_s,
        "s",
        target=SWEEP_TARGET_S,
        judged="value",
        better="lower",
    )


def campaigns_row(seeds: int, jobs: int) -> Row:
    """Seconds for so many seeds of every campaign, seed 0 swept."""
    runs, began = 0, time.perf_counter()
    for name, scenario in SCENARIOS.items():
        report = stress.explore(scenario, seeds=range(seeds), jobs=jobs)
        assert report.ok, str(report)
        runs += report.runs
        print(f"{name}: {report.runs} runs, {time.perf_counter() - began:.0f} s so far", flush=True)
    is_whole = seeds == SEEDS
    return Row(
        f"{seeds} seeds x {len(SCENARIOS)} campaigns, {runs} runs in {jobs} processes",
        time.perf_counter() - began,
        "s",
        target=CAMPAIGNS_TARGET_S if is_whole else None,
        aim=CAMPAIGNS_AIM_S if is_whole else None,
        judged="value",
        better="lower",
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaigns", description="How long the campaigns take.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"seeds of each campaign (default: {SEEDS})")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    options = parser.parse_args()
    print(table([sweep_row(), campaigns_row(options.seeds, options.jobs)]))


if __name__ == "__main__":
    main()
