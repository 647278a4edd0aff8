"""How much of the kernel build is run: the published counts and the testbed's memory, at a scale."""

import random
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from swaplab.inputs import FOLIO_PAGES
from swaplab.machine import Setup
from swaplab.testbed import Kernbench

TURN_PAGES = 8
"""Pages swapped out per turn of work."""
RECLAIM_PAGES = 32
"""The least that a task at memory.max reclaims before it asks again."""
NS_PER_S = 1_000_000_000


class KernbenchError(ValueError):
    """The workload cannot be run like that; the message says why and what can."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The workload at a scale: counts, memory and times shrink together, the folio never does.

    memory.max stays at 64 pages per thread: much below that, what threads are about to swap out would be all there is.
    """

    threads: int
    nr_pages: int
    turns: int
    large_pages: int
    swapin_pages: int
    memory_max_pages: int
    footprint_pages: int
    user_ns: int
    other_sys_ns: int

    @classmethod
    def of(cls, setup: Setup, scale: Fraction, threads: int | None = None) -> "Sizes":
        """The published base column's counts at `scale`; KernbenchError where there is none, or too little is left."""
        work, nr_pages = model(setup), FOLIO_PAGES[setup.folio]
        published = _base_column(setup)
        count = threads or int(work.threads.value)
        turns = int(published["zswpout"] * scale) // TURN_PAGES
        if turns < count:
            raise KernbenchError(f"a scale of {scale} leaves {turns} turns for {count} threads; choose a larger one")
        memory_max = max(int(work.memory_max_pages.value * scale), 2 * RECLAIM_PAGES * count)
        return cls(
            threads=count,
            nr_pages=nr_pages,
            turns=turns,
            large_pages=round(published["ZSWPOUT"] * nr_pages * scale),
            swapin_pages=round(published["zswpin"] * scale),
            memory_max_pages=memory_max,
            footprint_pages=int(memory_max * work.footprint.value),
            user_ns=round(Fraction(published["user_s"]) * NS_PER_S * scale),
            other_sys_ns=round(Fraction(work.other_sys_s.value) * NS_PER_S * scale),
        )

    @property
    def out_pages(self) -> int:
        """Pages that are swapped out."""
        return self.turns * TURN_PAGES


def model(setup: Setup) -> Kernbench:
    """The testbed's kernel build; KernbenchError if it has none."""
    if setup.testbed.kernbench is None:
        raise KernbenchError(f"the testbed {setup.testbed.name} has no kernbench; use one that has")
    return setup.testbed.kernbench


def _base_column(setup: Setup) -> dict[str, float]:
    """The published figures of the kernel without the series: the counts that every column works off."""
    wanted = ("kernbench", setup.folio, setup.compressor)
    tables = setup.testbed.published
    table = next((table for table in tables if (table.workload, table.folio, table.compressor) == wanted), None)
    if table is None:
        known = sorted({table.folio for table in tables if table.workload == "kernbench"})
        raise KernbenchError(f"no page counts are known for folios of {setup.folio}; use {' or '.join(known)}")
    return {cell.metric: cell.value for cell in table.cells if cell.column == "base"}


def user_times(sizes: Sizes, seed: int) -> list[int]:
    """The user time of each turn: the whole of it, split into parts that differ by up to a factor of three."""
    stream = random.Random(f"{seed}/kernbench.user")
    ends = list(accumulate((stream.randrange(500, 1500) for _ in range(sizes.turns)), initial=0))
    return [sizes.user_ns * end // ends[-1] - sizes.user_ns * begin // ends[-1] for begin, end in pairwise(ends)]
