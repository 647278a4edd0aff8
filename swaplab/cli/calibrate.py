"""`swaplab calibrate`: fit a testbed's fitted parameters to its published cells and write the file again."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from swaplab.cli.options import TestbedName, Workers, parse_scale
from swaplab.cli.outputs import writable, writing
from swaplab.cli.progress import progress_bar
from swaplab.cli.prose import printable
from swaplab.cli.refusals import refusals
from swaplab.cli.tables import print_whole
from swaplab.model.asked import MOST_SEED
from swaplab.model.testbed import Calibration, Testbed, TestbedError, load_testbed, testbed_file


def calibrate(
    testbed: TestbedName = "spr-2s-8iaa",
    scale: Annotated[str, typer.Option(help="Of the runs that are compared with published cells.")] = "1/64",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of the spread between processes.")] = 0,
    workers: Workers = 2,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", callback=writable, help="Write here; default: where the testbed was read."),
    ] = None,
) -> None:
    """Refit the parameters declared "fitted" to the published usemem cells; write them with the error of each.

    As shipped it takes about eight minutes on two cores; with --scale 1/1024 and --out FILE about one minute.
    """
    from swaplab.experiments.calibration import Fit  # numpy takes its time, and no other command needs it

    fraction = parse_scale(scale)
    with refusals("calibrate", TestbedError, ValueError):
        before = load_testbed(testbed)
        file = out or _own_file(testbed, before, fraction)
        with progress_bar("columns simulated") as ran:
            after = Fit(before, fraction, seed, workers, ran).run()
    with writing("calibrate", file, after.to_json()):
        print_whole(_parameters(before, after))
        if after.calibration is not None:
            print_whole(_residuals(after.calibration))
            worst = after.calibration.worst()
            where = f"{worst.metric} of {worst.compressor} {worst.column}"
            print(f"largest error of a fitted cell {worst.error:+.1%}: {where}")
        print(f"written to {printable(str(file))}")


def _own_file(name: str, testbed: Testbed, scale: Fraction) -> Path:
    """Where the testbed was read, if it may be written there; ValueError for a fit that is coarser than what is there.

    A trial at a small scale should not cost the numbers that everything else rests on.
    """
    before = testbed.calibration
    if before is not None and scale < Fraction(before.scale):
        raise ValueError(
            f"{name} was fitted at a scale of {before.scale}, and {scale} is coarser; "
            f"write elsewhere with --out FILE, or fit at {before.scale}"
        )
    file = testbed_file(name)
    try:
        writable(file)
    except typer.BadParameter as refused:
        raise ValueError(f"{refused.message} with --out") from None
    return file


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
