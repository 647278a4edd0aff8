"""`swaplab stress`: explore scenarios, ours or those of a file, and tell what was found."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from swaplab.cli.options import MOST_WORKERS
from swaplab.cli.outputs import WIDEST, console, writable, writing
from swaplab.cli.progress import progress_of
from swaplab.cli.refusals import refusals
from swaplab.cli.scenarios import chosen, replayed
from swaplab.cli.timeline import show_timeline
from swaplab.stress import Finding, Report, Scenario
from swaplab.stress.exploration import Exploration
from swaplab.stress.explore import begin
from swaplab.stress.page import page
from swaplab.stress.plan import parse_seeds
from swaplab.stress.processes import explore_in_processes, replay_in_process
from swaplab.stress.report import ENDED_BY_IT
from swaplab.stress.timeline import timeline
from swaplab.stress.token import from_argument, read, short, token
from swaplab.stress.words import duration

MOST_ROWS = 80
"""Of a timeline on a terminal."""


class Policy(StrEnum):
    """In which order what is ready runs."""

    FIFO = "fifo"
    SHUFFLE = "shuffle"
    PCT = "pct"


def stress(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="A scenario; all, campaigns or zoo; FILE.py or FILE.py::NAME."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="FROM:TO", help="Explore these seeds, TO not included; default: its own.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=MOST_WORKERS, help="Runs are made in so many processes; the result is the same.")
    ] = 2,
    policy: Annotated[Policy | None, typer.Option(help="Order of what is ready; default: the scenario's.")] = None,
    replay: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Repeat this one run; a file that holds a token does as well.")
    ] = None,
    shrink: Annotated[bool, typer.Option(help="Leave out of a run that failed whatever is not needed.")] = True,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", callback=writable, help="Write a page with timelines; -: stdout.")
    ] = None,
) -> None:
    """Run scenarios under many seeds, cancel each client at every event, and show the first run of each that failed.

    Ends with 0 if all held, 1 if not or if a `sometimes` was never reached, 2 if there is nothing to explore.
    docs/stress.md tells how to write a scenario.

    Takes a second for a small program on two cores, and minutes for `all`; with --seeds 0:20 the zoo takes 5 seconds.
    """
    with refusals("stress"):
        if replay is None:
            reports = _explored(chosen(names or []), seeds, policy, jobs, shrink)
        else:
            if seeds is not None or policy is not None:
                raise ValueError("--replay repeats one run as it was: leave out --seeds and --policy")
            reports = _replayed(names or [], from_argument(replay))
        found = {name: report.finding for name, report in reports.items() if report.finding is not None}
        commands = {
            name: _replay_command(name, replay or short(finding.token, Path()))
            for name, finding in found.items()
            if not finding.run.refused
        }
    with writing("stress", html, page(reports, commands) if html is not None else ""):
        _show(reports, commands)
    with refusals("stress"):
        for name, report in reports.items():
            if report.refused:
                raise ValueError(f"{name} can not be explored: {report.refused}")
    raise typer.Exit(0 if all(report.ok for report in reports.values()) else 1)


def _explored(
    scenarios: Mapping[str, Scenario], seeds: str | None, policy: str | None, jobs: int, shrink: bool
) -> dict[str, Report]:
    asked = {
        name: begin(scenario, None if seeds is None else parse_seeds(seeds), None if policy is None else str(policy))
        for name, scenario in scenarios.items()
    }
    with (
        _telling_what_was_found(asked),
        progress_of("seeds", sum(len(exploration.seeds) for exploration in asked.values())) as ran,
    ):
        explore_in_processes(list(asked.values()), jobs, smaller=shrink, ran=ran)
    return {name: exploration.report for name, exploration in asked.items()}


def _replayed(names: list[str], token: str) -> dict[str, Report]:
    name, scenario = replayed(names, token)
    return {name: replay_in_process(scenario, read(token, scenario.name))}


@contextmanager
def _telling_what_was_found(asked: Mapping[str, Exploration]) -> Iterator[None]:
    """Say to whoever interrupts us which runs have failed: it is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        for name, exploration in asked.items():
            if (failed := exploration.failed) is not None:
                said = f"{name} had failed: {_replay_command(name, token(exploration.scenario.name, failed.case))}"
                print(f"swaplab stress: {said}", file=sys.stderr)
        raise


def _replay_command(name: str, token: str) -> str:
    return f"swaplab stress {shlex.quote(name)} --replay {shlex.quote(token)}"


def _show(reports: Mapping[str, Report], commands: Mapping[str, str]) -> None:
    shown = console()
    for name, report in reports.items():
        if report.finding is not None and not report.refused:
            _show_finding(shown, report.finding, commands[name])
        elif report.not_reproducible:
            _say(shown, f"{name}: {report.not_reproducible}\n")
    _show_table(shown, reports)
    for name, report in reports.items():
        if report.unreached and report.finding is None:
            never = ", ".join(report.unreached)
            _say(shown, f"{name}: no run reached: {never}; take more seeds, or change the scenario until it gets there")
        if report.ended_by_it and report.finding is None:
            _say(shown, f"{name}: in {_number(report.ended_by_it, 'run')} {ENDED_BY_IT}")


def _show_finding(shown: Console, finding: Finding, command: str) -> None:
    _say(shown, "\n".join(finding.told()), style="bold red")
    print()
    bounded = shown if shown.width < WIDEST else Console(width=100)
    show_timeline(bounded, timeline(finding, MOST_ROWS))
    _say(shown, f"\nreplay: {command}\n")


def _say(shown: Console, text: str, style: str = "") -> None:
    """Print lines whole; the first in a style. What programs call themselves is no markup."""
    first, *others = text.split("\n")
    shown.print(Text(first, style), soft_wrap=True)
    for line in others:
        shown.print(Text(line), soft_wrap=True)


def _show_table(shown: Console, reports: Mapping[str, Report]) -> None:
    """A row for each scenario; a sentence for each where that is too wide."""
    table = _table(reports)
    if Console(width=WIDEST).measure(table).maximum <= shown.width:
        shown.print(table)
        return
    for name, report in reports.items():
        said = [f"{_number(report.runs, 'run')} of {_number(report.seeds, 'seed')}", _number(report.events, "event")]
        said += [f"{duration(report.time_ns)} of virtual time", f"{report.swallowed:,} swallowed"]
        said += [f"{what}: {times:,}" for what, times in report.reached.items()]
        shown.print(Text.assemble(name, ": ", _verdict(report), "; ", ", ".join(said)))


def _table(reports: Mapping[str, Report]) -> Table:
    table = Table()
    table.add_column("scenario")
    for heading in ("runs", "seeds", "events", "virtual time", "swallowed"):
        table.add_column(heading, justify="right")
    table.add_column("sometimes")
    table.add_column("verdict")
    for name, report in reports.items():
        sometimes = "\n".join(f"{what}: {times:,}" for what, times in report.reached.items())
        table.add_row(
            Text(name),
            f"{report.runs:,}",
            f"{report.seeds:,}",
            f"{report.events:,}",
            duration(report.time_ns),
            f"{report.swallowed:,}",
            Text(sometimes),
            _verdict(report),
        )
    return table


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _verdict(report: Report) -> Text:
    if report.ok:
        return Text(report.held, "green")
    if report.refused:
        return Text("refused", "red")
    if report.not_reproducible:
        return Text("not reproducible", "red")
    return Text("found" if report.finding is not None else "not reached", "red")
