"""Tables of columns, as the series prints them: run a workload per column, scale back up, compare with what is known.

Results are deterministic: the same seed and the same compressed lengths give the same bytes, in whatever order the
columns were asked for and by however many worker processes they were made.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from multiprocessing import get_context
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from swaplab.columns import Column, with_needs
from swaplab.corpus import lengths_sha256, pages_of, usemem_corpus
from swaplab.inputs import FOLIO_PAGES
from swaplab.machine import Setup, simulate, stream_of
from swaplab.testbed import Table, Testbed, load_testbed
from swaplab.workloads import usemem

Q = TypeVar("Q")
T = TypeVar("T")

NS_PER_S = 1_000_000_000
KIB_PER_PAGE = 4

SIZE_SUFFIX = {"4K": "", "64K": "-64kB", "2M": "-2048kB"}
"""How per-size counters are called in the kernel's statistics."""


class ColumnResult(BaseModel):
    """One column at full scale: times and counts multiplied back."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str
    compressor: str
    patches: list[int]
    throughput_total_kbps: float = Field(alias="throughput_total_kBps")
    throughput_avg_kbps: float = Field(alias="throughput_avg_kBps")
    elapsed_s: float
    sys_s: float
    memcg_high: int
    memcg_swap_fail: int
    zswpout: int
    zswpin: int
    pswpout: int
    pswpin: int
    thp_swpout: int
    thp_swpout_fallback: int
    swpout_fallback: int
    pgmajfault: int
    anon_fault_alloc: int
    zswpout_folios: int = Field(alias="ZSWPOUT")
    swpout_folios: int = Field(alias="SWPOUT")

    def metric(self, name: str) -> float:
        """A figure by the name that it has in the JSON and in the published tables."""
        value: float = self.model_dump(by_alias=True)[name]
        return value


class Report(BaseModel):
    """What `swaplab usemem` found; the file that `--json` writes. Nothing in it depends on the host."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["swaplab.table/1"] = Field("swaplab.table/1", alias="schema")
    swaplab: str
    workload: Literal["usemem"]
    testbed: str
    folio: str
    scale: str
    seed: int
    lengths_sha256: str
    columns: list[ColumnResult]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One column to run, in plain values, so that it can be sent to another process."""

    testbed: str
    column: Column
    compressor: str
    folio: str
    scale: Fraction
    seed: int = 0
    processes: int | None = None
    devices: int = 8
    wqs: int | None = None
    batch: int = 8
    sync_mode: str = "async"
    values: tuple[tuple[str, float], ...] = ()
    """Parameters of the testbed that are to be otherwise."""

    @property
    def is_default_machine(self) -> bool:
        """Whether nothing of the machine was asked to be otherwise, so that published figures are comparable."""
        asked = (self.processes, self.devices, self.wqs, self.batch, self.sync_mode)
        return asked == (None, 8, None, 8, "async")

    @property
    def setup(self) -> Setup:
        """The machine to build."""
        return Setup(
            load_testbed(self.testbed).with_values(dict(self.values)),
            self.column,
            self.compressor,
            self.folio,
            devices=self.devices,
            wqs=self.wqs,
            batch=self.batch,
            sync_mode=self.sync_mode,
        )


def run_usemem(request: Request) -> ColumnResult:
    """One column of usemem, in virtual time, from beginning to end in this process."""
    outcome = simulate(usemem.run(request.setup, request.scale, request.seed, request.processes))
    return full_scale(request, outcome)


def full_scale(request: Request, outcome: usemem.Outcome) -> ColumnResult:
    """The figures of the series' table from a run at a smaller scale."""
    scale = request.scale
    events = outcome.events
    suffix = SIZE_SUFFIX[request.folio]

    def count(number: int) -> int:
        return round(number / scale)

    def seconds(ns: int) -> float:
        return float(Fraction(ns, NS_PER_S) / scale)

    rates = [
        Fraction(outcome.region_pages * KIB_PER_PAGE * NS_PER_S, p.written_ns - p.began_ns) for p in outcome.processes
    ]
    busy = sum(p.ended_ns - p.began_ns - p.user_ns - p.idle_ns for p in outcome.processes)
    return ColumnResult(
        name=request.column.name,
        compressor=request.compressor,
        patches=sorted(request.column.patches),
        throughput_total_kbps=float(sum(rates)),
        throughput_avg_kbps=float(sum(rates) / len(rates)),
        elapsed_s=seconds(max(p.ended_ns for p in outcome.processes)),
        sys_s=seconds(busy),
        memcg_high=count(outcome.memory_high_events),
        memcg_swap_fail=count(outcome.swap_fail_events),
        zswpout=count(events.get("zswpout", 0)),
        zswpin=count(events.get("zswpin", 0)),
        pswpout=count(events.get("pswpout", 0)),
        pswpin=count(events.get("pswpin", 0)),
        thp_swpout=count(events.get("thp_swpout", 0)),
        thp_swpout_fallback=count(events.get("thp_swpout_fallback", 0)),
        swpout_fallback=count(events.get(f"swpout_fallback{suffix}", 0)),
        pgmajfault=count(events.get("zswpin", 0) + events.get("pswpin", 0)),
        anon_fault_alloc=count(outcome.folios_faulted),
        zswpout_folios=count(events.get(f"zswpout{suffix}", 0)) if suffix else 0,
        swpout_folios=count(events.get(f"swpout{suffix}", 0)) if suffix else 0,
    )


def run_all(requests: Sequence[Request], workers: int = 1, ran: Callable[[], object] = bool) -> list[ColumnResult]:
    """Every column of usemem, as `run_each` makes them."""
    return run_each(run_usemem, requests, workers, ran)


def run_each(
    run: Callable[[Q], T], requests: Sequence[Q], workers: int = 1, ran: Callable[[], object] = bool
) -> list[T]:
    """What `run` makes of each request, in order; in `workers` processes when more than one. `ran`: once for each."""
    with ExitStack() as stack:
        each: Callable[..., Iterable[T]] = map
        if min(workers, len(requests)) > 1:
            pool = ProcessPoolExecutor(min(workers, len(requests)), mp_context=get_context("spawn"))
            each = stack.enter_context(pool).map
        results = []
        for result in each(run, requests):
            results.append(result)
            ran()
        return results


def usemem_report(requests: Sequence[Request], workers: int = 1, ran: Callable[[], object] = bool) -> Report:
    """Run the columns of one table: one testbed, folio size, scale and seed."""
    first = requests[0]
    return Report(
        swaplab=version("swaplab"),
        workload="usemem",
        testbed=first.testbed,
        folio=first.folio,
        scale=str(first.scale),
        seed=first.seed,
        lengths_sha256=corpus_digest(first),
        columns=run_all(requests, workers, ran),
    )


def corpus_digest(request: Request) -> str:
    """The digest of the compressed lengths of this table's pages."""
    sizes = usemem.Sizes.of(request.setup, request.scale, request.processes)
    pages = pages_of(usemem_corpus(sizes.region_pages, FOLIO_PAGES[request.folio]))
    return lengths_sha256(stream_of(request.compressor), pages)


def published(testbed: Testbed, folio: str, compressor: str, workload: str = "usemem") -> Table | None:
    """The published table that a report can be compared with."""
    wanted = (workload, folio, compressor)
    return next((t for t in testbed.published if (t.workload, t.folio, t.compressor) == wanted), None)


def effective_patches(column: Column, compressor: str) -> frozenset[int]:
    """The patches that do something: 7 moves code only, and a software compressor never meets 4 to 11."""
    ignored = frozenset(range(4, 12)) if compressor == "zstd" else frozenset({7})
    return with_needs(column.patches) - ignored
