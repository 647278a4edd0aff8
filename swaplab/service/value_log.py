"""A log of values by key: what a store or a cache of the service comes back from after a restart.

Records (`log_records`) follow each other in one file, `<n>.log`; the newest n counts. What is wrong with a file is
settled when it is opened. At its end a short or wrong record was being written: it is cut off. Anywhere else a record
was damaged later, and its key opens as missing, never with an older value. The key of a damaged record is known where
the damage lies in the value, or is a single byte; where it is not, every older value is missing, for any of them may
have been replaced.

Everything here blocks, and is for one thread at a time.
"""

import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from .log_records import Kind, Record, damaged_keys, decompressed, following, number_after, record_at, size_of

REWRITE_ABOVE: Final = 64 << 20
"""Bytes from which a log is rewritten when more than half of it is garbage."""


class Place(NamedTuple):
    """Where the record of a value lies, and when the value expires."""

    position: int
    size: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was wrong with a log when it was opened.

    `cut` bytes at its end; `damaged` values that are missing, because their record is damaged or because nobody knows
    which key a damaged one had.
    """

    cut: int = 0
    damaged: int = 0


class _Live:
    """Where the values are, oldest first, and how many bytes their records take."""

    def __init__(self) -> None:
        self.places: dict[bytes, Place] = {}
        self.bytes = 0

    def apply(self, record: Record, position: int) -> None:
        """What a record at this position does."""
        if record.kind is Kind.CLEAR:
            self.clear()
            return
        self.drop(record.key)
        if record.kind is Kind.PUT:
            self.places[record.key] = Place(position, size_of(record), record.expires_ms)
            self.bytes += size_of(record)

    def drop(self, key: bytes) -> None:
        """The value of a key is gone, if there was one."""
        gone = self.places.pop(key, None)
        if gone is not None:
            self.bytes -= gone.size

    def clear(self) -> None:
        """All are gone."""
        self.places.clear()
        self.bytes = 0


class _Replay:
    """The live values of a log, from its records in order."""

    def __init__(self) -> None:
        self.live = _Live()
        self.sequence = 0
        self._damaged: set[bytes] = set()
        self._unknown = 0
        self._group: list[tuple[Record, int]] = []

    @property
    def damaged(self) -> int:
        """Values that are missing; a damaged record that nobody knows the key of is one, too."""
        return len(self._damaged) + self._unknown

    def add(self, record: Record, position: int) -> int:
        """A record; returns where a log ends that has nothing behind it: a group that is not whole does not count."""
        self._group.append((record, position))
        self.sequence = record.sequence
        if record.more:
            return self._group[0][1]
        self._end_group()
        return position + size_of(record)

    def lose(self, keys: Sequence[bytes | None]) -> None:
        """Damaged records, with others behind them: what they may have replaced is gone. Their group was whole."""
        self._end_group()
        for key in keys:
            if key is None:
                self._damaged.update(self.live.places)
                self._unknown += 1
                self.live.clear()
            else:
                self.live.drop(key)
                self._damaged.add(key)

    def _end_group(self) -> None:
        for record, position in self._group:
            self.live.apply(record, position)
            if record.kind is Kind.CLEAR:
                self._damaged.clear()
            self._damaged.discard(record.key)
        self._group = []


def replayed(data: "bytes | mmap.mmap") -> tuple[_Live, int, int, Report]:
    """Of a log's bytes: the live values; where it ends; its last sequence; what was wrong with it."""
    replay, position, end, size = _Replay(), 0, 0, len(data)
    while position < size:
        record = record_at(data, position)
        if record is not None:
            if record.sequence > replay.sequence:
                end = replay.add(record, position)
            else:  # an older one, in the place of nobody knows which
                replay.lose([None])
                end = position + size_of(record)
            position += size_of(record)
            continue
        behind = following(data, position)
        if behind < 0:
            break
        replay.lose(damaged_keys(data[position:behind]))
        position = end = behind
    return replay.live, end, replay.sequence, Report(size - end, replay.damaged)


class ValueLog:
    """The newest log of a directory, open for appending, and made if there is none.

    Raises OSError as the file system answers. After a write that failed the file is as before, or the log is `broken`
    and takes nothing more.
    """

    def __init__(self, directory: Path) -> None:
        numbers = sorted(int(path.stem) for path in directory.glob("*.log") if path.stem.isdecimal())
        self._directory = directory
        self._number = numbers[-1] if numbers else 1
        self._fd = _opened(self.path, os.O_RDWR | os.O_CREAT)
        try:
            self._live, self.end, self._sequence, self.report = replayed(_mapped(self._fd))
            os.ftruncate(self._fd, self.end)
            for number in numbers[:-1]:  # whoever rewrote them ended between its last two steps
                (directory / f"{number}.log").unlink()
            for unfinished in directory.glob("*.log.new"):
                unfinished.unlink()
        except BaseException:
            os.close(self._fd)
            raise
        self.broken = False

    @property
    def path(self) -> Path:
        """The file."""
        return self._directory / f"{self._number}.log"

    @property
    def mostly_garbage(self) -> bool:
        """Whether it is time to rewrite it."""
        return self.end > REWRITE_ABOVE and self._live.bytes * 2 < self.end

    def append(self, records: Sequence[Record]) -> None:
        """Give records to the kernel, in one write; their sequence is counted on here."""
        numbered = [record.numbered(n) for n, record in enumerate(records, number_after(self._sequence))]
        self._write(b"".join(record.encode() for record in numbered))
        if numbered:
            self._sequence = numbered[-1].sequence
        position = self.end
        for record in numbered:
            self._live.apply(record, position)
            position += size_of(record)
        self.end = position

    def sync(self) -> None:
        """Make what was appended survive a loss of power."""
        os.fdatasync(self._fd)

    def values(self) -> Iterator[tuple[bytes, bytes, int]]:
        """Key, value and expiry (unix milliseconds, 0: never) of each live value, oldest first."""
        for key, place in self._live.places.items():
            record = self._read(place)
            yield key, decompressed(record.frame), record.expires_ms

    def begin_rewrite(self) -> "Rewrite":
        """The work that makes a log without garbage; `finish_rewrite` takes its result, and appending may go on."""
        return Rewrite(
            self._directory / f"{self._number + 1}.log.new", self._fd, self.end, list(self._live.places.values())
        )

    def finish_rewrite(self, rewrite: "Rewrite") -> None:
        """Add what was appended since the rewriting began, and let the new log take the place of this one."""
        moved = rewrite.finish(self.end)
        os.rename(rewrite.path, self._directory / f"{self._number + 1}.log")
        _sync_directory(self._directory)
        old, self._number = self.path, self._number + 1
        os.close(self._fd)
        self._fd = rewrite.fd
        shift = rewrite.size - self.end
        for key, place in [*self._live.places.items()]:
            if place.position >= rewrite.until:
                self._live.places[key] = place._replace(position=place.position + shift)
            elif place.position in moved:
                self._live.places[key] = moved[place.position]
            else:
                self._live.drop(key)
        self.end = rewrite.size
        old.unlink()

    def close(self) -> None:
        """Close the file; twice does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _read(self, place: Place) -> Record:
        record = record_at(os.pread(self._fd, place.size, place.position), 0)
        if record is None:
            raise OSError(f"a value at {place.position} of {self.path} was damaged after the log was opened")
        return record

    def _write(self, data: bytes) -> None:
        if self.broken:
            raise OSError(f"{self.path} could not be mended after a write that failed; start the service again")
        try:
            _write_all(self._fd, data, self.end)
        except BaseException:
            self.broken = True
            with suppress(OSError):
                os.ftruncate(self._fd, self.end)
                self.broken = False
            raise


class Rewrite:
    """A new log under way: the live records of an old one, up to `until`, without what they have replaced."""

    def __init__(self, path: Path, source: int, until: int, live: Sequence[Place]) -> None:
        self.path = path
        self.until = until
        self.size = 0
        self.fd = _opened(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self._source = source
        self._live = live
        self._moved: dict[int, Place] = {}

    def copy(self) -> None:
        """Copy the records. For another thread than the one that appends."""
        for place in self._live:
            record = record_at(os.pread(self._source, place.size, place.position), 0)
            if record is not None:  # else it was damaged meanwhile: left out, so that nobody is told wrong bytes
                self._moved[place.position] = place._replace(position=self.size)
                self._append(record._replace(more=False).encode())

    def finish(self, end: int) -> Mapping[int, Place]:
        """Copy what lies between `until` and `end` as it is, and make it durable; where the others went."""
        position = self.until
        while position < end:
            part = os.pread(self._source, min(1 << 20, end - position), position)
            self._append(part)
            position += len(part)
        os.fsync(self.fd)
        return self._moved

    def give_up(self) -> None:
        """Leave nothing behind."""
        os.close(self.fd)
        self.path.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        _write_all(self.fd, data, self.size)
        self.size += len(data)


def _opened(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _mapped(fd: int) -> "bytes | mmap.mmap":
    """The bytes of a file, as they are read. (An empty one cannot be mapped.)"""
    return mmap.mmap(fd, 0, prot=mmap.PROT_READ) if os.fstat(fd).st_size else b""


def _write_all(fd: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        view, position = view[written:], position + written


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
