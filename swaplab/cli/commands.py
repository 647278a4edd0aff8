"""The commands, one file each, and what holds for all of them."""

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from errno import ENOSPC
from importlib import import_module
from io import UnsupportedOperation
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from swaplab.cli import say_which_extra
from swaplab.cli.outputs import flush_stdout, is_full
from swaplab.cli.refusals import refusals
from swaplab.cli.refused_value import Command

__all__ = ["app"]


NAMES = (
    "store",
    "chain",
    "script",
    "doctor",
    "usemem",
    "kernbench",
    "calibrate",
    "ablate",
    "sweep",
    "stress",
    "reclaim-batching",
    "serve",
    "nbd",
)
"""All commands, in the order of `--help`. Each is a function of that name in a file of that name."""


class OnDemand(Mapping[str, Any]):
    """The commands by name, each imported when it is asked for: none waits for the libraries of the others.

    A file may have a HELP and a SHORT_HELP instead of its function's docstring.
    """

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)

    def __getitem__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _imported(name)
        return self._made[name]


def _imported(name: str) -> Any:
    called = name.replace("-", "_")
    try:
        module = import_module(f"swaplab.cli.{called}")
    except ModuleNotFoundError as missing:
        say_which_extra(missing)
        raise
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    register = alone.command(
        name, cls=Command, help=getattr(module, "HELP", None), short_help=getattr(module, "SHORT_HELP", None)
    )
    register(getattr(module, called))
    return typer.main.get_command(alone)


class Commands(TyperGroup):
    """Whatever a command meets that it does not know itself ends it with one line and exit code 2."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast(MutableMapping[str, Any], OnDemand())

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


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # here, for it takes 3 MiB, which a server would keep

        print(f"swaplab {version('swaplab')}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is, and exit.")
    ] = False,
) -> None:
    """An asyncio emulation of acomp request chaining, Intel IAA accelerators and zswap."""
