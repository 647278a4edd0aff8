"""Real bytes to store: files and directories, laid out in pages as the page cache would, then cut into folios.

Every file begins on a page of its own and its short tail is zero-padded; consecutive pages form folios, and the last
folio is filled up with zero pages. So a tree of small files does not become mostly padding when folios are large.
"""

import os
import stat
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from acomp import PAGE_SIZE

NO_LIBRARY = ("site-packages", "dist-packages", "__pycache__", "config-*")
"""Directories that lie within the standard library's and are no part of it; skipped in the default input only."""


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
        """Views of `nr_pages` pages each, over a copy that is padded where the last one is short."""
        size = nr_pages * PAGE_SIZE
        padded = memoryview(
            self.data if len(self.data) % size == 0 else bytes(self.data).ljust(-len(self.data) // size * -size, b"\0")
        )
        return [padded[start : start + size] for start in range(0, len(padded), size)]


def standard_library() -> Path:
    """The running Python's own standard library: the default input."""
    return Path(sysconfig.get_path("stdlib"))


def read_pages(inputs: Sequence[Path]) -> Pages:
    """Read files and directories (recursively, in sorted order, links not followed) into pages.

    A named file that cannot be read is an InputError; inside a directory, what is unreadable or no regular file is left
    out and counted. InputError too when nothing is left, or when it would take more than half of the memory.
    """
    default = not inputs
    data = bytearray()
    files = skipped = 0
    first_skipped = ""
    room = _memory_limit()
    for path, named in _walk(inputs or [standard_library()], default):
        try:
            content = path.read_bytes()
        except OSError as error:
            if named:
                raise InputError(f"{path}: {error.strerror or error}; name one that can be read") from None
            skipped += 1
            first_skipped = first_skipped or f"{path}: {error.strerror or error}"
            continue
        data += content
        data += bytes(-len(content) % PAGE_SIZE)
        files += 1
        if len(data) > room:
            raise InputError(f"the inputs exceed {room >> 20} MiB, half of this machine's memory; name fewer of them")
    if not data:
        names = ", ".join(map(str, inputs)) or "the standard library"
        raise InputError(f"{names}: no bytes in there; name at least one file that is not empty")
    return Pages(data, files, skipped, first_skipped)


def _walk(inputs: Sequence[Path], default: bool) -> Iterator[tuple[Path, bool]]:
    """Every regular file, and whether it was named itself."""
    for path in inputs:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; name one that exists") from None
        if stat.S_ISDIR(mode):
            yield from ((file, False) for file in _files_below(path, default))
        elif stat.S_ISREG(mode):
            yield path, True
        else:
            raise InputError(f"{path} is neither a file nor a directory; name one that is")


def _files_below(directory: Path, default: bool) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(directory):
        subfolders[:] = sorted(name for name in subfolders if not (default and _is_no_library(name)))
        for name in sorted(names):
            file = Path(folder, name)
            if stat.S_ISREG(file.lstat().st_mode):
                yield file


def _is_no_library(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in NO_LIBRARY)


def _memory_limit() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
