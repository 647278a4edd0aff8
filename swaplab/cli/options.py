"""Options that several commands have, said once: types for their signatures, and what is made of their values."""

import os
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

import zswap
from iaa_emulator.hardware.config import MAX_WORK_QUEUES
from swaplab.cli.outputs import writable
from swaplab.experiments.tables import Request, check_batch
from swaplab.model import asked
from swaplab.model.columns import parse_columns
from swaplab.model.machine import MOST_DEVICES
from swaplab.model.testbed import COMPRESSORS, load_testbed


class SyncMode(StrEnum):
    """The driver's modes: `async` runs a chain in parallel, the others serially."""

    SYNC = "sync"
    ASYNC = "async"
    ASYNC_IRQ = "async_irq"


class Interface(StrEnum):
    """How pages go to the compressor (docs/generations.md)."""

    CHAIN = "chain"
    ARRAY = "array"
    UNIT = "unit"


class FolioSize(StrEnum):
    """The folio sizes of the series: a single page, an mTHP, a PMD-mapped one."""

    SMALL = "4K"
    MEDIUM = "64K"
    LARGE = "2M"


TestbedName = Annotated[str, typer.Option(help="A testbed's name, or a testbed file.")]
Compressor = Annotated[str, typer.Option(help="deflate-iaa or zstd.")]
Columns = Annotated[
    str | None, typer.Option(metavar="LIST", help="Of base, v8, v9, v14; default: base,v8, or base beside --patches.")
]
Patches = Annotated[str | None, typer.Option(metavar="LIST", help="Any of 1..14, as a column of their own.")]
Devices = Annotated[
    int, typer.Option(min=1, max=MOST_DEVICES, help="IAA devices of the machine, spread over its packages.")
]
WorkQueues = Annotated[
    int | None, typer.Option(min=1, max=MAX_WORK_QUEUES, help="Work queues per device; default: the column's.")
]
Batch = Annotated[
    int,
    typer.Option(min=1, max=zswap.LONGEST_CHAIN, help="Pages per chain, at most a folio; the kernel stops at 8."),
]
MOST_WORKERS = 4 * (os.cpu_count() or 1)
"""Processes that compute all the time: with more than cpus nothing is won."""
Workers = Annotated[
    int, typer.Option(min=1, max=MOST_WORKERS, help="Columns run in so many processes; the result is the same.")
]
JsonFile = Annotated[
    Path | None, typer.Option(metavar="FILE", callback=writable, help="Write the figures to FILE as well; -: stdout.")
]


SCALE = "'--scale'"
"""What refusals of a scale name."""


def parse_scale(text: str) -> Fraction:
    """A scale such as 1/64; typer.BadParameter for what is none."""
    try:
        return asked.parse_scale(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=SCALE) from None


def parse_counts(option: str, text: str, most: int) -> list[int]:
    """The numbers of a list, in its order; ValueError names the option and says what to write instead."""
    try:
        return asked.parse_numbers(text, most)
    except ValueError:
        raise ValueError(
            f"{option} takes numbers from 1 to {most:,} such as 8 or 1,8,16, not {asked.quoted(text)}"
        ) from None


def known_compressor(name: str) -> str:
    """`name`, if the modelled machine has costs for it; typer.BadParameter otherwise."""
    if name not in COMPRESSORS:
        modelled = " and ".join(COMPRESSORS)
        raise typer.BadParameter(f"{name!r} is not modelled; there are {modelled}", param_hint="'--compressor'")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What a table of modelled columns was asked for: the options that its commands share, as they were given."""

    testbed: str
    folio: FolioSize
    compressor: str
    columns: str | None
    patches: str | None
    scale: str
    seed: int
    processes: int | None
    devices: int
    wqs: int | None
    batch: int
    sync_mode: SyncMode
    pinned: bool = True

    def requests(self) -> list[Request]:
        """The columns of the table, in its order; BadParameter, ColumnError or TestbedError for what cannot be run."""
        scale, compressor = parse_scale(self.scale), known_compressor(self.compressor)
        columns = parse_columns(self.columns, self.patches)
        if self.batch != zswap.ZSWAP_MAX_BATCH_SIZE:  # the kernel's bound, so never more than it would do anyway
            check_batch(self.batch, self.folio)
        testbed = load_testbed(self.testbed)
        return [
            Request(
                testbed=testbed,
                column=column,
                compressor=compressor,
                folio=self.folio,
                scale=scale,
                seed=self.seed,
                processes=self.processes,
                devices=self.devices,
                wqs=self.wqs,
                batch=self.batch,
                sync_mode=self.sync_mode.value,
                pinned=self.pinned,
            )
            for column in columns
        ]
