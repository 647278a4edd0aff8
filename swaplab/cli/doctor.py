"""`swaplab doctor`: what becomes of an accelerator configuration, before it is loaded anywhere."""

import sys
from collections import Counter
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iaa_emulator import ConfigurationError, DriverFeatures, preset
from iaa_emulator.driver.attributes import INT_MAX, INT_MIN
from swaplab.cli.diagnosis import Diagnosis, DoctorReport, diagnose, files_of
from swaplab.cli.options import JsonFile
from swaplab.cli.outputs import console, writing
from swaplab.cli.prose import printable
from swaplab.cli.refusals import refusals

COLOURS = {"usable": "green", "not usable": "red", "unreadable": "red"}
COLOURS |= {"the driver's": "green", "somebody else's": "dim", "impossible": "red"}
MOST_LINES = 100
"""Refusals of a file that are shown, and lines of advice."""


class Kernel(StrEnum):
    """The driver before the series, and with all of it."""

    BASE = "base"
    V8 = "v8"


def doctor(
    file: Annotated[
        Path, typer.Argument(help="What `accel-config save-config` wrote, a machine file, or a directory of them.")
    ],
    topology: Annotated[
        str | None, typer.Option(metavar="PRESET", help="Take the cpus of this preset; default: the file's own.")
    ] = None,
    kernel: Annotated[Kernel, typer.Option(help="The driver to examine it for.")] = Kernel.V8,
    g_wqs_per_iaa: Annotated[
        int | None,
        typer.Option(
            "--g-wqs-per-iaa", min=INT_MIN, max=INT_MAX, help="The driver's attribute of that name; default 0."
        ),
    ] = None,
    json: JsonFile = None,
) -> None:
    """Say what becomes of FILE: which queues are the driver's, what is refused and why, which cpu uses which queue.

    Ends with 0 if the file loads and the driver gets a queue, 1 if not, 2 if it cannot be read as a configuration; for
    a directory with the worst of its files. Takes about a second.
    """
    if g_wqs_per_iaa is not None and kernel is Kernel.BASE:
        raise typer.BadParameter(
            "the base has no such attribute, patch 9 brings it; leave it out, or take v8",
            param_hint="'--g-wqs-per-iaa'",
        )
    features = DriverFeatures.v8() if kernel is Kernel.V8 else DriverFeatures.base()
    with refusals("doctor", ConfigurationError):
        cpus = None if topology is None else preset(topology).topology
        found = [diagnose(one, features, g_wqs_per_iaa or 0, cpus) for one in files_of(file)]
    report = DoctorReport(swaplab=version("swaplab"), files=found)
    with writing("doctor", json, report.to_json()):
        _show(found, file.is_dir())
    raise typer.Exit(max((one.exit_status for one in found), default=2))


def _show(found: list[Diagnosis], many: bool) -> None:
    shown = console()
    for one in found:
        if one.status == "unreadable" and not many:
            print(f"swaplab doctor: {printable(one.summary)}", file=sys.stderr)
            continue
        _show_file(shown, one)
        if many:
            shown.print()
    if many:
        counts = Counter(one.status for one in found)
        said = ", ".join(f"{count} {status}" for status, count in counts.items())
        shown.print(f"{len(found)} files: {said or 'none to examine'}", highlight=False)


def _show_file(console: Console, one: Diagnosis) -> None:
    """Headline, queues with their outcomes, the map of cpus, refusals, advice; only the tables follow the width."""
    console.print(
        f"{_safe(one.file)}: [bold {COLOURS[one.status]}]{one.status}[/]: {_safe(one.summary)}",
        highlight=False,
        soft_wrap=True,
    )
    queues = _table("queue", "outcome", "")
    for queue in one.queues:
        queues.add_row(_safe(queue.queue), f"[{COLOURS[queue.outcome]}]{queue.outcome}[/]", _safe(queue.detail))
    cpus = _table("cpus", "package", "device", "compress, in order", "decompress")
    for row in one.map:
        cpus.add_row(row.cpus, row.package, row.device, " ".join(row.compress), " ".join(row.decompress))
    for table in (queues, cpus):
        if table.rows:
            console.print(table, highlight=False)
    _show_lines(console, [f"[red]{_safe(said.in_file(one.file))}[/]" for said in one.refusals])
    advice = [said.in_file(one.file) if said.key else said.text for said in one.advice]
    _show_lines(console, [f"[magenta]![/] {_safe(text)}" for text in advice])


def _safe(text: str) -> str:
    """What a file says, without being markup or control characters."""
    return escape(printable(text))


def _show_lines(console: Console, lines: list[str]) -> None:
    """Each line whole, so that it can be searched for; and not thousands of them."""
    for line in lines[:MOST_LINES]:
        console.print(line, highlight=False, soft_wrap=True)
    if len(lines) > MOST_LINES:
        console.print(f"... and {len(lines) - MOST_LINES} more; --json writes all of them", highlight=False)


def _table(*titles: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table
