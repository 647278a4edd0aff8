"""`swaplab calibrate`: fit a testbed's fitted parameters to its published cells and write the file again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from swaplab.cli.options import TestbedName, Workers, parse_scale
from swaplab.cli.progress import progress_bar
from swaplab.cli.refusals import refusals, writable
from swaplab.testbed import Calibration, Testbed, TestbedError, load_testbed, testbed_file


def calibrate(
    testbed: TestbedName = "spr-2s-8iaa",
    scale: Annotated[str, typer.Option(help="Of the runs that are compared with published cells.")] = "1/64",
    seed: Annotated[int, typer.Option(help="Of the spread between processes.")] = 0,
    workers: Workers = 2,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write here; default: where the testbed was read.")
    ] = None,
) -> None:
    """Refit the parameters declared "fitted" to the published usemem cells; write them with the error of each."""
    from swaplab.experiments.calibration import Fit  # numpy takes its time, and no other command needs it

    fraction = parse_scale(scale)
    with refusals("calibrate", TestbedError, ValueError):
        before = load_testbed(testbed)
        file = out or testbed_file(testbed)
        writable(file)
        with progress_bar("columns simulated") as ran:
            after = Fit(before, fraction, seed, workers, ran).run()
        file.write_text(after.to_json(), encoding="utf-8")
    console = Console()
    console.print(_parameters(before, after))
    if after.calibration is not None:
        console.print(_residuals(after.calibration))
        worst = after.calibration.worst()
        print(f"largest error of a fitted cell {worst.error:+.1%}: {worst.metric} of {worst.compressor} {worst.column}")


def _parameters(before: Testbed, after: Testbed) -> Table:
    shown = Table(title="fitted parameters", title_justify="left")
    shown.add_column("")
    for heading in ("before", "after"):
        shown.add_column(heading, justify="right")
    for name, value in after.fitted().items():
        shown.add_row(name, f"{before.value(name):,g}", f"{value:,g}")
    return shown


def _residuals(calibration: Calibration) -> Table:
    shown = Table(title=f"cells at scale {calibration.scale}", title_justify="left")
    for heading in ("", "column", "metric"):
        shown.add_column(heading)
    for heading in ("published", "modelled", "error"):
        shown.add_column(heading, justify="right")
    shown.add_column("")
    for cell in calibration.cells:
        style, kind = ("", "fitted") if cell.fitted else ("dim", "follows")
        figures = (f"{cell.published:,.0f}", f"{cell.modelled:,.0f}", f"{cell.error:+.1%}")
        shown.add_row(cell.compressor, cell.column, cell.metric, *figures, kind, style=style)
    return shown
