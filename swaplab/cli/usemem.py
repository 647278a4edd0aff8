"""`swaplab usemem`: the series' own table, made in virtual time."""

import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from swaplab.cli.store import FolioSize
from swaplab.columns import ColumnError, parse_columns
from swaplab.experiments.kernbench import KernbenchReport
from swaplab.experiments.tables import Report, Request, published, usemem_report
from swaplab.machine import COMPRESSORS
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


def parse_scale(text: str) -> Fraction:
    """A scale such as 1/64; typer.BadParameter for what is none."""
    try:
        scale = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"{text!r} is no fraction; write 1/64, for example") from None
    if not 0 < scale <= 1:
        raise typer.BadParameter(f"{text} is not above 0 and up to 1; write 1/64, for example")
    return scale


def usemem(
    testbed: Annotated[str, typer.Option(help="A testbed's name, or a testbed file.")] = "spr-2s-8iaa",
    folio: Annotated[
        FolioSize, typer.Option(help="Size of the folios that are faulted in and swapped out.")
    ] = FolioSize.MEDIUM,
    compressor: Annotated[str, typer.Option(help="deflate-iaa or zstd.")] = "deflate-iaa",
    columns: Annotated[str, typer.Option(help="base, v8, or both.")] = "base,v8",
    patches: Annotated[str | None, typer.Option(metavar="LIST", help="Any of 1..14, as a column beside base.")] = None,
    scale: Annotated[str, typer.Option(help="Of pages, memory.high and sleep; results are scaled back.")] = "1/64",
    procs: Annotated[int | None, typer.Option(min=1, help="Processes; default: the testbed's 30.")] = None,
    devices: Annotated[int, typer.Option(min=1, max=64, help="IAA devices of the machine.")] = 8,
    wqs: Annotated[
        int | None, typer.Option(min=1, max=8, help="Work queues per device; default: the column's.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=8, help="Pages per chain.")] = 8,
    sync_mode: Annotated[str, typer.Option(help="sync, async or async_irq.")] = "async",
    seed: Annotated[int, typer.Option(help="Of the spread between processes.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Columns run in so many processes; the result is the same.")] = 1,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table to FILE as well.")] = None,
) -> None:
    """Run usemem30 on the modelled machine and print the series' table, with the published figures beside it."""
    fraction = parse_scale(scale)
    if compressor not in COMPRESSORS:
        raise typer.BadParameter(f"{compressor!r} is not modelled; there are {' and '.join(COMPRESSORS)}")
    try:
        chosen = parse_columns(columns, patches)
        load_testbed(testbed)
        requests = [
            Request(testbed, column, compressor, folio, fraction, seed, procs, devices, wqs, batch, sync_mode)
            for column in chosen
        ]
        report = usemem_report(requests, workers)
    except (ColumnError, TestbedError, ValueError) as error:
        print(f"swaplab usemem: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    if patches is not None:
        print("patches, with what they need: " + ", ".join(map(str, sorted(chosen[-1].patches))))
    default_machine = (procs, devices, wqs, batch, sync_mode) == (None, 8, None, 8, "async")
    Console().print(table(report, default_machine))
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
