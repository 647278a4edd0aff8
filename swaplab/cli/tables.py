"""The series' tables, as `usemem` and `kernbench` print them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from swaplab.cli.options import TableOptions
from swaplab.cli.outputs import WIDEST, console
from swaplab.cli.progress import progress_bar
from swaplab.cli.prose import print_prose
from swaplab.cli.refusals import refusals
from swaplab.experiments import scales
from swaplab.experiments.tables import Request, TableReport, published
from swaplab.model.columns import KERNELS, ColumnError
from swaplab.model.testbed import TestbedError

Report = TableReport[Any]
Run = Callable[[Sequence[Request], int, Callable[[], object]], Report]
"""Runs the columns in so many processes, and calls the function once for each that is done."""


OF_LARGE_FOLIOS = ("swpout_fallback", "ZSWPOUT", "SWPOUT")
"""What the kernel counts per size of large folios, and for single pages not at all."""

SIZES = {"4K": "4kB", "64K": "64kB", "2M": "2048kB"}


def run_table(command: str, run: Run, options: TableOptions, workers: int) -> tuple[Report, list[Request]]:
    """What `run` made of the columns that were asked for, and these; or the command's refusal."""
    with refusals(command, ColumnError, TestbedError, ValueError):
        columns = options.requests()
        with progress_bar("columns", len(columns)) as ran:
            report = run(columns, workers, ran)
    return report, columns


def print_table(report: Report, first: Request, rows: Mapping[str, str], title: str, digits: int = 0) -> None:
    """The series' table: a row per metric, a column per kernel, changes in percent, published figures beside.

    `first` is the request of the first column, which the changes are relative to; published figures are shown if its
    machine is the published one.
    """
    for column in report.columns:
        if column.name not in KERNELS:
            print("patches, with what they need: " + ", ".join(map(str, column.patches)))
    compressor, testbed = first.compressor, first.testbed
    is_published_machine = first.is_default_machine(report.workload)
    known = published(testbed, report.folio, compressor, report.workload) if is_published_machine else None
    names = [column.name for column in report.columns]
    beside = [name for name in names if known and any(cell.column == name for cell in known.cells)]
    shown = Table(title=f"{title}, {report.folio} folios, {compressor}, scale {report.scale}", title_justify="left")
    shown.add_column("")
    for heading in names + (["change"] if len(names) == 2 else [f"{name}\nchange" for name in names[1:]]):
        shown.add_column(heading, justify="right")
    for name in beside:
        shown.add_column(f"published\n{name}", justify="right", style="dim")
    for metric, heading in rows.items():
        if report.folio == "4K" and metric in OF_LARGE_FOLIOS:
            continue
        values = [column.metric(metric) for column in report.columns]
        cells = [_number(value) for value in values] + [_change(value, values[0], digits) for value in values[1:]]
        if known is not None:
            cells += [_published(known.cell(name, metric)) for name in beside]
        shown.add_row(heading.format(size=SIZES[report.folio]), *cells)
    print_whole(shown)
    print_prose(
        "Times are the modelled machine's, multiplied back to full scale; how fast this host is makes no difference.",
        scales.sentence(report.workload, [report.folio], first.scale),
    )


def _change(value: float, before: float, digits: int) -> str:
    return f"{(value / before - 1) * 100:+.{digits}f} %" if before else ""


def print_whole(table: Table, beside: int = 1) -> None:
    """Print all of `table`, however narrow the terminal: columns that have no room go on below.

    The first columns, as many as `beside`, stand beside each of the parts. A figure is never cut off: a single column
    without room makes a long line.
    """
    shown = console()
    for part in _parts(table, shown.width, beside):
        Console(width=max(shown.width, _width(part))).print(part)


def _parts(table: Table, width: int, beside: int) -> Iterator[Table]:
    names, rest = list(range(beside)), list(range(beside, len(table.columns)))
    title = table.title
    while rest:
        fitting = 1
        while fitting < len(rest) and _width(_of_columns(table, names + rest[: fitting + 1])) <= width:
            fitting += 1
        part = _of_columns(table, names + rest[:fitting])
        part.title, title = title, None
        yield part
        rest = rest[fitting:]


def _width(table: Table) -> int:
    return Console(width=WIDEST).measure(table).maximum


def _of_columns(table: Table, places: Sequence[int]) -> Table:
    """The same table with some of its columns only."""
    part = Table(title_justify=table.title_justify)
    columns = [table.columns[place] for place in places]
    for column in columns:
        part.add_column(column.header, justify=column.justify, style=column.style, no_wrap=True)
    for row, cells in zip(table.rows, zip(*(column.cells for column in columns), strict=True), strict=True):
        part.add_row(*cells, style=row.style, end_section=row.end_section)
    return part


def _published(cell: object) -> str:
    values = getattr(cell, "values", ())
    return " / ".join(_number(value) for value in values)


def _number(value: float) -> str:
    return f"{value:,.2f}" if isinstance(value, float) and value < 10_000 and value != int(value) else f"{value:,.0f}"
