"""`swaplab kernbench`: the series' table of the kernel build, made in virtual time."""

from typing import Annotated

import typer

from swaplab.cli.options import (
    Batch,
    Columns,
    Compressor,
    Devices,
    FolioSize,
    JsonFile,
    Patches,
    SyncMode,
    TableOptions,
    TestbedName,
    Workers,
    WorkQueues,
)
from swaplab.cli.outputs import writing
from swaplab.cli.prose import print_prose
from swaplab.cli.tables import Report, print_table, run_table
from swaplab.experiments.kernbench import kernbench_report
from swaplab.model.asked import MOST_SEED
from swaplab.model.published import Table
from swaplab.model.testbed import MOST_PROCESSES
from swaplab.workloads.kernbench.sizes import counts

ROWS = {
    "real_s": "real, s",
    "user_s": "user, s",
    "sys_s": "sys, s",
    "zswpout": "zswpout",
    "zswpin": "zswpin",
    "pswpout": "pswpout",
    "pswpin": "pswpin",
    "swpout_fallback": "fallback {size}",
    "pgmajfault": "pgmajfault",
    "ZSWPOUT": "ZSWPOUT-{size}",
    "SWPOUT": "SWPOUT-{size}",
}
SAME_WORK = 0.05
"""All kernels work off the same pages, but for what the pool grows by; a column that is off by more did not."""


def kernbench(
    testbed: TestbedName = "spr-2s-8iaa",
    folio: Annotated[FolioSize, typer.Option(help="Size of large folios; with 4K there are none.")] = FolioSize.MEDIUM,
    compressor: Compressor = "deflate-iaa",
    columns: Columns = None,
    patches: Patches = None,
    scale: Annotated[str, typer.Option(help="Of pages, memory.max and times; results are scaled back.")] = "1/1024",
    threads: Annotated[
        int | None,
        typer.Option("--threads", "--procs", min=1, max=MOST_PROCESSES, help="Threads; default: the testbed's 32."),
    ] = None,
    devices: Devices = 8,
    wqs: WorkQueues = None,
    batch: Batch = 8,
    sync_mode: Annotated[SyncMode, typer.Option(help="The driver's mode.")] = SyncMode.ASYNC,
    seed: Annotated[
        int,
        typer.Option(min=0, max=MOST_SEED, help="Of pages' contents, of who computes how long, and of who comes back."),
    ] = 0,
    workers: Workers = 2,
    json: JsonFile = None,
) -> None:
    """Build a kernel in 2 GiB on the modelled machine: the published base column's pages, and the times predicted.

    As it is, it takes about half a minute on two cores; with --scale 1/4096 ten seconds.
    """
    report, requests = run_table(
        "kernbench",
        kernbench_report,
        TableOptions(
            testbed=testbed,
            folio=folio,
            compressor=compressor,
            columns=columns,
            patches=patches,
            scale=scale,
            seed=seed,
            processes=threads,
            devices=devices,
            wqs=wqs,
            batch=batch,
            sync_mode=sync_mode,
        ),
        workers,
    )
    with writing("kernbench", json, report.to_json()):
        print_table(report, requests[0], ROWS, "kernel build", digits=1)
        counted = counts(requests[0].setup)
        if counted.folio != folio:
            print_prose(
                f"As many pages as published for {counted.folio} folios, each alone: compare columns, not folio sizes."
            )
        _print_surplus(report, counted)


def _print_surplus(report: Report, counted: Table) -> None:
    """Say when a column did another work than the published one: memory never shrinks below 64 pages per thread."""
    cell = counted.cell("base", "zswpout")
    assert cell is not None, "a testbed with a build has its counts"
    for column in report.columns:
        surplus = column.metric("zswpout") / cell.value - 1
        if abs(surplus) > SAME_WORK:
            print_prose(
                f"{column.name} swapped out {surplus:+.0%} against the published pages: at this scale so many threads"
                " have too much memory; use a larger one, or fewer threads."
            )
