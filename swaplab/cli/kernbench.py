"""`swaplab kernbench`: the series' table of the kernel build, made in virtual time."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from swaplab.cli.store import FolioSize
from swaplab.cli.usemem import parse_scale, table
from swaplab.columns import ColumnError, parse_columns
from swaplab.experiments.kernbench import kernbench_report
from swaplab.experiments.tables import Request
from swaplab.machine import COMPRESSORS
from swaplab.testbed import TestbedError, load_testbed

ROWS = {
    "real_s": "real, s",
    "user_s": "user, s",
    "sys_s": "sys, s",
    "zswpout": "zswpout",
    "zswpin": "zswpin",
    "pswpout": "pswpout",
    "pswpin": "pswpin",
    "swpout_fallback": "fallback {size}",
    "pgmajfault": "pgmajfault",
    "ZSWPOUT": "ZSWPOUT-{size}",
    "SWPOUT": "SWPOUT-{size}",
}


def kernbench(
    testbed: Annotated[str, typer.Option(help="A testbed's name, or a testbed file.")] = "spr-2s-8iaa",
    folio: Annotated[FolioSize, typer.Option(help="Size of large folios; 64K has known counts.")] = FolioSize.MEDIUM,
    compressor: Annotated[str, typer.Option(help="deflate-iaa or zstd.")] = "deflate-iaa",
    columns: Annotated[str, typer.Option(help="base, v8, or both.")] = "base,v8",
    patches: Annotated[str | None, typer.Option(metavar="LIST", help="Any of 1..14, as a column beside base.")] = None,
    scale: Annotated[str, typer.Option(help="Of pages, memory.max and times; results are scaled back.")] = "1/1024",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; default: the testbed's 32.")] = None,
    devices: Annotated[int, typer.Option(min=1, max=64, help="IAA devices of the machine.")] = 8,
    wqs: Annotated[
        int | None, typer.Option(min=1, max=8, help="Work queues per device; default: the column's.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=8, help="Pages per chain.")] = 8,
    sync_mode: Annotated[str, typer.Option(help="sync, async or async_irq.")] = "async",
    seed: Annotated[int, typer.Option(help="Of pages' contents, of who computes how long, and of who comes back.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Columns run in so many processes; the result is the same.")] = 1,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table to FILE as well.")] = None,
) -> None:
    """Build a kernel in 2 GiB on the modelled machine: the published base column's pages, and the times predicted."""
    fraction = parse_scale(scale)
    if compressor not in COMPRESSORS:
        raise typer.BadParameter(f"{compressor!r} is not modelled; there are {' and '.join(COMPRESSORS)}")
    try:
        chosen = parse_columns(columns, patches)
        load_testbed(testbed)
        requests = [
            Request(testbed, column, compressor, folio, fraction, seed, threads, devices, wqs, batch, sync_mode)
            for column in chosen
        ]
        report = kernbench_report(requests, workers)
    except (ColumnError, TestbedError, ValueError) as error:
        print(f"swaplab kernbench: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    if patches is not None:
        print("patches, with what they need: " + ", ".join(map(str, sorted(chosen[-1].patches))))
    default_machine = (threads, devices, wqs, batch, sync_mode) == (None, 8, None, 8, "async")
    Console().print(table(report, default_machine, ROWS, "kernel build", digits=1))
    if json is not None:
        json.write_text(report.to_json())
