"""The records of a value log: their bytes, and whose record a damaged one was.

Little-endian: magic u32, kind u8, flags u8, key length u16, value length u32, expiry in unix milliseconds u64 (0:
never), sequence u64, crc32 u32 of all this and the key, crc32 u32 of all of the record but this field; then the key,
then the value as one zstd frame, which says how long it is unless that is a page. By the first checksum the key is
known, and where the record ends, whatever has become of the value. Records that belong together, such as the pages of a
folio, say MORE but for the last, and count only when that is there. Pure.
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

_FIELDS: Final = struct.Struct("<IBBHIQQ")
_CRC: Final = struct.Struct("<I")
_KEYED_SIZE: Final = _FIELDS.size + _CRC.size
_HEADER_SIZE: Final = _KEYED_SIZE + _CRC.size
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

    def encode(self) -> bytes:
        """Its bytes in the log."""
        flags, key, frame = MORE * self.more, self.key, self.frame
        fields = _FIELDS.pack(MAGIC, self.kind, flags, len(key), len(frame), self.expires_ms, self.sequence)
        keyed = fields + _CRC.pack(crc32(key, crc32(fields)))
        return b"".join((keyed, _CRC.pack(crc32(frame, crc32(key, crc32(keyed)))), key, frame))


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
    head = data[position : position + _HEADER_SIZE]
    if len(head) < _HEADER_SIZE:
        return None
    magic, kind, flags, key_length, length, expires_ms, sequence = _FIELDS.unpack_from(head)
    if magic != MAGIC or key_length > _MAX_KEY or length > _MAX_FRAME or kind not in (1, 2, 3) or flags not in (0, 1):
        return None
    body = data[position + _HEADER_SIZE : position + _HEADER_SIZE + key_length + length]
    if len(body) < key_length + length or head[_KEYED_SIZE:] != _CRC.pack(crc32(body, crc32(head[:_KEYED_SIZE]))):
        return None
    return Record(Kind(kind), body[:key_length], body[key_length:], expires_ms, sequence, bool(flags))


def size_of(record: Record) -> int:
    """Bytes of a record in the log."""
    return _HEADER_SIZE + len(record.key) + len(record.frame)


def following(data: "bytes | mmap.mmap", position: int) -> int:
    """Where the next undamaged record begins behind a damaged one; -1 if there is none.

    Where the damaged one ends, if one begins there: a value may contain what looks like a record.
    """
    damaged = _begun(data[position : position + _HEADER_SIZE + _MAX_KEY])
    if damaged is not None and record_at(data, position + damaged.size) is not None:
        return position + damaged.size
    found = data.find(_MAGIC_BYTES, position + 1)
    while found >= 0 and record_at(data, found) is None:
        found = data.find(_MAGIC_BYTES, found + 1)
    return found


def damaged_keys(gap: bytes) -> list[bytes | None]:
    """The keys of the damaged records that a gap between two undamaged ones holds; None for one that is not known."""
    keys: list[bytes | None] = []
    while gap:
        record = _begun(gap[: _HEADER_SIZE + _MAX_KEY])
        if record is None:
            return [*keys, None]
        keys.append(None if record.kind == Kind.CLEAR else record.key)
        gap = gap[record.size :]
    return keys


class _Begun(NamedTuple):
    """What is known of a record by its beginning."""

    kind: int
    key: bytes
    size: int


def _begun(data: bytes) -> _Begun | None:
    """The record that these bytes begin with, which has a damaged value, or one wrong byte before it, or both."""
    found = _keyed(data)
    if found is not None:
        return found
    tried = bytearray(data)
    at = 0
    while at < min(len(tried), _HEADER_SIZE + int.from_bytes(data[6:8], "little"), _HEADER_SIZE + _MAX_KEY):
        for byte in range(256):
            tried[at] = byte
            if (found := _keyed(tried)) is not None:
                return found
        tried[at] = data[at]
        at += 1
    return None


def _keyed(data: bytes | bytearray) -> _Begun | None:
    """The record that these bytes begin with, if its first checksum is right."""
    if len(data) < _HEADER_SIZE:
        return None
    _, kind, _, key_length, length, _, _ = _FIELDS.unpack_from(data)
    key = bytes(data[_HEADER_SIZE : _HEADER_SIZE + key_length])
    if data[_FIELDS.size : _KEYED_SIZE] != _CRC.pack(crc32(key, crc32(data[: _FIELDS.size]))):
        return None
    return _Begun(kind, key, _HEADER_SIZE + key_length + length)
