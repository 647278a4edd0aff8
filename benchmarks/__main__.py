"""`python -m benchmarks`: measure everything, print the table, write results.json and results.png beside this file."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import uvloop

from . import caches, chains, loads, memory, report, simulation, start, stores, stressing
from .pages import work
from .rows import Row

HERE = Path(__file__).parent
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "stock": asyncio.new_event_loop,
}


async def real_time(quick: bool) -> list[Row]:
    """Every row of real time, on the running loop."""
    rounds = 3 if quick else 9
    pages = work(2048 if quick else 8192)
    say("stores, peers and raw limits, in turns")
    rows = await stores.rows(pages, rounds)
    say("chains, loads, lateness")
    say("caches")
    cached = await caches.rows(rounds, 2.0 if quick else 5.0)
    return [
        *rows,
        *cached,
        await chains.gain(pages.pages[:1024], rounds),
        await chains.overhead(rounds, 1000),
        await loads.load(pages, rounds),
        await loads.lateness(pages, 1 if quick else 3, 2.0 if quick else 5.0),
    ]


def say(what: str) -> None:
    """Tell on the standard error what is measured now; the table comes at the end."""
    print(f"measuring: {what} ...", file=sys.stderr, flush=True)


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less than a minute, for a first look")
    parser.add_argument("--loop", choices=LOOPS, default="uvloop", help="event loop of real time (default: uvloop)")
    parser.add_argument("--output", type=Path, default=HERE, help="directory of results.json and results.png")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)  # now, and not when everything has been measured
    began = time.perf_counter()
    with asyncio.Runner(loop_factory=LOOPS[options.loop]) as runner:
        rows = runner.run(real_time(options.quick))
    say("starting")
    rows.append(start.row(3 if options.quick else 9))
    say("memory")
    rows.append(memory.row(100_000 if options.quick else 500_000))
    rows.append(caches.memory())
    say("virtual time")
    rows.append(simulation.usemem_row(Fraction(1, 1024 if options.quick else 256), 1 if options.quick else 3))
    rows += simulation.loop_rows(1 if options.quick else 5)
    say("stress")
    rows += stressing.rows(3 if options.quick else 9, 100 if options.quick else 2000)
    print(report.table(rows))
    report.write_json(rows, options.output / "results.json")
    report.plot(rows, options.output / "results.png")
    print(f"\n{options.loop} loop, {time.perf_counter() - began:.0f} s; docs/benchmarks.md says how to read this")


if __name__ == "__main__":
    main()
