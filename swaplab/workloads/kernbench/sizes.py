"""How much of the kernel build is run: the published counts and the testbed's memory, at a scale."""

import random
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from swaplab.memory import refuse_beyond_half
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.machine import Setup
from swaplab.model.published import Table
from swaplab.model.testbed import Kernbench

TURN_PAGES = 8
"""Pages swapped out per turn of work."""
RECLAIM_PAGES = 32
"""The least that a task at memory.max reclaims before it asks again."""
BYTES_PER_PAGE = 100
"""What a page that is swapped out takes here, with its part of a turn."""
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
        published = {cell.metric: cell.value for cell in counts(setup).cells if cell.column == "base"}
        count = threads or int(work.threads.value)
        turns = int(published["zswpout"] * scale) // TURN_PAGES
        if turns < count:
            raise KernbenchError(f"a scale of {scale} leaves {turns} turns for {count} threads; choose a larger one")
        refuse_beyond_half(turns * TURN_PAGES, BYTES_PER_PAGE)
        memory_max = max(int(work.memory_max_pages.value * scale), 2 * RECLAIM_PAGES * count)
        return cls(
            threads=count,
            nr_pages=nr_pages,
            turns=turns,
            large_pages=round(published["ZSWPOUT"] * nr_pages * scale) if nr_pages > 1 else 0,
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


def counts(setup: Setup) -> Table:
    """The published table whose page counts are worked off; KernbenchError where there is none.

    Without large folios every page leaves alone, and then the counts of another folio size will do.
    """
    tables: dict[str, Table] = {
        table.folio: table
        for table in setup.testbed.published
        if (table.workload, table.compressor) == ("kernbench", setup.compressor)
    }
    if not tables:
        raise KernbenchError(f"the testbed {setup.testbed.name} has no page counts of a build with {setup.compressor}")
    usable = tables if "4K" in tables else {"4K": next(iter(tables.values()))} | tables
    if setup.folio not in usable:
        what = f"how many pages of a build leave in folios of {setup.folio} was not published"
        raise KernbenchError(f"{what}; use {' or '.join(usable)}")
    return usable[setup.folio]


def user_times(sizes: Sizes, seed: int) -> list[int]:
    """The user time of each turn: the whole of it, split into parts that differ by up to a factor of three."""
    stream = random.Random(f"{seed}/kernbench.user")
    ends = list(accumulate((stream.randrange(500, 1500) for _ in range(sizes.turns)), initial=0))
    return [sizes.user_ns * end // ends[-1] - sizes.user_ns * begin // ends[-1] for begin, end in pairwise(ends)]
