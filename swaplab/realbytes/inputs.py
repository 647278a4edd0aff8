"""Real bytes to store: files and directories, laid out in pages as the page cache would, then cut into folios.

Every file begins on a page of its own and its short tail is zero-padded; consecutive pages form folios, and the last
folio is filled up with zero pages. So a tree of small files does not become mostly padding when folios are large.
"""

import os
import stat
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from acomp import PAGE_SIZE
from swaplab.memory import memory_bytes

NO_LIBRARY = ("site-packages", "dist-packages", "__pycache__", "config-*")
"""Directories that lie within the standard library's and are no part of it; skipped in the default input only."""


PIECE = 16 << 20
"""Bytes read at a time, so that progress can be told of one large file."""

PARTS_OF_MEMORY = 5
"""The inputs may take one part: with the pool beside them, which is no larger, and an entry per page, it is half."""


class InputError(Exception):
    """An input cannot be used; the message names it, the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The bytes of all inputs, in order, a whole number of pages; and what was left out, with the first reason."""

    data: bytes | bytearray
    files: int
    skipped: int = 0
    first_skipped: str = ""

    def __len__(self) -> int:
        """Pages."""
        return len(self.data) // PAGE_SIZE

    def folios(self, nr_pages: int) -> list[memoryview]:
        """Views of `nr_pages` pages each; only the last one is a copy, padded, where it would be short."""
        size = nr_pages * PAGE_SIZE
        data = memoryview(self.data)
        whole = len(data) // size * size
        folios = [data[start : start + size] for start in range(0, whole, size)]
        if whole < len(data):
            folios.append(memoryview(bytes(data[whole:]).ljust(size, b"\0")))
        return folios


def standard_library() -> Path:
    """The running Python's own standard library: the default input."""
    return Path(sysconfig.get_path("stdlib"))


def read_pages(inputs: Sequence[Path], read: Callable[[int], object] = bool) -> Pages:
    """Read files and directories (recursively, in sorted order, links not followed) into pages.

    A named file that cannot be read is an InputError; inside a directory, what is unreadable or no regular file is left
    out and counted. InputError too when nothing is left, or when storing it would take more than half of the memory:
    all sizes are summed up before the first byte is read. `read` is called with the number of pages read since.
    """
    found = _measured(inputs)
    data = bytearray(sum(_padded(size) for _, size, _ in found))
    room = memoryview(data)
    files = skipped = end = 0
    first_skipped = ""
    for path, size, named in found:
        try:
            _read_into(path, room[end : end + size], read)
        except OSError as error:
            if named:
                raise InputError(f"{path}: {error.strerror or error}; name one that can be read") from None
            skipped += 1
            first_skipped = first_skipped or f"{path}: {error.strerror or error}"
            continue
        end += _padded(size)
        files += 1
    room.release()
    del data[end:]
    if not data:
        names = ", ".join(map(str, inputs)) or "the standard library"
        raise InputError(f"{names}: no bytes in there; name at least one file that is not empty")
    return Pages(data, files, skipped, first_skipped)


def _measured(inputs: Sequence[Path]) -> list[tuple[Path, int, bool]]:
    """Every file, its size, and whether it was named itself; InputError when all of them are too much."""
    room = memory_bytes() // PARTS_OF_MEMORY
    found = []
    for path, size, named in _walk(inputs or [standard_library()], default=not inputs):
        room -= _padded(size)
        if room < 0:
            raise InputError(
                f"the inputs exceed {memory_bytes() // PARTS_OF_MEMORY >> 20} MiB, and storing them would take more"
                " than half of the memory there is; name fewer of them"
            )
        found.append((path, size, named))
    return found


def _padded(size: int) -> int:
    return -(-size // PAGE_SIZE) * PAGE_SIZE


def _read_into(path: Path, room: memoryview, read: Callable[[int], object]) -> None:
    """Read as much of the file as there was when it was measured; what it has lost meanwhile stays zero.

    When it cannot be read to the end, the room is zero again.
    """
    with path.open("rb", buffering=0) as file:
        filled = 0
        try:
            while got := file.readinto(room[filled : filled + PIECE]):
                filled += got
                read(-(-got // PAGE_SIZE))
        except OSError:
            room[:filled] = bytes(filled)
            raise


def _walk(inputs: Sequence[Path], default: bool) -> Iterator[tuple[Path, int, bool]]:
    """Every regular file, its size, and whether it was named itself."""
    for path in inputs:
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; name one that exists") from None
        if stat.S_ISDIR(status.st_mode):
            yield from ((file, size, False) for file, size in _files_below(path, default))
        elif stat.S_ISREG(status.st_mode):
            yield path, status.st_size, True
        else:
            raise InputError(f"{path} is neither a file nor a directory; name one that is")


def _files_below(directory: Path, default: bool) -> Iterator[tuple[Path, int]]:
    for folder, subfolders, names in os.walk(directory):
        subfolders[:] = sorted(name for name in subfolders if not (default and _is_no_library(name)))
        for name in sorted(names):
            file = Path(folder, name)
            status = file.lstat()
            if stat.S_ISREG(status.st_mode):
                yield file, status.st_size


def _is_no_library(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in NO_LIBRARY)
