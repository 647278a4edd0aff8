"""The three fitted parameters of the kernel build, from the two base columns alone.

System time is linear in `order0_ns`, for each order-0 page that moves, and in `other_sys_s`, the same for both
compressors; so two system times give both. What is then missing of the real times is idle, a time per page swapped in:
each column gives one, and their mean is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from swaplab.experiments.kernbench import KernbenchColumn, run_kernbench
from swaplab.experiments.tables import Request, published, run_each
from swaplab.model.columns import BASE
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.testbed import COMPRESSORS, Kernbench, TestbedError, load_testbed

FOLIO = "64K"


@dataclass(frozen=True, slots=True)
class Base:
    """A base column as simulated, and the published figures of the same run."""

    simulated: KernbenchColumn
    published: Mapping[str, float]

    @property
    def order0_pages(self) -> int:
        """Order-0 pages that were swapped out or in."""
        column = self.simulated
        return column.zswpout - column.zswpout_folios * FOLIO_PAGES[FOLIO] + column.zswpin

    def missing(self, metric: str) -> float:
        """Seconds by which the simulated figure is too small."""
        return self.published[metric] - self.simulated.metric(metric)


def fit(testbed: str, scale: Fraction, seed: int = 0, workers: int = 1) -> dict[str, float]:
    """Simulate both base columns and solve for the parameters: new values by name; TestbedError without a kernbench."""
    model = load_testbed(testbed)
    if model.kernbench is None:
        raise TestbedError(f"the testbed {testbed} has no kernbench; use one that has")
    requests = [Request(model, BASE, compressor, FOLIO, scale, seed) for compressor in COMPRESSORS]
    columns = []
    for column in run_each(run_kernbench, requests, workers):
        table = published(model, FOLIO, column.compressor, "kernbench")
        cells = table.cells if table is not None else ()
        columns.append(Base(column, {cell.metric: cell.value for cell in cells if cell.column == "base"}))
    return solve(model.kernbench, columns)


def solve(work: Kernbench, columns: Sequence[Base]) -> dict[str, float]:
    """The values with which both columns would meet the published ones; they were simulated with those of `work`."""
    one, other = columns
    order0_s = (one.missing("sys_s") - other.missing("sys_s")) / (one.order0_pages - other.order0_pages)
    waits_s = [
        (work.threads.value * column.missing("real_s") - column.missing("sys_s")) / column.simulated.zswpin
        for column in columns
    ]
    return {
        "order0_ns": round(work.order0_ns.value + order0_s * 1e9),
        "other_sys_s": round(work.other_sys_s.value + one.missing("sys_s") - order0_s * one.order0_pages),
        "swapin_wait_ns": round(work.swapin_wait_ns.value + sum(waits_s) / len(waits_s) * 1e9),
    }
