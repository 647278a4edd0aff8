"""`swaplab store`: real bytes into the compressed store and back, one table per compressor."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.table import Table

import acomp
from swaplab.cli.options import FolioSize, JsonFile
from swaplab.cli.outputs import writing
from swaplab.cli.progress import progress_of
from swaplab.cli.prose import print_prose, printable
from swaplab.cli.refusals import refusals
from swaplab.cli.tables import print_whole
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.realbytes.comparison import Comparison, Report, StoreColumn, compare
from swaplab.realbytes.counters import CountersColumn, CountersReport, count
from swaplab.realbytes.hardware import hardware
from swaplab.realbytes.inputs import InputError, read_pages

PAGES = "pages"
"""What the progress is counted in: each page of each run is stored and read back, so it counts twice."""


class FeatureSet(StrEnum):
    """Kernels whose counters can be asked for: a released one, the series' base, and all of the series."""

    RELEASED = "6.12"
    BASE = "base"
    V8 = "v8"


def store(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="INPUT...", help="Files or directories; default: Python's own library."),
    ] = None,
    folio: Annotated[FolioSize, typer.Option(help="How much is stored at a time.")] = FolioSize.MEDIUM,
    compressor: Annotated[
        list[str], typer.Option(help="An algorithm's name or driver name; give it again for another table.")
    ] = ["deflate-iaa", "zstd"],  # noqa: B006 (typer copies it)
    features: Annotated[
        FeatureSet | None, typer.Option(help="Count as a kernel with these features does, instead of timing.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Store INPUT as folios, page by page and in chains; read every page back and compare every byte.

    With --features everything goes through the swap layer once, in order, by one task: a kernel's counters, no times.

    As it is, it takes about half a minute on two cores; with a smaller INPUT, or with --features v8, some seconds.
    """
    compressors = list(dict.fromkeys(compressor))
    with refusals("store", InputError, acomp.AlgorithmNotFoundError):
        with progress_of("pages read") as read:
            pages = read_pages(inputs or [], read)
        folios = pages.folios(FOLIO_PAGES[folio])
        run = _compare(folios, folio, compressors) if features is None else _count(folios, folio, compressors, features)
        report: Report | CountersReport = uvloop.run(run)
    left_out = f"; {pages.skipped} left out ({pages.first_skipped})" if pages.skipped else ""
    with writing("store", json, report.model_dump_json(by_alias=True, indent=2) + "\n"):
        print(printable(f"{pages.files} files, {len(pages)} pages, folios of {folio}{left_out}"))
        for table in [_counters_table(report)] if isinstance(report, CountersReport) else _tables(report):
            print_whole(table)
        if isinstance(report, Report):
            print_prose(*_explained(report))
        print(f"{report.verified_pages} pages, {report.verified_bytes} bytes verified, {report.differing_pages} differ")
    if report.differing_pages:
        raise typer.Exit(1)


async def _compare(folios: list[memoryview], folio: str, compressors: list[str]) -> Report | CountersReport:
    async with hardware(compressors):
        comparison = Comparison(folios, FOLIO_PAGES[folio], compressors)
        columns = sum(map(len, comparison.modes().values()))
        with progress_of(PAGES, comparison.steps(columns)) as progress:
            return await compare(replace(comparison, progress=progress), folio)


async def _count(
    folios: list[memoryview], folio: str, compressors: list[str], features: str
) -> Report | CountersReport:
    nr_pages = FOLIO_PAGES[folio]
    async with hardware(compressors):
        with progress_of(PAGES, 2 * len(folios) * nr_pages * len(compressors)) as progress:
            return await count(folios, nr_pages, compressors, features, folio, progress)


def _counters_table(report: CountersReport) -> Table:
    table = Table(title=f"kernel {report.features}: counters after the last store", title_justify="left")
    fields = [name for name in CountersColumn.model_fields if name != "compressor"]
    for name in ("compressor", *fields):
        table.add_column(name.replace("_", "_\n", 1), justify="left" if name == "compressor" else "right")
    for column in report.columns:
        table.add_row(column.compressor, *(f"{getattr(column, name):,}" for name in fields))
    return table


def _explained(report: Report) -> Iterator[str]:
    """What the tables do not say of themselves; only of what is in them."""
    names = list(dict.fromkeys(column.compressor for column in report.columns))
    batching = [column.compressor for column in report.columns if column.mode == "batching"]
    emulated = " and ".join(dict.fromkeys(batching))
    if batching:
        yield (
            f"These are real seconds of an emulation: this host's cpus do the work of {emulated}, "
            "so that software such as zstd may well be faster. What the real machine would do: swaplab usemem."
        )
    alone = " and ".join(name for name in names if name not in batching)
    if alone and batching:
        yield f"There is no batching column for {alone}: software compresses page by page and asks for no chains."
    if any(column.rejected_pages for column in report.columns):
        yield (
            "A folio is kept whole or rejected whole. In brackets are the kernel's counters of pages that failed: "
            "page by page the first one ends its folio, while a chain is finished and each that fails in it counts."
        )
    yield "The ratio is that of the pool: bytes stored over all of its memory, with what its size classes lose."


def _tables(report: Report) -> list[Table]:
    return [_table(report, name) for name in dict.fromkeys(column.compressor for column in report.columns)]


def _table(report: Report, compressor: str) -> Table:
    columns = [column for column in report.columns if column.compressor == compressor]
    modes = list(dict.fromkeys(column.mode for column in columns))
    table = Table(title=compressor, title_justify="left")
    table.add_column("")
    for mode in modes:
        table.add_column(mode, justify="right")
    for tasks in dict.fromkeys(column.tasks for column in columns):
        group = [column for column in columns if column.tasks == tasks]
        table.add_row(f"[bold]{tasks} storing task{'s' if tasks > 1 else ''}[/bold]")
        for label, cells in _rows(report, group):
            table.add_row(f"  {label}", *cells)
        table.add_section()
    return table


def _rows(report: Report, group: list[StoreColumn]) -> Iterator[tuple[str, list[str]]]:
    timings = [report.timing(column) for column in group]
    yield "pages", [f"{column.pages:,}" for column in group]
    yield "stored", [f"{column.stored_pages:,}" for column in group]
    yield "rejected", [_rejected(column) for column in group]
    yield "ratio", ["-" if column.ratio is None else f"{column.ratio:.2f}" for column in group]
    yield "pool size, MiB", [f"{column.pool_total_size / 2**20:,.1f}" for column in group]
    yield "pages/s, median", [f"{timing.median:,.0f}" for timing in timings]
    yield "  lowest, highest", [f"{min(t.pages_per_s):,.0f}, {max(t.pages_per_s):,.0f}" for t in timings]
    if len(timings) > 1:
        yield "speed-up", [f"{timing.median / timings[0].median:.2f} x" for timing in timings]


def _rejected(column: StoreColumn) -> str:
    """Pages of rejected folios, and which of the kernel's counters say why (they count failing pages)."""
    reasons = {
        "compress_fail": column.reject_compress_fail,
        "compress_poor": column.reject_compress_poor,
        "other": column.reject_other,
    }
    why = ", ".join(f"{name} {count:,}" for name, count in reasons.items() if count)
    return f"{column.rejected_pages:,}" + (f" ({why})" if why else "")
