"""`swaplab usemem`: the series' own table, made in virtual time."""

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
from swaplab.cli.tables import print_table, run_table
from swaplab.experiments.usemem import usemem_report
from swaplab.model.asked import MOST_SEED
from swaplab.model.testbed import MOST_PROCESSES

ROWS = {
    "throughput_total_kBps": "throughput KB/s",
    "throughput_avg_kBps": "  per process",
    "elapsed_s": "elapsed, s",
    "sys_s": "sys, s",
    "memcg_high": "memcg_high",
    "memcg_swap_fail": "swap_fail",
    "zswpout": "zswpout",
    "zswpin": "zswpin",
    "pswpout": "pswpout",
    "pswpin": "pswpin",
    "thp_swpout": "thp_swpout",
    "thp_swpout_fallback": "thp_fallback",
    "swpout_fallback": "fallback {size}",
    "pgmajfault": "pgmajfault",
    "anon_fault_alloc": "faults {size}",
    "ZSWPOUT": "ZSWPOUT-{size}",
    "SWPOUT": "SWPOUT-{size}",
}


def usemem(
    testbed: TestbedName = "spr-2s-8iaa",
    folio: Annotated[
        FolioSize, typer.Option(help="Size of the folios that are faulted in and swapped out.")
    ] = FolioSize.MEDIUM,
    compressor: Compressor = "deflate-iaa",
    columns: Columns = None,
    patches: Patches = None,
    scale: Annotated[
        str,
        typer.Option(
            help="Of pages, memory.high and sleep; results are scaled back."
            " To be compared with published figures it is 1/256 or larger, with 2M folios 1/32."
        ),
    ] = "1/64",
    procs: Annotated[
        int | None, typer.Option(min=1, max=MOST_PROCESSES, help="Processes; default: the testbed's 30.")
    ] = None,
    devices: Devices = 8,
    wqs: WorkQueues = None,
    batch: Batch = 8,
    sync_mode: Annotated[SyncMode, typer.Option(help="The driver's mode.")] = SyncMode.ASYNC,
    unpinned: Annotated[
        bool,
        typer.Option(
            "--unpinned",
            help="After each wait a process continues on any cpu of the machine; default: each has one of its own.",
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Of the spread between processes, and of cpus if unpinned.")
    ] = 0,
    workers: Workers = 2,
    json: JsonFile = None,
) -> None:
    """Run usemem30 on the modelled machine and print the series' table, with the published figures beside it.

    As it is, it takes about two minutes on two cores; with --scale 1/256 half a minute, with 1/1024 ten seconds.
    """
    report, requests = run_table(
        "usemem",
        usemem_report,
        TableOptions(
            testbed=testbed,
            folio=folio,
            compressor=compressor,
            columns=columns,
            patches=patches,
            scale=scale,
            seed=seed,
            processes=procs,
            devices=devices,
            wqs=wqs,
            batch=batch,
            sync_mode=sync_mode,
            pinned=not unpinned,
        ),
        workers,
    )
    with writing("usemem", json, report.to_json()):
        print_table(report, requests[0], ROWS, f"usemem30{', unpinned' * unpinned}")
