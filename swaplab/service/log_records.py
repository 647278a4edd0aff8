"""The records of a value log: their bytes, and whose record a damaged one was.

Little-endian: magic u32, kind u8, flags u8, key length u16, value length u32, expiry in unix milliseconds u64 (0:
never), sequence u64, crc32 u32 over all of the record with this field 0; then the key, then the value as one zstd
frame, which says how long it is unless that is a page. Records that belong together, such as the pages of a folio, say
MORE but for the last, and count only when that is there. Pure.

Sequences count in steps of 2**24. What is left below is a checksum of the header and the key, by which it is known
whose record a damaged one was, and where it ends, whatever has become of its value.
"""

import mmap
import struct
import threading
from enum import IntEnum
from typing import Final, NamedTuple
from zlib import crc32

import zstandard

from acomp import PAGE_SIZE

MAGIC: Final = 0x474C5653
"""The letters SVLG."""
MORE: Final = 1
"""Flag of a record that counts only together with the next."""

_HEADER: Final = struct.Struct("<IBBHIQQI")
_CHECK_BITS: Final = 24
_CHECK: Final = (1 << _CHECK_BITS) - 1
_MAGIC_BYTES: Final = MAGIC.to_bytes(4, "little")
_MAX_KEY: Final = 1 << 12
_MAX_FRAME: Final = 1 << 27


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

    def numbered(self, number: int) -> "Record":
        """The same as number `number` of its log, from 1."""
        fields = (self.kind, len(self.key), len(self.frame), self.expires_ms, number << _CHECK_BITS)
        return self._replace(sequence=number << _CHECK_BITS | _check(*fields, self.key))

    def encode(self) -> bytes:
        """Its bytes in the log."""
        fields = (MAGIC, self.kind, MORE * self.more, len(self.key), len(self.frame), self.expires_ms, self.sequence)
        crc = crc32(self.frame, crc32(self.key, crc32(_HEADER.pack(*fields, 0))))
        return b"".join((_HEADER.pack(*fields, crc), self.key, self.frame))


def number_after(sequence: int) -> int:
    """The number of the record that follows the one with this sequence."""
    return (sequence >> _CHECK_BITS) + 1


def _check(kind: int, key_length: int, length: int, expires_ms: int, sequence: int, key: bytes | bytearray) -> int:
    """The checksum that says whose record it is. `sequence` without it."""
    head = _HEADER.pack(MAGIC, kind, 0, key_length, length, expires_ms, sequence, 0)
    return crc32(key, crc32(head)) & _CHECK


class _Codec(threading.local):
    """A compressor for each thread: making one takes longer than a page."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)


_codec = _Codec()


def compressed(value: bytes) -> bytes:
    """A value as it stands in the log."""
    return _codec.compressor.compress(value)


def decompressed(frame: bytes) -> bytes:
    """The value of a frame; zstandard.ZstdError for a damaged one."""
    return zstandard.ZstdDecompressor().decompress(frame, PAGE_SIZE)  # which is for those that do not say their length


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

    Where the damaged one ends, if one begins there: a value may contain what looks like a record.
    """
    damaged = _begun(data, position)
    if damaged is not None and record_at(data, position + damaged.size) is not None:
        return position + damaged.size
    found = data.find(_MAGIC_BYTES, position + 1)
    while found >= 0 and record_at(data, found) is None:
        found = data.find(_MAGIC_BYTES, found + 1)
    return found


def damaged_keys(gap: bytes) -> list[bytes | None]:
    """The keys of the damaged records that a gap between two undamaged ones holds; None for one that is not known."""
    keys: list[bytes | None] = []
    position = 0
    while position < len(gap):
        record = _begun(gap, position)
        if record is None:
            return [*keys, None]
        keys.append(None if record.kind == Kind.CLEAR else record.key)
        position += record.size
    return keys


class _Begun(NamedTuple):
    """What is known of a record by its beginning."""

    kind: int
    key: bytes
    size: int


def _begun(data: "bytes | mmap.mmap", position: int) -> _Begun | None:
    """The record at this position, whose value is damaged, or else a single byte before it."""
    head = data[position : position + _HEADER.size + _MAX_KEY]
    found = _checked(head)
    if found is not None:
        return found
    tried = bytearray(head)
    for at in range(min(len(head), _HEADER.size + int.from_bytes(head[6:8], "little"))):
        for byte in range(256):
            tried[at] = byte
            found = _checked(tried)
            if found is not None and record_at(bytes(tried) + data[position + len(head) : position + found.size], 0):
                return found
        tried[at] = head[at]
    return None


def _checked(data: bytes | bytearray) -> _Begun | None:
    """The record that these bytes begin with, if its check is right."""
    if len(data) < _HEADER.size:
        return None
    magic, kind, _, key_length, length, expires_ms, sequence, _ = _HEADER.unpack_from(data)
    key = bytes(data[_HEADER.size : _HEADER.size + key_length])
    check = sequence & _CHECK
    if magic != MAGIC or check != _check(kind, key_length, length, expires_ms, sequence - check, key):
        return None
    return _Begun(kind, key, _HEADER.size + key_length + length)
