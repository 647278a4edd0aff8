"""`swaplab doctor`: what becomes of an accelerator configuration, before it is loaded anywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from iaa_emulator import ConfigurationError, DriverFeatures, MachineConfig, preset
from iaa_emulator.hardware.config import load
from iaa_emulator.verdict import Verdict, examine
from swaplab.cli.refusals import refusals


class Kernel(StrEnum):
    """The driver before the series, and with all of it."""

    BASE = "base"
    V8 = "v8"


def doctor(
    file: Annotated[Path, typer.Argument(help="What `accel-config save-config` wrote, or a machine file.")],
    topology: Annotated[
        str | None, typer.Option(metavar="PRESET", help="Take the cpus of this preset; default: the file's own.")
    ] = None,
    kernel: Annotated[Kernel, typer.Option(help="The driver to examine it for.")] = Kernel.V8,
    g_wqs_per_iaa: Annotated[int, typer.Option("--g-wqs-per-iaa", help="The driver's attribute of that name.")] = 0,
) -> None:
    """Say what the driver makes of FILE: refused or not and why, which cpu uses which queue, and what to change."""
    features = DriverFeatures.v8() if kernel is Kernel.V8 else DriverFeatures.base()
    with refusals("doctor", ConfigurationError):
        machine = load(file)
        if topology is not None:
            machine = machine.model_copy(update={"topology": preset(topology).topology})
        verdict = examine(machine, features, g_wqs_per_iaa)
    _show(Console(), machine, verdict)
    if not verdict.usable:
        raise typer.Exit(1)


def _show(console: Console, machine: MachineConfig, verdict: Verdict) -> None:
    if not verdict.accepted:
        console.print(f"[bold red]refused[/]: {len(verdict.refusals)} of the settings cannot be", highlight=False)
        for refusal in verdict.refusals:
            console.print(f"\n{escape(refusal.cause)}\n  [green]{escape(refusal.remedy)}[/]", highlight=False)
        return
    if not verdict.usable:
        console.print("[bold red]nothing to bind[/]: no setting is refused, and none is of use", highlight=False)
        _advise(console, verdict)
        return
    where = machine.topology
    console.print(
        f"[bold green]accepted[/]: {len(machine.devices)} devices; {where.nr_cpus} cpus in {where.packages} packages,"
        f" {where.numa_nodes} NUMA nodes",
        highlight=False,
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("cpus", "package", "device", "compress, in order", "decompress"):
        table.add_column(title, overflow="fold")
    for row in verdict.rows:
        table.add_row(row.cpus, row.package, row.device, " ".join(row.compress), " ".join(row.decompress))
    console.print(table, highlight=False)
    _advise(console, verdict)


def _advise(console: Console, verdict: Verdict) -> None:
    for line in verdict.advice:
        console.print(f"[yellow]![/] {escape(line)}", highlight=False)
