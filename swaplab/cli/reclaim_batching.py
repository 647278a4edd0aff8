"""`swaplab reclaim-batching`: what chains across folios would bring."""

from typing import Annotated

import typer
from rich.table import Table

import zswap
from swaplab.cli.options import MOST_WORKERS, JsonFile, TestbedName, parse_counts
from swaplab.cli.outputs import console, writing
from swaplab.cli.progress import progress_bar
from swaplab.cli.refusals import refusals
from swaplab.cli.tables import print_whole
from swaplab.experiments.reclaim_batching import CHAINS, PROCESSES, ReclaimReport, reclaim_report
from swaplab.model.testbed import MOST_PROCESSES, TestbedError, load_testbed


def reclaim_batching(
    testbed: TestbedName = "spr-2s-8iaa",
    procs: Annotated[str, typer.Option(metavar="LIST", help="Numbers of processes.")] = ",".join(map(str, PROCESSES)),
    chains: Annotated[str, typer.Option(metavar="LIST", help="Pages per chain.")] = ",".join(map(str, CHAINS)),
    devices: Annotated[int, typer.Option(min=1, max=16, help="Accelerators of the whole machine.")] = 8,
    workers: Annotated[
        int, typer.Option(min=1, max=MOST_WORKERS, help="Trials run in so many processes; the result is the same.")
    ] = 2,
    json: JsonFile = None,
) -> None:
    """Swap 4 KiB folios out in chains across folios, which the series announced; a chain of 1 is what v8 does.

    As it is, it takes about a quarter of a minute on two cores; with --procs 1,8 five seconds.
    """
    with refusals("reclaim-batching", TestbedError, ValueError):
        load_testbed(testbed)
        counts = sorted(parse_counts("--procs", procs, MOST_PROCESSES))
        lengths = sorted(parse_counts("--chains", chains, zswap.LONGEST_CHAIN))
        with progress_bar("trials", len(counts) * len(lengths)) as ran:
            report = reclaim_report(testbed, counts, lengths, devices, workers, ran)
    with writing("reclaim-batching", json, report.to_json()):
        shown = console()
        shown.print(
            f"4 KiB folios swapped out, thousands of pages per second, {report.devices} devices", highlight=False
        )
        print_whole(_table(report, counts, lengths))
        for count in counts:
            shown.print(report.sentence(count), highlight=False)


def _table(report: ReclaimReport, counts: list[int], lengths: list[int]) -> Table:
    shown = Table()
    shown.add_column("pages per chain", justify="right")
    for count in counts:
        shown.add_column(f"{count} process{'es' * (count > 1)}", justify="right")
    for length in lengths:
        cells = []
        for count in counts:
            finding, first = report.finding(count, length), report.finding(count, lengths[0])
            failed = f", {finding.failed_pages} failed" if finding.failed_pages else ""
            cells.append(
                f"{finding.pages_per_s / 1000:,.0f} ({finding.pages_per_s / first.pages_per_s - 1:+.0%}){failed}"
            )
        shown.add_row(str(length), *cells)
    return shown
