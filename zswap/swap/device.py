"""Swap devices: where pages go that the compressed store does not keep. A file by default, memory for tests.

A device is plain and blocking and knows slots and bytes only; `device_io` calls it, from a worker thread if it says
that it blocks. Its errors are `OSError`.
"""

import os
import tempfile
import weakref
from errno import EBADF, EEXIST, EIO
from pathlib import Path
from typing import Final, Protocol

from acomp import PAGE_SIZE

DEFAULT_SLOTS: Final = 1 << 18
"""Slots of the default device: 1 GiB, sparse."""


class SwapDevice(Protocol):
    """`nr_slots` pages of storage. `blocks` says whether a call may take long enough to need a thread."""

    nr_slots: int
    blocks: bool

    def write(self, slot: int, data: bytes) -> None:
        """Write whole pages from `slot` on; OSError when it cannot, and then these slots hold anything."""

    def read(self, slot: int, nr_pages: int) -> bytes:
        """The bytes of these slots; OSError when it cannot."""

    def sync(self) -> None:
        """Make what was written durable."""

    def close(self) -> None:
        """Give the storage back. Nothing is called after it."""


class FileDevice:
    """A sparse file of `nr_slots` pages.

    Without a `path` it has no name, lies in the directory for temporary files and is gone with the device. A file that
    you name is made, or must be empty, and stays where it is (the pages in it are of no use to anybody later, since
    what lies where is known in memory only). With `private` it must not exist, not even as a link, and its name is
    taken away as soon as it is made: `path` says on which file system it lies. Raises OSError as the file system
    answers, FileExistsError for a file that has content, or that is there although `private`.
    """

    blocks = True

    def __init__(
        self, path: str | os.PathLike[str] | None = None, nr_slots: int = DEFAULT_SLOTS, *, private: bool = False
    ) -> None:
        self.nr_slots = check_nr_slots(nr_slots)
        self.path = None if path is None else Path(path)
        if self.path is None:
            with tempfile.TemporaryFile() as file:
                self._fd = os.dup(file.fileno())
        else:
            alone = os.O_EXCL | os.O_NOFOLLOW if private else 0
            try:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | alone, 0o600)
            except FileExistsError:
                raise FileExistsError(EEXIST, "something is there, and is left alone; name a new file", path) from None
        self._close = weakref.finalize(self, os.close, self._fd)  # a device that nobody enters is closed, too
        try:
            if private and self.path is not None:
                os.unlink(self.path)
            if os.fstat(self._fd).st_size:
                raise FileExistsError(EEXIST, "the file has content and would be overwritten; name a new one", path)
            os.ftruncate(self._fd, self.nr_slots * PAGE_SIZE)
        except BaseException:
            self._close()
            raise

    def __repr__(self) -> str:
        return f"<FileDevice {self.path or 'without a name'}: {self.nr_slots} slots>"

    def write(self, slot: int, data: bytes) -> None:
        """Write at the slots' place in the file, however many calls that takes."""
        view, position = memoryview(data), slot * PAGE_SIZE
        while view:
            written = os.pwrite(self._open_fd(), view, position)
            view, position = view[written:], position + written

    def read(self, slot: int, nr_pages: int) -> bytes:
        """Read the slots' place in the file; EIO when the file has become too short."""
        data, position, end = b"", slot * PAGE_SIZE, (slot + nr_pages) * PAGE_SIZE
        while position < end:
            part = os.pread(self._open_fd(), end - position, position)
            if not part:
                raise OSError(EIO, f"slot {position // PAGE_SIZE} lies beyond the end of the file")
            data, position = data + part, position + len(part)
        return data

    def sync(self) -> None:
        """Fsync."""
        os.fsync(self._open_fd())

    def close(self) -> None:
        """Close the file; one without a name vanishes. I/O raises OSError(EBADF) from now on."""
        self._fd = -1  # the number may soon be somebody else's file
        self._close()

    def _open_fd(self) -> int:
        if self._fd < 0:
            raise OSError(EBADF, f"{self!r} is closed")
        return self._fd


class MemoryDevice:
    """Pages in a dict: deterministic, never blocks. For tests and for simulations, where no disk time is modelled."""

    blocks = False

    def __init__(self, nr_slots: int = DEFAULT_SLOTS) -> None:
        self.nr_slots = check_nr_slots(nr_slots)
        self._pages: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"<MemoryDevice: {len(self._pages)} of {self.nr_slots} slots written>"

    def write(self, slot: int, data: bytes) -> None:
        """Keep the pages."""
        for i in range(len(data) // PAGE_SIZE):
            self._pages[slot + i] = data[i * PAGE_SIZE : (i + 1) * PAGE_SIZE]

    def read(self, slot: int, nr_pages: int) -> bytes:
        """The pages again; what was never written reads as zeroes, as in a sparse file."""
        return b"".join(self._pages.get(slot + i, bytes(PAGE_SIZE)) for i in range(nr_pages))

    def sync(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Forget the pages."""
        self._pages.clear()


def check_nr_slots(nr_slots: int) -> int:
    """The number again, if a device can have so many slots; else TypeError or ValueError."""
    if type(nr_slots) is not int:
        raise TypeError(f"nr_slots is an int, not {type(nr_slots).__name__}")
    if not 1 <= nr_slots < 1 << 31:
        raise ValueError(f"a device has 1 .. 2**31 - 1 slots, not {nr_slots}")
    return nr_slots
