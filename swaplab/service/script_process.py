"""`python -m swaplab.service.script_process`: runs scripts for a service, one after the other, in a process apart.

`trace.sink` and `fault.decider` are process-wide, so no script runs where stores are served. What comes on standard
input is `u8 kind, u32 length` and a script, or the name of one on the shelf; what goes out is `u8 refused, u32 length`
and the answer, or the refusal's text. It ends when its input does.
"""

import struct
import sys
from enum import IntEnum
from typing import IO, Final

from swaplab.story.run import run_script
from swaplab.story.shelf import SHELF
from swaplab.story.validate import ScriptError, read_script
from swaplab.story.view import view_of

from .aside import step_aside

ASKED: Final = struct.Struct("<BI")
ANSWERED: Final = struct.Struct("<BI")


class Kind(IntEnum):
    """What is asked for: the run of a script, its view, or the view of one that is on the shelf by its name."""

    RUN = 0
    VIEW = 1
    SHOWN = 2


def serve(asked: IO[bytes], answered: IO[bytes]) -> None:
    """Answer until nothing is asked any more."""
    while len(head := asked.read(ASKED.size)) == ASKED.size:
        kind, length = ASKED.unpack(head)
        refused, answer = answer_to(asked.read(length), Kind(kind))
        answered.write(ANSWERED.pack(refused, len(answer)) + answer)
        answered.flush()


def answer_to(asked: bytes, kind: Kind = Kind.RUN) -> tuple[bool, bytes]:
    """Whether a script is refused, and the answer or why."""
    try:
        return False, _answer(asked, kind).encode()
    except (ScriptError, RecursionError, MemoryError) as error:
        return True, (str(error) or type(error).__name__).encode()


def _answer(asked: bytes, kind: Kind) -> str:
    match kind:
        case Kind.RUN:
            return run_script(read_script(asked)).to_json()
        case Kind.VIEW:
            return view_of(read_script(asked)).to_json()
        case Kind.SHOWN:
            shown = SHELF[asked.decode()]
            return view_of(shown.script(), shown.title).to_json()


if __name__ == "__main__":
    step_aside()
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # nothing that is printed gets between the answers
    serve(sys.stdin.buffer, answers)
