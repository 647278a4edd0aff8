"""`swaplab script`: run calls with the kernel's names that stand in a file."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from swaplab.cli import script_calls
from swaplab.cli.pictures import show, width_of
from swaplab.cli.refusals import refusals
from swaplab.story import bounds
from swaplab.story.picture import draw_run
from swaplab.story.run import run_script
from swaplab.story.script import Script
from swaplab.story.shelf import SHELF
from swaplab.story.transcript import transcript
from swaplab.story.validate import nearest, read_script

STYLES: Final = {"call": "bold", "note": "", "error": "bold red", "explained": "dim"}
"""Colours that can be read on black and on white."""


def _print_calls(asked: bool) -> None:
    if asked:
        print("\n".join(script_calls.listing()))
        raise typer.Exit


def _print_examples(asked: bool) -> None:
    if asked:
        print("\n".join(script_calls.examples()))
        raise typer.Exit


def script(
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="A script, as JSON; - is stdin.")] = None,
    example: Annotated[
        str | None, typer.Option("--example", metavar="NAME", help="Run one that comes along, in the place of a file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON (swaplab.script-run/1).")] = False,
    calls: Annotated[  # noqa: ARG001 (its callback has printed them)
        bool,
        typer.Option(
            "--calls", callback=_print_calls, is_eager=True, help="List what a script can consist of, and exit."
        ),
    ] = False,
    examples: Annotated[  # noqa: ARG001 (likewise)
        bool,
        typer.Option(
            "--examples", callback=_print_examples, is_eager=True, help="List those that come along, and exit."
        ),
    ] = False,
) -> None:
    """Run calls with the kernel's names, one after the other, and say of each what it did. Takes about a second.

    The smallest script that works:

    \b
    {"schema": "swaplab.script/1", "pages": {"p": {"text": "hello "}}, "calls": [
     {"call": "crypto_alloc_acomp", "args": ["deflate-iaa"], "as": "tfm"},
     {"call": "CryptoWait", "as": "wait"},
     {"call": "acomp_request_alloc", "args": [{"ref": "tfm"}], "as": "req"},
     {"call": "acomp_request_set_params",
      "args": [{"ref": "req"}, {"page": "p"}, {"buffer": 8192}, 4096, 4096]},
     {"call": "crypto_acomp_compress", "args": [{"ref": "req"}], "as": "code"},
     {"call": "crypto_wait_req", "args": [{"ref": "code"}, {"ref": "wait"}]}]}

    Whatever a call raises is its result, and the script goes on. --calls lists what a script can consist of,
    --examples lists scripts that come along, and docs/scripts.md says when things happen.
    """  # noqa: D301 (click wants the character that keeps the lines of an example apart)
    with refusals("script"):
        read = _script(file, example)
        run = run_script(read)
    if as_json:
        print(run.to_json(indent=2))
        return
    console = Console()
    width = width_of(console)
    for text, kind in transcript(read, run, width):
        console.print(Text(text, style=STYLES[kind], no_wrap=True), highlight=False, soft_wrap=True)
    picture = draw_run(run, width)
    if picture:
        print()
        show(console, picture)


def _script(file: str | None, example: str | None) -> Script:
    if file is not None and example is None:
        return read_script(_text(file))
    if file is not None or example is None:
        raise ValueError("a script is a FILE, or one that comes along, by --example NAME; --examples lists those")
    if example not in SHELF:
        raise ValueError(f"no example is called {example!r}{nearest(example, SHELF)}; --examples lists them")
    return SHELF[example].script()


def _text(file: str) -> bytes:
    """What is in the file, or a byte more than a script may have."""
    if file == "-":
        return sys.stdin.buffer.read(bounds.JSON_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(bounds.JSON_BYTES + 1)
