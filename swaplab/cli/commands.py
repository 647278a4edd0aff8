"""The commands, one file each, and what holds for all of them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from importlib.metadata import version
from io import UnsupportedOperation
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from swaplab.cli.ablate import ablate
from swaplab.cli.calibrate import calibrate
from swaplab.cli.chain import chain
from swaplab.cli.doctor import doctor
from swaplab.cli.kernbench import kernbench
from swaplab.cli.nbd import HELP, nbd
from swaplab.cli.outputs import flush_stdout, is_full
from swaplab.cli.reclaim_batching import reclaim_batching
from swaplab.cli.refusals import refusals
from swaplab.cli.refused_value import Command
from swaplab.cli.script import script
from swaplab.cli.serve import serve
from swaplab.cli.store import store
from swaplab.cli.stress import stress
from swaplab.cli.sweep import sweep
from swaplab.cli.usemem import usemem

__all__ = ["app"]


class Commands(TyperGroup):
    """Whatever a command meets that it does not know itself ends it with one line and exit code 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments, which may print help; nothing is begun where nothing can be printed."""
        with refusals(""):
            _room_on_stdout()
            with _all_printed():
                return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with refusals(lambda: ctx.invoked_subcommand or ""), _all_printed():
            return super().invoke(ctx)


@contextmanager
def _all_printed() -> Iterator[None]:
    """Bring out what is printed inside, however it ends; OSError when that cannot be."""
    try:
        yield
    finally:
        flush_stdout()


def _room_on_stdout() -> None:
    """OSError if stdout is known to take nothing."""
    with suppress(UnsupportedOperation):
        if is_full(sys.stdout.fileno()):
            raise OSError(ENOSPC, os.strerror(ENOSPC), "stdout")


app = typer.Typer(
    cls=Commands,
    name="swaplab",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(cls=Command)(store)
app.command(cls=Command)(chain)
app.command(cls=Command)(script)
app.command(cls=Command)(doctor)
app.command(cls=Command)(usemem)
app.command(cls=Command)(kernbench)
app.command(cls=Command)(calibrate)
app.command(cls=Command)(ablate)
app.command(cls=Command)(sweep)
app.command(cls=Command)(stress)
app.command(cls=Command)(reclaim_batching)
app.command(cls=Command)(serve)
app.command(cls=Command, help=HELP, short_help="Serve a compressed block device that any NBD client can use.")(nbd)


def _version(asked: bool) -> None:
    if asked:
        print(f"swaplab {version('swaplab')}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is, and exit.")
    ] = False,
) -> None:
    """An asyncio emulation of acomp request chaining, Intel IAA accelerators and zswap."""
