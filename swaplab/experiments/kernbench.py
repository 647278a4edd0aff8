"""The kernel build's table: one column per kernel, at full scale.

Page counts and user time are inputs of the workload, so a column's own are there to show that they were met; `real_s`
and `sys_s` are what is predicted, but in the base columns fitted on.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field

from swaplab.experiments.tables import SIZE_SUFFIX, Request, TableColumn, TableReport, head_of, name_of, run_each
from swaplab.model.corpus import lengths_sha256, pages_of
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.machine import simulate, stream_of
from swaplab.workloads.kernbench import build as kernbench
from swaplab.workloads.kernbench.pages import corpus
from swaplab.workloads.kernbench.sizes import Sizes


class KernbenchColumn(TableColumn):
    """One column of the kernel build."""

    real_s: float
    user_s: float
    sys_s: float
    zswpout: int
    zswpin: int
    pswpout: int
    pswpin: int
    swpout_fallback: int
    pgmajfault: int
    zswpout_folios: int = Field(alias="ZSWPOUT")
    swpout_folios: int = Field(alias="SWPOUT")


class KernbenchReport(TableReport[KernbenchColumn]):
    """What `swaplab kernbench` found."""

    workload: Literal["kernbench"] = "kernbench"


def run_kernbench(request: Request) -> KernbenchColumn:
    """One column of kernbench, in virtual time, from beginning to end in this process."""
    outcome = simulate(kernbench.run(request.setup, request.scale, request.seed, request.processes))
    return full_scale(request, outcome)


def full_scale(request: Request, outcome: kernbench.Outcome) -> KernbenchColumn:
    """The figures of the series' table from a run at a smaller scale."""
    threads, suffix, seconds = outcome.threads, SIZE_SUFFIX[request.folio], request.seconds

    def count(event: str) -> int:
        return request.count(outcome.events.get(event, 0))

    return KernbenchColumn(
        **name_of(request),
        real_s=seconds(max(thread.ended_ns for thread in threads)),
        user_s=seconds(sum(thread.user_ns for thread in threads)),
        sys_s=seconds(sum(thread.sys_ns for thread in threads)),
        zswpout=count("zswpout"),
        zswpin=count("zswpin"),
        pswpout=count("pswpout"),
        pswpin=count("pswpin"),
        swpout_fallback=count(f"swpout_fallback{suffix}"),
        pgmajfault=count("zswpin") + count("pswpin"),
        zswpout_folios=count(f"zswpout{suffix}") if suffix else 0,
        swpout_folios=count(f"swpout{suffix}") if suffix else 0,
    )


def kernbench_report(
    requests: Sequence[Request], workers: int = 1, ran: Callable[[], object] = bool
) -> KernbenchReport:
    """Run the columns of one table: one testbed, folio size, scale and seed."""
    first = requests[0]
    Sizes.of(first.setup, first.scale, first.processes)  # whatever cannot be run is refused here, before it takes time
    pages = pages_of(corpus(first.seed, FOLIO_PAGES[first.folio]).folios())
    return KernbenchReport(
        **head_of(requests),
        lengths_sha256=lengths_sha256(stream_of(first.compressor), pages),
        columns=run_each(run_kernbench, requests, workers, ran),
    )
