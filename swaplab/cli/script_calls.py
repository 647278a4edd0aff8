"""What `swaplab script` lists: what a script consists of, every call, what it can be given; and the examples."""

import json
import textwrap
from collections.abc import Iterator
from typing import Final, Literal, get_args, get_origin

from swaplab.story.calls import CALLS, FAULT_POINTS, NAMES, Entry
from swaplab.story.pipeline import WIDTH
from swaplab.story.script import Machine
from swaplab.story.shelf import SHELF

SCRIPT: Final = """\
A script is a JSON object:
  "schema"     "swaplab.script/1"
  "machine"    what the calls run on; may be left out
  "pages"      by name, one of {"text": "hello "} (repeated), {"random": 7},
               {"fill": 0}, all with "bytes": N if not 4096; {"base64": "..."}
  "calls"      in order; each {"call": NAME, "args": [...]} with
                 "as": NAME    a name for what it returns, or
                 "task": NAME  it waits in a task of its own; the script goes on
  "on_error"   "continue" (the default) or "stop"
"""
ARGUMENTS: Final = """\
Arguments are null, true, false, integers, strings, flat lists, and
  {"ref": NAME}    what an earlier call has bound by "as" or "task"
  {"page": NAME}   the bytes of a page, which cannot be written to
  {"buffer": N}    a fresh bytearray of N bytes
  {"sg": N}        a fresh SgEntry over such a buffer
  {"name": WORD}   a function or flag of acomp's: WORD is one of
"""


def listing() -> Iterator[str]:
    """The lines, of 80 characters at most."""
    yield from SCRIPT.splitlines()
    yield ""
    yield "The keys of a machine, with what holds if they are left out:"
    for name, field in Machine.model_fields.items():
        choices = (
            " or ".join(map(json.dumps, get_args(field.annotation))) if get_origin(field.annotation) is Literal else ""
        )
        yield f"  {name:20} {json.dumps(field.default):10} {choices}".rstrip()
    yield ""
    yield from ARGUMENTS.splitlines()
    yield from _indented(", ".join(NAMES), 19)
    yield ""
    yield "Calls (those with a * wait, and can be a task):"
    for entry in CALLS.values():
        yield from _entry(entry)
    yield ""
    yield "Points of fault.at:"
    for point, what in FAULT_POINTS.items():
        yield f"  {point}"
        yield from _indented(what, 6)


def examples() -> Iterator[str]:
    """The scripts that come along, with what there is to see; lines of 80 characters at most."""
    for shown in SHELF.values():
        yield shown.name
        yield from _indented(shown.what, 4)


def _entry(entry: Entry) -> Iterator[str]:
    text = f"{'*' if entry.waits else ' '} {entry}"
    if len(text) < 38:
        first, *others = textwrap.wrap(entry.what, WIDTH - 40)
        yield f"{text:39} {first}"
        yield from (f"{'':39} {other}" for other in others)
    else:
        yield from textwrap.wrap(text, WIDTH, subsequent_indent=" " * 6, drop_whitespace=True)
        yield from _indented(entry.what, 40)


def _indented(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * columns, subsequent_indent=" " * columns)
