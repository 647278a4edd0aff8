"""`swaplab ablate`: which patch of the series did what."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from swaplab.cli.options import (
    Compressor,
    FolioSize,
    JsonFile,
    TestbedName,
    Workers,
    known_compressor,
    parse_counts,
    parse_scale,
)
from swaplab.cli.outputs import writable, writing
from swaplab.cli.progress import progress_bar
from swaplab.cli.prose import print_prose
from swaplab.cli.refusals import refusals
from swaplab.cli.tables import print_whole
from swaplab.experiments import scales
from swaplab.experiments.attribution import (
    CONTRADICTION,
    SERIES_PLATFORM,
    Attribution,
    PatchEffect,
    Plan,
    attribute,
    numbers,
    processes,
)
from swaplab.experiments.usemem import KIB_PER_GIB
from swaplab.model.asked import MOST_SEED
from swaplab.model.testbed import MOST_PROCESSES, TestbedError, load_testbed

PICTURES = (".png", ".svg")


def pictures(files: list[Path] | None) -> list[Path]:
    """The files, if all can be drawn; typer.BadParameter otherwise."""
    for file in files or []:
        if file.suffix.lower() not in PICTURES:
            raise typer.BadParameter(f"{file}: a picture ends in {' or '.join(PICTURES)}")
        writable(file)
    return files or []


def ablate(
    testbed: TestbedName = "spr-2s-8iaa",
    folio: Annotated[FolioSize, typer.Option(help="Size of the folios.")] = FolioSize.MEDIUM,
    compressor: Compressor = "deflate-iaa",
    procs: Annotated[str, typer.Option(metavar="LIST", help="Numbers of processes.")] = "30,16,8,1",
    scale: Annotated[str, typer.Option(help="Of pages, memory.high and sleep.")] = "1/512",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Of the spread between processes.")] = 0,
    workers: Workers = 2,
    plot: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", callback=pictures, help="Draw the waterfall into FILE, .png or .svg; repeatable."),
    ] = None,
    json: JsonFile = None,
) -> None:
    """Run every patch alone, in the order of the series, and left out; say which carries which share of the gain.

    As it is, it takes about seven minutes on two cores with nothing else to do; with --scale 1/4096 about one minute.
    """
    with refusals("ablate", TestbedError, ValueError):
        machine, codec = load_testbed(testbed), known_compressor(compressor)
        counts = parse_counts("--procs", procs, MOST_PROCESSES)
        plan = Plan(machine, parse_scale(scale), tuple(counts), codec, folio, seed)
        with progress_bar("columns", len(plan.requests())) as ran:
            report = attribute(plan, workers, ran)
    with writing("ablate", json, report.to_json()):
        for attribution in report.attributions:
            print_whole(_table(attribution), beside=2)
        print_prose(
            *_company(report.attributions[0]),
            *(attribution.sentence() for attribution in report.attributions),
            scales.sentence("usemem", [report.folio], plan.scale),
            *(CONTRADICTION if machine.platform == SERIES_PLATFORM and report.contradicts_the_author() else ()),
        )
        if plot:
            from swaplab.experiments.pictures.waterfall import draw  # takes a second to import

            with refusals("ablate"):
                for file in plot:
                    draw(report, file)


def _table(attribution: Attribution) -> Table:
    base, v8 = attribution.base_kbps / KIB_PER_GIB, attribution.v8_kbps / KIB_PER_GIB
    ends = f"base {base:.2f} GiB/s, v8 {v8:.2f} GiB/s ({attribution.gain:+.1%})"
    shown = Table(title=f"{processes(attribution.processes)}: {ends}", title_justify="left")
    shown.add_column("", justify="right")
    shown.add_column("patch", no_wrap=True)
    for heading in ("alone", "in order", "share", "left out"):
        shown.add_column(heading, justify="right")
    before = attribution.base_kbps
    for effect in attribution.patches:
        shown.add_row(*_row(attribution, effect, before))
        before = effect.up_to_kbps
    return shown


def _company(attribution: Attribution) -> Iterator[str]:
    """Which patches never come or go alone."""
    brought = [f"{effect.patch} with {numbers(effect.brings)}" for effect in attribution.patches if effect.brings]
    taken = [f"{effect.patch} with {numbers(effect.takes)}" for effect in attribution.patches if effect.takes]
    yield f"alone means with what a patch needs: {'; '.join(brought)}."
    yield f"left out means with all that need it: {'; '.join(taken)}."


def _row(attribution: Attribution, effect: PatchEffect, before: float) -> list[str]:
    return [
        str(effect.patch),
        effect.title,
        _percent(effect.alone_kbps / attribution.base_kbps - 1),
        _percent(effect.up_to_kbps / before - 1),
        _percent(effect.share),
        _percent(effect.without_kbps / attribution.v8_kbps - 1),
    ]


def _percent(change: float) -> str:
    return f"{change:+.1%}" if abs(change) >= 0.0005 else "-"
