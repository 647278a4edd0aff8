"""How far a command is: a bar on a terminal, gone when the results come; elsewhere a line on stderr now and then."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.theme import Theme

FIRST_LINE_S = 2.0
LINE_S = 10.0
NARROW = 60
"""Real seconds until the first line, and between any two; columns that a whole bar needs."""

Ran = Callable[[int], None]
"""Called with the number of steps done since the last call."""


@contextmanager
def progress_of(what: str, total: int | None = None) -> Iterator[Ran]:
    """Show how many of `what` are done, of `total` (None: nobody knows how many)."""
    console = Console(stderr=True, theme=Theme({"progress.elapsed": "none"}))  # else yellow, unreadable on white
    if not console.is_terminal:
        with _lines(what, total) as ran:
            yield ran
        return
    bar = Progress(*_form(what, total, console.width), console=console, transient=True, expand=True)
    try:
        with _threads_without_signals():
            bar.start()
        task = bar.add_task("", total=total)
        yield lambda steps: bar.advance(task, steps)
    finally:
        bar.stop()


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """The same for steps that are done one by one."""
    with progress_of(what, total) as ran:
        yield lambda: ran(1)


def _form(what: str, total: int | None, width: int) -> list[ProgressColumn]:
    """What every bar says, in one order: a time without its name could be either. The bar takes what room is left.

    A terminal below NARROW columns shows neither the bar nor what remains.
    """
    bar, figures = BarColumn(bar_width=None), (MofNCompleteColumn, TimeElapsedColumn, TimeRemainingColumn)
    done, elapsed, remaining = (figure(table_column=Column(no_wrap=True)) for figure in figures)
    if width < NARROW:
        return [TextColumn(what), done, TextColumn("elapsed"), elapsed]
    form = [TextColumn(what), bar, done, TextColumn("elapsed"), elapsed]
    return form if total is None else [*form, TextColumn("remaining"), remaining]


@contextmanager
def _lines(what: str, total: int | None) -> Iterator[Ran]:
    """A line after two seconds and then every ten, whatever the command is busy with; none for what is done sooner.

    If there was any, a last one says how much was done in the end: not all, where the answer came earlier.
    """
    done, told = 0, False
    began = monotonic()
    over = threading.Event()

    def ran(steps: int) -> None:
        nonlocal done
        done += steps

    def say(end: str = "") -> None:
        of_all = "" if total is None else f" of {total:,}"
        with suppress(OSError):  # nobody listens
            print(f"{what}: {done:,}{of_all} after {monotonic() - began:.0f} s{end}", file=sys.stderr, flush=True)

    def tell() -> None:
        nonlocal told
        pause = FIRST_LINE_S
        while not over.wait(pause):
            say()
            told = True
            pause = LINE_S

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    with _threads_without_signals():
        teller.start()
    try:
        yield ran
    finally:
        over.set()
        teller.join()
    if told:
        say(", done")


@contextmanager
def _threads_without_signals() -> Iterator[None]:
    """For threads that are started inside: one of them could take a signal while the main thread has it blocked.

    Which it has while it starts a worker, and must not be interrupted.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
