"""Counts what an exiting process finds when it frees its pages: what its neighbours are, and who shares what with it.

`python docs/freeing.py` runs usemem's columns and keeps what it counted in docs/freeing.json, from which
`python docs/fidelity.py` draws the table of docs/fidelity.md. Takes some minutes. It wraps the store's functions and
looks at its tables; nothing is recorded elsewhere for its sake.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

from pydantic import BaseModel, TypeAdapter

from swaplab.model.columns import KERNELS
from swaplab.model.machine import Setup, simulate
from swaplab.model.testbed import load_testbed
from swaplab.workloads import usemem
from zswap import Swap
from zswap.inventory.lru import LruList

RUNS = Path(__file__).with_name("freeing.json")
TESTBED = "spr-2s-8iaa"
SCALES = {"64K": Fraction(1, 256), "2M": Fraction(1, 32)}
"""The smallest that are not coarse."""
CLUSTER = 512
"""Slots of a swap cluster."""


class Freeing(BaseModel):
    """How one column ends.

    The first three are means: processes with pages in a cluster of the swap device, and with objects in a zspage, when
    the first process begins to free; and entries that leave the LRU in one piece. The others are seconds at full
    scale: of a process's writing and freeing, both on the average, of the longest freeing, and of the whole run.
    """

    testbed: str
    compressor: str
    column: str
    folio: str
    owners_per_cluster: float
    owners_per_zspage: float
    entries_per_piece: float
    write_s: float
    free_s: float
    longest_free_s: float
    elapsed_s: float


class Count:
    """What is counted in one run."""

    def __init__(self) -> None:
        self.freeing = False
        self.entries = 0
        self.pieces = 0
        self.owners: dict[str, float] = {}

    def look(self, swap: Swap, region_pages: int) -> None:
        """Who has pages where, at this moment."""
        inventory = swap.zswap._parts.inventory
        clusters, zspages = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
        for offset in swap:
            slot, owner = swap._parts.pages.get(offset), offset // region_pages
            entry = inventory.tree.get(slot)
            clusters[slot // CLUSTER].add(owner)
            zspages[inventory.pool_of(entry).zs._zspage_of[inventory.entries.handle[entry]]].add(owner)
        self.owners = {
            "owners_per_cluster": fmean(map(len, clusters.values())),
            "owners_per_zspage": fmean(map(len, zspages.values())),
        }


@contextmanager
def counting() -> Iterator[Count]:
    """Count from the first process's freeing on."""
    count = Count()
    free, remove, cut = usemem._Usemem._free, LruList.remove, LruList._cut

    async def counted_free(self: usemem._Usemem, process: usemem.Process) -> None:
        if not count.freeing:
            count.look(self._swap, self._sizes.region_pages)
            count.freeing = True
        await free(self, process)

    def counted_remove(self: LruList, gone: list[int]) -> None:
        count.entries += len(gone) * count.freeing
        remove(self, gone)

    def counted_cut(self: LruList, first: int, last: int) -> None:
        count.pieces += count.freeing
        cut(self, first, last)

    with (
        patch.object(usemem._Usemem, "_free", counted_free),
        patch.object(LruList, "remove", counted_remove),
        patch.object(LruList, "_cut", counted_cut),
    ):
        yield count


def count_column(compressor: str, column: str, folio: str, scale: Fraction) -> Freeing:
    """Run one column, and count."""
    setup = Setup(load_testbed(TESTBED), KERNELS[column], compressor, folio)
    with counting() as count:
        processes = simulate(usemem.run(setup, scale)).processes
    seconds = float(1 / scale) / 1e9
    freeing = [each.ended_ns - each.written_ns - each.idle_ns for each in processes]
    return Freeing(
        testbed=TESTBED,
        compressor=compressor,
        column=column,
        folio=folio,
        **count.owners,
        entries_per_piece=count.entries / count.pieces,
        write_s=fmean(each.written_ns - each.began_ns for each in processes) * seconds,
        free_s=fmean(freeing) * seconds,
        longest_free_s=max(freeing) * seconds,
        elapsed_s=max(each.ended_ns for each in processes) * seconds,
    )


KEPT = TypeAdapter(list[Freeing])

if __name__ == "__main__":
    RUNS.write_bytes(
        KEPT.dump_json(
            [
                count_column(compressor, column, folio, scale)
                for compressor in ("zstd", "deflate-iaa")
                for column in ("base", "v8")
                for folio, scale in SCALES.items()
            ],
            indent=1,
        )
    )
