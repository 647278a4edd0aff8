"""What a command does not do: one line on stderr that says why, and exit code 2."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EPIPE

import typer

from swaplab.cli.prose import printable
from swaplab.process_died import ProcessDiedError

LONGEST_REASON = 500
"""Characters. A reason may quote what was given, and that may be anything."""


@contextmanager
def refusals(command: str | Callable[[], str], *reasons: type[Exception]) -> Iterator[None]:
    """End `command` with the message of one of `reasons`, of a process that died, or of a file and what it refused.

    Nor do values that are beyond all bounds, or too much of anything, reach the user as a traceback. A pipe that is
    closed because somebody has read enough is no reason to say anything, and is left to typer.
    """
    said: tuple[type[Exception], ...] = (*reasons, ProcessDiedError, ValueError, OverflowError)
    try:
        yield
    except said as error:
        why = str(error)
    except MemoryError:
        why = "this takes more memory than there is; ask for less at a time"
    except RecursionError:
        why = "this is nested deeper than can be read; write it flatter"
    except OSError as error:
        if error.errno == EPIPE and error.filename in (None, "-", "stdout"):
            raise
        why = f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror or str(error)
    else:
        return
    why = "\n".join(map(printable, why.split("\n")))
    why = why if len(why) <= LONGEST_REASON else why[:LONGEST_REASON] + " ..."
    name = command if isinstance(command, str) else command()
    print(f"swaplab {name}".rstrip() + f": {why}", file=sys.stderr)
    raise typer.Exit(2)
