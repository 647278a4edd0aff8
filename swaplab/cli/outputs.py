"""Where the results of a command go: to stdout, and to a file that is written whole or not at all.

What stands in the way of either is found out before the work where that is possible: minutes of it should not end at a
file name or on a full disk.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from swaplab.cli.refusals import refusals

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 1000
"""Characters, more than any table has."""

DEV_FULL = os.makedev(1, 7)
STDOUT = 1
NAMES = {"-": STDOUT, "/dev/stdout": STDOUT, "/dev/stderr": 2}
"""File names that mean a descriptor, beside /dev/fd/N."""


def console() -> "Console":
    """For stdout: as wide as its terminal, or as COLUMNS says; elsewhere as wide as what is printed."""
    from rich.console import Console  # here, for not every command has a table

    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if bounded else WIDEST)


def writable(file: Path | None) -> Path | None:
    """`file`, if it can be written, `-` meaning stdout; typer.BadParameter otherwise."""
    if file is None:
        return None
    descriptor = _descriptor(file)
    if descriptor is not None:
        return _open_descriptor(file, descriptor)
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a directory; name a file in it")
    if not file.parent.is_dir():
        raise typer.BadParameter(f"there is no directory {file.parent}; make it first, or name another file")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise typer.BadParameter(f"{file} may not be written; name another file")
    try:
        if _is_replaced(file):
            beside = _beside(file)
            beside.touch()
            beside.unlink()
        full = is_full(file if file.exists() else file.parent)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}; name another file") from None
    if full:
        raise typer.BadParameter(f"there is no room left for {file}; make some, or name another file")
    return file


def is_full(place: Path | int) -> bool:
    """Whether a file, directory or open descriptor takes no byte, as far as that can be known without writing one."""
    kind = os.stat(place)
    if stat.S_ISREG(kind.st_mode) or stat.S_ISDIR(kind.st_mode):
        disk = os.statvfs(place)
        return disk.f_blocks > 0 and (disk.f_bavail if os.geteuid() else disk.f_bfree) == 0
    return stat.S_ISCHR(kind.st_mode) and kind.st_rdev == DEV_FULL


def replace_text(file: Path, text: str) -> None:
    """Write all of `file` or nothing: it is written beside and then renamed. OSError names `file`.

    What is no regular file, as a pipe or a device, is written to. So is a descriptor, stdout among them.
    """
    try:
        descriptor = _descriptor(file)
        if descriptor == STDOUT:
            sys.stdout.write(text)
            sys.stdout.flush()
        elif descriptor is not None:
            with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as stream:
                stream.write(text)
        elif _is_replaced(file):
            _replace(file.resolve(), text)
        else:
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None


@contextmanager
def writing(command: str, file: Path | None, text: str) -> Iterator[None]:
    """Write what `command` found to `file`, if one was named, and print it inside: neither is lost with the other.

    Written first, since a pager may close the pipe; what stands in the way is said when all was printed. When the file
    is stdout, what is printed inside goes to stderr.
    """
    failed: OSError | None = None
    try:
        if file is not None:
            replace_text(file, text)
    except OSError as error:
        failed = error
    to_stdout = file is not None and _descriptor(file) == STDOUT
    with redirect_stdout(sys.stderr) if to_stdout else nullcontext():
        yield
    if failed is not None:
        with refusals(command):
            raise failed


def flush_stdout() -> None:
    """Flush what was printed. OSError when that fails, and then the interpreter does not try it again at its end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
        raise OSError(error.errno, error.strerror, "stdout") from None


def _descriptor(file: Path) -> int | None:
    """The open descriptor that a name means; None for a file of its own."""
    numbered = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d{1,9})", str(file))
    return int(numbered[1]) if numbered else NAMES.get(str(file))


def _open_descriptor(file: Path, descriptor: int) -> Path:
    try:
        full = is_full(descriptor)
    except OSError:
        raise typer.BadParameter(f"{file} is not open; name a file") from None
    if full:
        raise typer.BadParameter(f"there is no room left in {file}; make some, or name another file")
    return file


def _is_replaced(file: Path) -> bool:
    return file.is_file() or not file.exists()


def _beside(file: Path) -> Path:
    """Where the text is kept until it is whole."""
    return file.resolve().with_name(f".swaplab.{os.getpid()}")


def _replace(file: Path, text: str) -> None:
    beside = _beside(file)
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
