"""A progress bar on a terminal, nothing elsewhere; gone when the results come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

Ran = Callable[[int], None]
"""Called with the number of steps done since the last call."""


@contextmanager
def progress_of(what: str, total: int | None = None) -> Iterator[Ran]:
    """Show how many of `what` are done, of `total` (None: nobody knows how many)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda steps: None
        return
    with Progress(*_form(what, total), console=console, transient=True, expand=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """The same for steps that are done one by one."""
    with progress_of(what, total) as ran:
        yield lambda: ran(1)


def _form(what: str, total: int | None) -> list[ProgressColumn]:
    """What every bar says, in one order: a time without its name could be either. The bar takes what room is left."""
    bar, figures = BarColumn(bar_width=None), (MofNCompleteColumn, TimeElapsedColumn, TimeRemainingColumn)
    done, elapsed, remaining = (figure(table_column=Column(no_wrap=True)) for figure in figures)
    form = [TextColumn(what), bar, done, TextColumn("elapsed"), elapsed]
    return form if total is None else [*form, TextColumn("remaining"), remaining]
