"""Published tables in a testbed file: what the model is fitted to, works off, and is compared with.

Every cell is one that a table of ours has as well, so that none is kept and never shown.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from swaplab.model.parameter import Strict, Text

MEASURED = {
    "usemem": ("throughput_total_kBps", "throughput_avg_kBps", "elapsed_s", "sys_s", "memcg_high", "zswpout"),
    "kernbench": ("real_s", "user_s", "sys_s", "zswpout", "zswpin"),
}
"""Metrics that errors are taken of, relative to what was published; so none may be 0."""
COUNTED = {
    "usemem": (
        *("memcg_swap_fail", "zswpin", "pswpout", "pswpin", "thp_swpout", "thp_swpout_fallback", "swpout_fallback"),
        *("pgmajfault", "anon_fault_alloc", "ZSWPOUT", "SWPOUT"),
    ),
    "kernbench": ("pswpout", "pswpin", "swpout_fallback", "pgmajfault", "ZSWPOUT", "SWPOUT"),
}
"""The other metrics, of which a run may have none."""
WORKED_OFF = ("user_s", "zswpout", "zswpin", "ZSWPOUT")
"""What the kernel build takes from the base column; the last only where there are large folios."""

Figure = Annotated[float, Field(ge=0, le=1e15)]


class Cell(Strict):
    """One published figure of one column."""

    metric: str
    column: Literal["base", "v8"]
    values: tuple[Figure, ...] = Field(min_length=1, description="more than one where the run was published twice")

    @property
    def value(self) -> float:
        """The mean of the published runs."""
        return sum(self.values) / len(self.values)


class Table(Strict):
    """A published table: workload, folio size, compressor columns, and where it stands."""

    workload: Literal["usemem", "kernbench"]
    folio: Literal["4K", "64K", "2M"]
    compressor: Literal["deflate-iaa", "zstd"]
    source: Text
    cells: tuple[Cell, ...]

    def cell(self, column: str, metric: str) -> Cell | None:
        """The published figure of `metric` in `column`, if there is one."""
        return next((cell for cell in self.cells if (cell.column, cell.metric) == (column, metric)), None)

    @model_validator(mode="after")
    def _is_of_use(self) -> Self:
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        measured, counted = MEASURED[self.workload], COUNTED[self.workload]
        for cell in self.cells:
            if cell.metric not in measured + counted:
                yield f"there is no metric {cell.metric!r} of {self.workload}; use {', '.join(measured + counted)}"
            if cell.metric in measured and 0 in cell.values:
                yield f"{cell.metric} of {cell.column} is 0, and errors are taken relative to it; leave the cell out"
        for metric, column in twice([(cell.metric, cell.column) for cell in self.cells]):
            yield f"{metric} of {column} is there twice; a run published twice is one cell with two values"
        if self.workload == "kernbench":
            for metric in WORKED_OFF if self.folio != "4K" else WORKED_OFF[:-1]:
                if self.cell("base", metric) is None:
                    yield f"{metric} of base is missing, and the build works it off; add the cell"


def twice(things: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those that are there more than once, once each."""
    return [thing for thing, count in Counter(things).items() if count > 1]
