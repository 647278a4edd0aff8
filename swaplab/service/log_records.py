"""The records of a value log: their bytes, and whose record a damaged one was.

Little-endian: magic u32, kind u8, flags u8, key length u16, value length u32, expiry in unix milliseconds u64 (0:
never), sequence u64, crc32 u32 over all of the record with this field 0; then the key, then the value as one zstd frame
with its checksum. Records that belong together, such as the pages of a folio, say MORE but for the last, and count only
when that is there. Pure.
"""

import mmap
import struct
import threading
from enum import IntEnum
from typing import Final, NamedTuple
from zlib import crc32

import zstandard

MAGIC: Final = 0x474C5653
"""The letters SVLG."""
MORE: Final = 1
"""Flag of a record that counts only together with the next."""

_HEADER: Final = struct.Struct("<IBBHIQQI")
_MAGIC_BYTES: Final = MAGIC.to_bytes(4, "little")
_MAX_KEY: Final = 1 << 12
_MAX_FRAME: Final = 1 << 27
_LONGEST_TRIED: Final = 1 << 18


class Kind(IntEnum):
    """What a record does."""

    PUT = 1
    DELETE = 2
    CLEAR = 3


class Record(NamedTuple):
    """One record. `frame` is the compressed value, empty unless it is a PUT."""

    kind: Kind
    key: bytes = b""
    frame: bytes = b""
    expires_ms: int = 0
    sequence: int = 0
    more: bool = False

    def encode(self) -> bytes:
        """Its bytes in the log."""
        fields = (MAGIC, self.kind, MORE * self.more, len(self.key), len(self.frame), self.expires_ms, self.sequence)
        head = _HEADER.pack(*fields, 0)
        crc = crc32(self.frame, crc32(self.key, crc32(head)))
        return b"".join((_HEADER.pack(*fields, crc), self.key, self.frame))


class _Codec(threading.local):
    """A compressor for each thread: making one takes longer than a page."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)


_codec = _Codec()


def compressed(value: bytes) -> bytes:
    """A value as it stands in the log."""
    return _codec.compressor.compress(value)


def decompressed(frame: bytes) -> bytes:
    """The value of a frame; zstandard.ZstdError for a damaged one."""
    return zstandard.ZstdDecompressor().decompress(frame)


def record_at(data: "bytes | mmap.mmap", position: int) -> Record | None:
    """The whole and undamaged record at this position; None if there is none."""
    head = data[position : position + _HEADER.size]
    if len(head) < _HEADER.size:
        return None
    magic, kind, flags, key_length, length, expires_ms, sequence, crc = _HEADER.unpack(head)
    if magic != MAGIC or key_length > _MAX_KEY or length > _MAX_FRAME or kind not in (1, 2, 3) or flags not in (0, 1):
        return None
    body = data[position + _HEADER.size : position + _HEADER.size + key_length + length]
    if len(body) < key_length + length or crc != crc32(body, crc32(head[:-4] + bytes(4))):
        return None
    return Record(Kind(kind), body[:key_length], body[key_length:], expires_ms, sequence, bool(flags))


def size_of(record: Record) -> int:
    """Bytes of a record in the log."""
    return _HEADER.size + len(record.key) + len(record.frame)


def following(data: "bytes | mmap.mmap", position: int) -> int:
    """Where the next undamaged record begins behind a damaged one; -1 if there is none.

    Where the damaged one says that it ends, if one begins there: a value may contain what looks like a record.
    """
    end = _end_of(data[position : position + _HEADER.size], position)
    if end and record_at(data, end) is not None:
        return end
    found = data.find(_MAGIC_BYTES, position + 1)
    while found >= 0 and record_at(data, found) is None:
        found = data.find(_MAGIC_BYTES, found + 1)
    return found


def _end_of(head: bytes, position: int) -> int:
    """Where a record at this position ends, as its header says; 0 if that is no header."""
    if len(head) < _HEADER.size or head[:4] != _MAGIC_BYTES:
        return 0
    _, _, _, key_length, length, *_ = _HEADER.unpack(head)
    return int(position + _HEADER.size + key_length + length)


def damaged_keys(gap: bytes) -> list[bytes | None]:
    """The keys of the damaged records that a gap between two undamaged ones holds; None for one that is not known."""
    keys: list[bytes | None] = []
    while gap:
        record = _with_damaged_value(gap) or _by_one_byte(gap)
        if record is None:
            return [*keys, None]
        keys.append(None if record.kind is Kind.CLEAR else record.key)
        gap = gap[size_of(record) :]
    return keys


def _ends_well(gap: bytes | bytearray) -> int:
    """Where the record at the beginning of a gap ends: with the gap, or where another one begins; else 0."""
    end = _end_of(bytes(gap[: _HEADER.size]), 0)
    return end if end == len(gap) or gap[end : end + 4] == _MAGIC_BYTES else 0


def _with_damaged_value(gap: bytes) -> Record | None:
    """The record at the beginning of the gap, if it is the value that is damaged, as the value's own checksum says."""
    if not _ends_well(gap):
        return None
    _, kind, _, key_length, length, *_ = _HEADER.unpack(gap[: _HEADER.size])
    if kind != Kind.PUT:
        return None
    key, frame = gap[_HEADER.size :][:key_length], gap[_HEADER.size + key_length :][:length]
    try:
        decompressed(frame)
    except zstandard.ZstdError:
        return Record(Kind.PUT, key, frame)
    return None


def _by_one_byte(gap: bytes) -> Record | None:
    """The record at the beginning of the gap, if another byte somewhere in its header or key makes it a whole one.

    Only of records that are not too long for so many attempts.
    """
    tried = bytearray(gap[:_LONGEST_TRIED])
    at = 0
    while at < min(len(tried), _HEADER.size + int.from_bytes(gap[6:8], "little"), _HEADER.size + _MAX_KEY):
        was = tried[at]
        for byte in range(256):
            tried[at] = byte
            end = _ends_well(tried)
            if end and (found := record_at(bytes(tried[:end]), 0)) is not None:
                return found
        tried[at] = was
        at += 1
    return None
