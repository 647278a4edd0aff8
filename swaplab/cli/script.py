"""`swaplab script`: run calls with the kernel's names that stand in a file."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from swaplab.cli.outputs import console
from swaplab.cli.refusals import refusals
from swaplab.story import bounds
from swaplab.story.calls import CALLS, FAULT_POINTS, NAMES
from swaplab.story.pipeline import WIDTH
from swaplab.story.run import run_script
from swaplab.story.transcript import transcript
from swaplab.story.validate import read_script

STYLES: Final = {"call": "bold", "note": "", "error": "bold red", "explained": "dim", "picture": "cyan"}
"""Colours that can be read on black and on white."""


def _print_calls(asked: bool) -> None:
    """What a script can call, and be given."""
    if not asked:
        return
    print("Calls:")
    for entry in CALLS.values():
        print(f"  {entry}{'  (waits: can be a task)' * entry.waits}\n      {entry.what}")
    print("Arguments: null, true, false, integers, strings, flat lists, and objects with one key:")
    print('  {"ref": NAME}    what a call before has bound by "as" or "task"')
    print('  {"page": NAME}   the bytes of a page of the script')
    print('  {"buffer": N}    a fresh bytearray     {"sg": N}  a fresh SgEntry over one')
    print(f'  {{"name": WORD}}   one of {", ".join(NAMES)}')
    print("Points of fault.at:")
    for point, what in FAULT_POINTS.items():
        print(f"  {point}\n      {what}")
    raise typer.Exit


def script(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A script, as JSON; - is stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON (swaplab.script-run/1).")] = False,
    calls: Annotated[  # noqa: ARG001 (its callback has printed them)
        bool,
        typer.Option("--calls", callback=_print_calls, is_eager=True, help="List what can be called, and exit."),
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

    Whatever a call raises is its result, and the script goes on. examples/scripts has more; docs/scripts.md says what
    a machine, a page and a call can be.
    """  # noqa: D301 (click wants the character that keeps the lines of an example apart)
    with refusals("script"):
        read = read_script(_text(file))
        run = run_script(read)
    if as_json:
        print(run.to_json(indent=2))
        return
    shown = console()
    for text, kind in transcript(read, run, shown.width if sys.stdout.isatty() else WIDTH):
        _show(shown, text, STYLES[kind])


def _show(shown: Console, text: str, style: str) -> None:
    shown.print(Text(text, style=style, no_wrap=True), highlight=False, soft_wrap=True)


def _text(file: str) -> bytes:
    """What is in the file, or a byte more than a script may have."""
    if file == "-":
        return sys.stdin.buffer.read(bounds.JSON_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(bounds.JSON_BYTES + 1)
