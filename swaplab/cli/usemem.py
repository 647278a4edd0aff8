"""`swaplab usemem`: the series' own table, made in virtual time."""

import sys
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from swaplab.cli.options import (
    Batch,
    Columns,
    Compressor,
    Devices,
    FolioSize,
    JsonFile,
    Patches,
    SyncMode,
    TestbedName,
    Workers,
    WorkQueues,
    requests_of_table,
)
from swaplab.cli.progress import progress_bar
from swaplab.columns import ColumnError
from swaplab.experiments.kernbench import KernbenchReport
from swaplab.experiments.tables import Report, published, usemem_report
from swaplab.testbed import TestbedError, load_testbed

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
SIZES = {"4K": "4kB", "64K": "64kB", "2M": "2048kB"}


def usemem(
    testbed: TestbedName = "spr-2s-8iaa",
    folio: Annotated[
        FolioSize, typer.Option(help="Size of the folios that are faulted in and swapped out.")
    ] = FolioSize.MEDIUM,
    compressor: Compressor = "deflate-iaa",
    columns: Columns = "base,v8",
    patches: Patches = None,
    scale: Annotated[str, typer.Option(help="Of pages, memory.high and sleep; results are scaled back.")] = "1/64",
    procs: Annotated[int | None, typer.Option(min=1, help="Processes; default: the testbed's 30.")] = None,
    devices: Devices = 8,
    wqs: WorkQueues = None,
    batch: Batch = 8,
    sync_mode: SyncMode = "async",
    seed: Annotated[int, typer.Option(help="Of the spread between processes.")] = 0,
    workers: Workers = 2,
    json: JsonFile = None,
) -> None:
    """Run usemem30 on the modelled machine and print the series' table, with the published figures beside it."""
    try:
        requests = requests_of_table(
            testbed, folio, compressor, columns, patches, scale, seed, procs, devices, wqs, batch, sync_mode
        )
        with progress_bar("columns", len(requests)) as ran:
            report = usemem_report(requests, workers, ran)
    except (ColumnError, TestbedError, ValueError) as error:
        print(f"swaplab usemem: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    Console().print(table(report, requests[0].is_default_machine))
    if json is not None:
        json.write_text(report.to_json())


def table(
    report: Report | KernbenchReport,
    with_published: bool,
    rows: Mapping[str, str] = ROWS,
    name: str = "usemem30",
    digits: int = 0,
) -> Table:
    """The series' table: a row per metric, a column per kernel, the change in percent, published figures beside."""
    compressor = report.columns[0].compressor
    testbed = load_testbed(report.testbed)
    known = published(testbed, report.folio, compressor, report.workload) if with_published else None
    shown = Table(title=f"{name}, {report.folio} folios, {compressor}, scale {report.scale}", title_justify="left")
    shown.add_column("")
    for column in report.columns:
        shown.add_column(column.name, justify="right")
    if len(report.columns) > 1:
        shown.add_column("change", justify="right")
    cells_known = known.cells if known is not None else ()
    beside = [column.name for column in report.columns if any(cell.column == column.name for cell in cells_known)]
    for column_name in beside:
        shown.add_column(f"published\n{column_name}", justify="right", style="dim")
    for metric, title in rows.items():
        values = [column.metric(metric) for column in report.columns]
        cells = [_number(value) for value in values]
        if len(values) > 1:
            cells.append(f"{(values[-1] / values[0] - 1) * 100:+.{digits}f} %" if values[0] else "")
        if known is not None:
            cells += [_published(known.cell(column_name, metric)) for column_name in beside]
        shown.add_row(title.format(size=SIZES[report.folio]), *cells)
    return shown


def _published(cell: object) -> str:
    values = getattr(cell, "values", ())
    return " / ".join(_number(value) for value in values)


def _number(value: float) -> str:
    return f"{value:,.2f}" if isinstance(value, float) and value < 10_000 and value != int(value) else f"{value:,.0f}"
