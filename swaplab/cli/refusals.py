"""What a command does not do: one line on stderr that says why, and exit code 2; for files, before the work."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from swaplab.experiments.worker_processes import ProcessDiedError


@contextmanager
def refusals(command: str, *reasons: type[Exception]) -> Iterator[None]:
    """End `command` with the message of one of `reasons`, of a process that died, or of a file and what it refused."""
    said: tuple[type[Exception], ...] = (*reasons, ProcessDiedError)
    try:
        yield
    except said as error:
        why = str(error)
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)
    else:
        return
    print(f"swaplab {command}: {why}", file=sys.stderr)
    raise typer.Exit(2)


def writable(file: Path | None) -> Path | None:
    """`file`, if it can be written; typer.BadParameter otherwise. Minutes of work should not end at a file name."""
    if file is None:
        return None
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a directory; name a file in it")
    if not file.parent.is_dir():
        raise typer.BadParameter(f"there is no directory {file.parent}; make it first, or name another file")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise typer.BadParameter(f"{file} may not be written; name another file")
    return file


def replace_text(file: Path, text: str) -> None:
    """Write all of `file` or nothing: it is written beside and then renamed. OSError names `file`."""
    whole = file.resolve()
    is_device = whole.exists() and not whole.is_file()
    beside = whole if is_device else whole.with_name(f".{whole.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(whole)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
    finally:
        if not is_device:
            beside.unlink(missing_ok=True)


@contextmanager
def writing(command: str, file: Path | None, text: str) -> Iterator[None]:
    """Write what `command` found to `file`, if one was named, and print it inside: neither is lost with the other.

    Written first, since a pager may close the pipe; what stands in the way is said when all was printed.
    """
    failed: OSError | None = None
    try:
        if file is not None:
            replace_text(file, text)
    except OSError as error:
        failed = error
    yield
    if failed is not None:
        with refusals(command):
            raise failed
