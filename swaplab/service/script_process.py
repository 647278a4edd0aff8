"""`python -m swaplab.service.script_process`: runs scripts for a service, one after the other, in a process apart.

`trace.sink` and `fault.decider` are process-wide, so no script runs where stores are served. What comes on standard
input is `u32 length` and a script; what goes out is `u8 refused, u32 length` and the answer, or the refusal's text. It
ends when its input does.
"""

import struct
import sys
from typing import IO, Final

from swaplab.story.run import run_script
from swaplab.story.validate import ScriptError, read_script

from .aside import step_aside

ASKED: Final = struct.Struct("<I")
ANSWERED: Final = struct.Struct("<BI")


def serve(asked: IO[bytes], answered: IO[bytes]) -> None:
    """Answer until nothing is asked any more."""
    while len(head := asked.read(ASKED.size)) == ASKED.size:
        script = asked.read(ASKED.unpack(head)[0])
        refused, answer = answer_to(script)
        answered.write(ANSWERED.pack(refused, len(answer)) + answer)
        answered.flush()


def answer_to(script: bytes) -> tuple[bool, bytes]:
    """Whether a script is refused, and the answer or why."""
    try:
        return False, run_script(read_script(script)).to_json().encode()
    except (ScriptError, RecursionError, MemoryError) as error:
        return True, (str(error) or type(error).__name__).encode()


if __name__ == "__main__":
    step_aside()
    answers, sys.stdout = sys.stdout.buffer, sys.stderr  # nothing that is printed gets between the answers
    serve(sys.stdin.buffer, answers)
