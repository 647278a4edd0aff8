"""The series' tables, as `usemem` and `kernbench` print them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from swaplab.cli.progress import progress_bar
from swaplab.cli.refusals import refusals
from swaplab.columns import ColumnError
from swaplab.experiments.tables import Request, TableReport, published
from swaplab.testbed import TestbedError

Report = TableReport[Any]
Run = Callable[[Sequence[Request], int, Callable[[], object]], Report]
"""Runs the columns in so many processes, and calls the function once for each that is done."""

WIDEST = 1000
"""Characters, more than any table has."""

SIZES = {"4K": "4kB", "64K": "64kB", "2M": "2048kB"}


def run_table(
    command: str, run: Run, requests: Callable[[], list[Request]], workers: int
) -> tuple[Report, list[Request]]:
    """What `run` made of the columns that `requests` returned, and these; or the command's refusal."""
    with refusals(command, ColumnError, TestbedError, ValueError):
        columns = requests()
        with progress_bar("columns", len(columns)) as ran:
            report = run(columns, workers, ran)
    return report, columns


def print_table(report: Report, first: Request, rows: Mapping[str, str], title: str, digits: int = 0) -> None:
    """The series' table: a row per metric, a column per kernel, the change in percent, published figures beside.

    `first` is the request of the first column; published figures are shown if its machine is the published one.
    """
    compressor, testbed = first.compressor, first.testbed
    is_published_machine = first.is_default_machine(report.workload)
    known = published(testbed, report.folio, compressor, report.workload) if is_published_machine else None
    shown = Table(title=f"{title}, {report.folio} folios, {compressor}, scale {report.scale}", title_justify="left")
    shown.add_column("")
    for column in report.columns:
        shown.add_column(column.name, justify="right")
    if len(report.columns) > 1:
        heading = "change" if len(report.columns) == 2 else f"{report.columns[-1].name}\nchange"
        shown.add_column(heading, justify="right")
    cells_known = known.cells if known is not None else ()
    beside = [column.name for column in report.columns if any(cell.column == column.name for cell in cells_known)]
    for column_name in beside:
        shown.add_column(f"published\n{column_name}", justify="right", style="dim")
    for metric, heading in rows.items():
        values = [column.metric(metric) for column in report.columns]
        cells = [_number(value) for value in values]
        if len(values) > 1:
            cells.append(f"{(values[-1] / values[0] - 1) * 100:+.{digits}f} %" if values[0] else "")
        if known is not None:
            cells += [_published(known.cell(column_name, metric)) for column_name in beside]
        shown.add_row(heading.format(size=SIZES[report.folio]), *cells)
    print_whole(shown)


def print_whole(table: Table) -> None:
    """Print `table` however wide it is: a figure that is cut off would be worse than a long line."""
    needed = Console(width=WIDEST).measure(table).maximum
    Console(width=max(Console().width, needed)).print(table)


def _published(cell: object) -> str:
    values = getattr(cell, "values", ())
    return " / ".join(_number(value) for value in values)


def _number(value: float) -> str:
    return f"{value:,.2f}" if isinstance(value, float) and value < 10_000 and value != int(value) else f"{value:,.0f}"
