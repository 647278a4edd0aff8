"""usemem's table: one column per kernel, at full scale."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

from pydantic import Field

from swaplab.experiments.tables import SIZE_SUFFIX, Request, TableColumn, TableReport, head_of, name_of, run_each
from swaplab.model.corpus import lengths_sha256, pages_of, usemem_corpus
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.machine import simulate, stream_of
from swaplab.workloads import usemem

KIB_PER_PAGE = 4
KIB_PER_GIB = 1 << 20
NS_PER_S = 1_000_000_000


class UsememColumn(TableColumn):
    """One column at full scale: times and counts multiplied back."""

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


class UsememReport(TableReport[UsememColumn]):
    """What `swaplab usemem` found."""

    workload: Literal["usemem"] = "usemem"
    pinned: bool = Field(True, description="whether each process stayed on a cpu of its own")


def run_usemem(request: Request) -> UsememColumn:
    """One column of usemem, in virtual time, from beginning to end in this process."""
    outcome = simulate(usemem.run(request.setup, request.scale, request.seed, request.processes, pinned=request.pinned))
    return full_scale(request, outcome)


def full_scale(request: Request, outcome: usemem.Outcome) -> UsememColumn:
    """The figures of the series' table from a run at a smaller scale."""
    events, suffix = outcome.events, SIZE_SUFFIX[request.folio]
    count, seconds = request.count, request.seconds
    rates = [
        Fraction(outcome.region_pages * KIB_PER_PAGE * NS_PER_S, p.written_ns - p.began_ns) for p in outcome.processes
    ]
    busy = sum(p.ended_ns - p.began_ns - p.user_ns - p.idle_ns for p in outcome.processes)
    return UsememColumn(
        **name_of(request),
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


def run_all(requests: Sequence[Request], workers: int = 1, ran: Callable[[], object] = bool) -> list[UsememColumn]:
    """Every column of usemem, as `run_each` makes them."""
    return run_each(run_usemem, requests, workers, ran)


def usemem_report(requests: Sequence[Request], workers: int = 1, ran: Callable[[], object] = bool) -> UsememReport:
    """Run the columns of one table: one testbed, folio size, scale and seed, all pinned or none."""
    return UsememReport(
        **head_of(requests),
        pinned=requests[0].pinned,
        lengths_sha256=corpus_digest(requests[0]),
        columns=run_all(requests, workers, ran),
    )


def corpus_digest(request: Request) -> str:
    """The digest of the compressed lengths of this table's pages."""
    sizes = usemem.Sizes.of(request.setup, request.scale, request.processes)
    pages = pages_of(usemem_corpus(sizes.region_pages, FOLIO_PAGES[request.folio]))
    return lengths_sha256(stream_of(request.compressor), pages)
