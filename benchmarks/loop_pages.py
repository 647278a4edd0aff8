"""`python -m benchmarks.loop_pages`: how many pages the loop should compress at a turn, beside one worker.

Stores by eight tasks, in turns, each in a registry of its own; medians of the ratios to a turn of 8 in the same round.
0 stands for two workers and a loop that compresses nothing.
"""

import argparse
import statistics

import uvloop

import acomp
import acomp.threads
import zswap
from zswap.params import InterfaceName

from .pages import Work, work
from .stores import loop_and_worker, store_rate, two_workers

TURNS = (0, 8, 16, 32)
LOADS: dict[str, tuple[InterfaceName, int, int]] = {
    "64K, units, 16 a request": ("unit", 16, 16),
    "64K, chains of 16": ("chain", 16, 16),
    "2M, units, 32 a request": ("unit", 32, 512),
}
"""Interface, pages at once, pages of a folio."""


async def rate(pages: Work, load: str, turn: int) -> float:
    """Pages per second."""
    interface, at_once, nr_pages = LOADS[load]
    params = zswap.Params(compressor="zstd-threads", max_batch_size=at_once, long_chains=True, interface=interface)
    with acomp.registry():
        async with loop_and_worker(turn) if turn else two_workers():
            return await store_rate(params, pages.folios(nr_pages), nr_pages)


async def compare(pages: Work, load: str, rounds: int) -> str:
    """One line."""
    rates: dict[int, list[float]] = {turn: [] for turn in TURNS}
    for number in range(rounds + 1):
        for turn in TURNS if number % 2 else TURNS[::-1]:
            found = await rate(pages, load, turn)
            if number:  # the first round does not count
                rates[turn].append(found)
    of_8 = {
        turn: statistics.median(one / other for one, other in zip(found, rates[8], strict=True))
        for turn, found in rates.items()
    }
    return f"{load:26}" + "".join(f"{turn:5}: {ratio:.2f}" for turn, ratio in of_8.items())


def main() -> None:
    """Print a line for each load."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loop_pages", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=2048)
    options = parser.parse_args()
    pages = work(options.pages)
    for load in LOADS:
        print(uvloop.run(compare(pages, load, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
