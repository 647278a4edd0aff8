"""`swaplab sweep`: usemem over a grid of machines."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from swaplab.cli.options import MOST_WORKERS, TestbedName, parse_scale
from swaplab.cli.outputs import writable
from swaplab.cli.progress import progress_bar
from swaplab.cli.prose import print_prose, printable
from swaplab.cli.refusals import refusals
from swaplab.cli.tables import print_whole
from swaplab.experiments import scales
from swaplab.experiments.grid import Grid, GridError, parse_grid
from swaplab.experiments.sweep import JOURNAL, TABLES, Sweep, SweepError, run_locally, run_on_dask
from swaplab.experiments.usemem import KIB_PER_GIB
from swaplab.model.columns import ColumnError
from swaplab.model.testbed import TestbedError, load_testbed

MOST_ROWS = 40
MOST_NAMED = 5
"""Points that are left out for one reason, and told by name."""
PICTURES = ("throughput.png", "throughput.svg")


def sweep(
    grid: Annotated[
        list[str], typer.Option(metavar="AXIS=LIST", help="An axis, as devices=1,2,4; and more behind it.")
    ],
    axes: Annotated[list[str] | None, typer.Argument(metavar="AXIS=LIST...", help="More axes.")] = None,
    testbed: TestbedName = "spr-2s-8iaa",
    scale: Annotated[str, typer.Option(help="Of pages, memory.high and sleep; results are scaled back.")] = "1/512",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Results, pictures, and what resuming needs.")] = Path(
        "sweep"
    ),
    workers: Annotated[int, typer.Option(min=1, max=MOST_WORKERS, help="Points run in so many processes.")] = 2,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run on this Dask cluster instead, as tcp://host:8786.")
    ] = None,
) -> None:
    """Run usemem at every point of a grid; write Parquet, CSV and pictures. Started again, it goes on where it stood.

    Axes: procs, devices, wqs, batch, seed, folio, compressor, kernel (base, v8, or patches as 8+9), sync_mode. A batch
    is a chain of pages of one folio, so a 64K folio stops at 16, and points beyond are left out; the kernel stops at 8,
    and more is an experiment.

    A point takes up to 12 seconds, a grid of 16 up to two minutes on two cores; with --scale 1/2048 half a minute.
    """
    with refusals("sweep", ColumnError, GridError, SweepError, TestbedError):
        question = parse_grid([*grid, *(axes or [])], load_testbed(testbed), parse_scale(scale))
        job = Sweep(question, out)
        total = len(question.points()) - len(job.done())
        with _made(out):
            run = run_locally(workers) if dask is None else run_on_dask(dask)
            with _resumable(out), progress_bar("points", max(total, 0)) as ran:
                rows = job.run(run, ran)
        drawn = _draw(question, rows, out)
    _show(question, rows)
    if not drawn:
        print("no picture: no axis has several values to compare")
    failed = sum(row["error"] is not None for row in rows)
    print_prose(scales.sentence("usemem", question.folios, question.scale))
    print(f"{len(rows)} points, {failed} failed; results in {printable(str(out))}")
    if failed:
        raise typer.Exit(1)


@contextmanager
def _made(directory: Path) -> Iterator[None]:
    """Make the directory, and see that all its files can be written before any work; typer.BadParameter otherwise.

    What was made for nothing, since no point could be run, is not left there.
    """
    if directory.exists() and not directory.is_dir():
        raise typer.BadParameter(f"{directory} is no directory; name one", param_hint="'--out'")
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        for name in (JOURNAL, *TABLES, *PICTURES):
            _check(directory / name)
        yield
    finally:
        with suppress(OSError):  # it holds something
            for path in missing:
                path.rmdir()


def _check(file: Path) -> None:
    try:
        writable(file)
    except typer.BadParameter as refused:
        raise typer.BadParameter(refused.message, param_hint="'--out'") from None


@contextmanager
def _resumable(out: Path) -> Iterator[None]:
    """Say to whoever interrupts a sweep that it is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"swaplab sweep: finished points are in {out}; the same command goes on from there", file=sys.stderr)
        raise


def _show(grid: Grid, rows: list[dict[str, Any]]) -> None:
    names = [name for name, _ in grid.axes]
    table = Table(title=f"usemem, scale {grid.scale}", title_justify="left")
    for name in (*names, "GiB/s", "elapsed, s", "sys, s", "zswpout"):
        table.add_column(name, justify="right")
    for row in rows[:MOST_ROWS]:
        cells = [str(row[name]) for name in names]
        table.add_row(*cells, *(_figures(row) if row["error"] is None else ["failed", "", "", ""]))
    print_whole(table, beside=len(names))
    if len(rows) > MOST_ROWS:
        print(f"... and {len(rows) - MOST_ROWS} more")
    for row in rows:
        if row["error"] is not None:
            print(printable(f"{_named(row.items(), names)}: {row['error']}"))
    _show_left_out(grid, names)


def _show_left_out(grid: Grid, names: list[str]) -> None:
    """The points that cannot be, by their reasons."""
    by_reason: dict[str, list[str]] = {}
    for point, why in grid.left_out().items():
        by_reason.setdefault(why, []).append(_named(point, names))
    for why, points in by_reason.items():
        more = f" and {len(points) - MOST_NAMED} more" if len(points) > MOST_NAMED else ""
        print_prose(f"left out: {'; '.join(points[:MOST_NAMED])}{more}: {why}")


def _named(values: Iterable[tuple[str, Any]], names: list[str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values if name in names)


def _figures(row: dict[str, Any]) -> list[str]:
    gib_per_s = row["throughput_total_kBps"] / KIB_PER_GIB
    return [f"{gib_per_s:.2f}", f"{row['elapsed_s']:.1f}", f"{row['sys_s']:,.0f}", f"{row['zswpout']:,}"]


def _draw(grid: Grid, rows: list[dict[str, Any]], directory: Path) -> bool:
    """Draw what the tables hold, or at least leave no picture of what they held before; whether there is one.

    Drawn before anything is printed, since a pager may close the pipe.
    """
    files = [directory / name for name in PICTURES]
    for file in files:
        file.unlink(missing_ok=True)
    from swaplab.experiments.pictures.saturation import draw  # takes a second to import

    return all(draw(grid, rows, file) for file in files)
