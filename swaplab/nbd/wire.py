"""The NBD wire format: names, numbers, and bytes to values and back. Pure; nothing here knows a socket or a device.

The protocol is that of the NetworkBlockDevice project; its numbers are big-endian. Names are the
protocol's own, without its prefix.
"""

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final, NamedTuple

GREETING_MAGIC: Final = b"NBDMAGIC"
OPTION_MAGIC: Final = b"IHAVEOPT"
OPTION_REPLY_MAGIC: Final = 0x3E889045565A9
REQUEST_MAGIC: Final = 0x25609513
SIMPLE_REPLY_MAGIC: Final = 0x67446698
STRUCTURED_REPLY_MAGIC: Final = 0x668E33EF

MAX_PAYLOAD: Final = 32 << 20
"""Bytes that a WRITE may bring and a READ may ask for: what clients assume of every server."""
MAX_NAME: Final = 4096
"""Bytes of an export's name or of a query."""


class Greeting(IntFlag):
    """Handshake flags; a client answers with those it understands, under the same numbers."""

    FIXED_NEWSTYLE = 1
    NO_ZEROES = 2


class Option(IntEnum):
    """What a client may ask before it uses the device."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    STARTTLS = 5
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8
    LIST_META_CONTEXT = 9
    SET_META_CONTEXT = 10


class OptionReply(IntEnum):
    """How an option is answered."""

    ACK = 1
    SERVER = 2
    INFO = 3
    META_CONTEXT = 4
    ERR_UNSUP = 1 << 31 | 1
    ERR_POLICY = 1 << 31 | 2
    ERR_INVALID = 1 << 31 | 3
    ERR_TLS_REQD = 1 << 31 | 5
    ERR_UNKNOWN = 1 << 31 | 6
    ERR_TOO_BIG = 1 << 31 | 9


class Info(IntEnum):
    """What INFO and GO tell."""

    EXPORT = 0
    NAME = 1
    DESCRIPTION = 2
    BLOCK_SIZE = 3


class Transmission(IntFlag):
    """What an export can do."""

    HAS_FLAGS = 1 << 0
    SEND_FLUSH = 1 << 2
    SEND_FUA = 1 << 3
    SEND_TRIM = 1 << 5
    SEND_WRITE_ZEROES = 1 << 6
    SEND_DF = 1 << 7
    CAN_MULTI_CONN = 1 << 8
    SEND_CACHE = 1 << 10
    SEND_FAST_ZERO = 1 << 11


class Command(IntEnum):
    """What a client may ask of the device."""

    READ = 0
    WRITE = 1
    DISC = 2
    FLUSH = 3
    TRIM = 4
    CACHE = 5
    WRITE_ZEROES = 6
    BLOCK_STATUS = 7


class CommandFlag(IntFlag):
    """How it is to be done."""

    FUA = 1
    NO_HOLE = 2
    DF = 4
    REQ_ONE = 8
    FAST_ZERO = 16


class Chunk(IntEnum):
    """Parts of a structured reply."""

    NONE = 0
    OFFSET_DATA = 1
    OFFSET_HOLE = 2
    BLOCK_STATUS = 5
    ERROR = 1 << 15 | 1


CHUNK_DONE: Final = 1
"""Flag of the last chunk of a reply."""


class State(IntFlag):
    """What `base:allocation` says of an extent; 0 is data."""

    HOLE = 1
    ZERO = 2


class Request(NamedTuple):
    """A command as it came, without its payload; nothing of it is checked but the magic."""

    flags: int
    command: int
    cookie: int
    offset: int
    length: int


class OptionHeader(NamedTuple):
    """An option as it came, without its data; nothing of it is checked but the magic."""

    option: int
    length: int


class WireError(Exception):
    """What came is not NBD, or not what may come now: the connection is closed, as nothing can be answered."""


_GREETING: Final = Struct(">8s8sH")
_CLIENT_FLAGS: Final = Struct(">I")
_OPTION: Final = Struct(">8sII")
_OPTION_REPLY: Final = Struct(">QIII")
_REQUEST: Final = Struct(">IHHQQI")
_SIMPLE: Final = Struct(">IIQ")
_CHUNK: Final = Struct(">IHHQI")
_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
_U64: Final = Struct(">Q")
_EXPORT: Final = Struct(">QH")
_BLOCK_SIZE: Final = Struct(">HIII")
_HOLE: Final = Struct(">QI")
_ERROR: Final = Struct(">IH")
_EXTENT: Final = Struct(">II")

_CLIENT_MAY: Final = int(Greeting.FIXED_NEWSTYLE | Greeting.NO_ZEROES)

CLIENT_FLAGS_SIZE: Final = _CLIENT_FLAGS.size
OPTION_SIZE: Final = _OPTION.size
REQUEST_SIZE: Final = _REQUEST.size

Bytes = bytes | bytearray | memoryview


# The handshake


def greeting(flags: int) -> bytes:
    """What a server says first."""
    return _GREETING.pack(GREETING_MAGIC, OPTION_MAGIC, flags)


def client_flags(data: Bytes) -> int:
    """What a client says first. WireError for flags that nobody offered: an HTTP request ends here."""
    (flags,) = _CLIENT_FLAGS.unpack_from(data)
    if flags & ~_CLIENT_MAY:
        raise WireError(f"the client flags {flags:#x} are none of ours")
    if not flags & Greeting.FIXED_NEWSTYLE:
        raise WireError("the client does not know the fixed newstyle handshake")
    return int(flags)


def option_header(data: Bytes) -> OptionHeader:
    """The 16 bytes before an option's data."""
    magic, option, length = _OPTION.unpack_from(data)
    if magic != OPTION_MAGIC:
        raise WireError("an option does not begin with its magic")
    return OptionHeader(option, length)


def option_reply(option: int, reply: int, data: bytes = b"") -> bytes:
    """One reply to an option; errors carry a text for people."""
    return _OPTION_REPLY.pack(OPTION_REPLY_MAGIC, option, reply, len(data)) + data


def info_request(data: bytes) -> tuple[str, list[int]]:
    """Of INFO and GO: the export's name, and what the client wants to know. ValueError if it is not that."""
    name, rest = _text(data)
    (count,), infos = _U16.unpack_from(_enough(rest, 2)), rest[2:]
    if len(infos) != 2 * count:
        raise ValueError(f"{count} information requests are announced, and {len(infos)} bytes follow")
    return name, [value for (value,) in _U16.iter_unpack(infos)]


def meta_context_request(data: bytes) -> tuple[str, list[str]]:
    """Of LIST_ and SET_META_CONTEXT: the export's name, and the queries. ValueError if it is not that."""
    name, rest = _text(data)
    (count,), rest = _U32.unpack_from(_enough(rest, 4)), rest[4:]
    queries: list[str] = []
    while rest:
        query, rest = _text(rest)
        queries.append(query)
    if len(queries) != count:
        raise ValueError(f"{count} queries are announced, and {len(queries)} follow")
    return name, queries


def export_name(data: bytes) -> str:
    """Of EXPORT_NAME: the name. ValueError if it is too long or no UTF-8."""
    if len(data) > MAX_NAME:
        raise ValueError(f"a name of {len(data)} bytes is longer than {MAX_NAME}")
    return data.decode()


def info_export(size: int, flags: int) -> bytes:
    """Data of an INFO reply: how large the export is, and what it can do."""
    return _U16.pack(Info.EXPORT) + _EXPORT.pack(size, flags)


def info_text(info: Info, text: str) -> bytes:
    """Data of an INFO reply: a name or a description."""
    return _U16.pack(info) + text.encode()


def info_block_size(minimum: int, preferred: int, maximum: int) -> bytes:
    """Data of an INFO reply: in which pieces the export should be used."""
    return _BLOCK_SIZE.pack(Info.BLOCK_SIZE, minimum, preferred, maximum)


def server(name: str) -> bytes:
    """Data of a SERVER reply to LIST."""
    return _U32.pack(len(name.encode())) + name.encode()


def meta_context(number: int, name: str) -> bytes:
    """Data of a META_CONTEXT reply."""
    return _U32.pack(number) + name.encode()


def export_name_reply(size: int, flags: int, zeroes: bool) -> bytes:
    """The whole answer to EXPORT_NAME; `zeroes`: with the 124 bytes that clients of old wait for."""
    return _EXPORT.pack(size, flags) + bytes(124 if zeroes else 0)


# Transmission


def request(data: Bytes, at: int = 0) -> Request:
    """The 28 bytes of a command, from `at` on."""
    magic, flags, command, cookie, offset, length = _REQUEST.unpack_from(data, at)
    if magic != REQUEST_MAGIC:
        raise WireError("a command does not begin with its magic")
    return Request(flags, command, cookie, offset, length)


def simple_reply(cookie: int, error: int = 0) -> bytes:
    """The whole reply to a command; for a READ that went well, its bytes follow."""
    return _SIMPLE.pack(SIMPLE_REPLY_MAGIC, error, cookie)


def data_header(cookie: int, offset: int, length: int, done: bool) -> bytes:
    """Before `length` bytes of data in a structured reply."""
    head = _CHUNK.pack(STRUCTURED_REPLY_MAGIC, CHUNK_DONE if done else 0, Chunk.OFFSET_DATA, cookie, 8 + length)
    return head + _U64.pack(offset)


def hole_chunk(cookie: int, offset: int, length: int, done: bool) -> bytes:
    """So many zeroes, without sending them."""
    head = _CHUNK.pack(STRUCTURED_REPLY_MAGIC, CHUNK_DONE if done else 0, Chunk.OFFSET_HOLE, cookie, _HOLE.size)
    return head + _HOLE.pack(offset, length)


def none_chunk(cookie: int) -> bytes:
    """The end of a structured reply of which nothing is left to say."""
    return _CHUNK.pack(STRUCTURED_REPLY_MAGIC, CHUNK_DONE, Chunk.NONE, cookie, 0)


def error_chunk(cookie: int, error: int, text: str) -> bytes:
    """A structured reply that says what went wrong, also for people."""
    said = text.encode()[:MAX_NAME]
    head = _CHUNK.pack(STRUCTURED_REPLY_MAGIC, CHUNK_DONE, Chunk.ERROR, cookie, _ERROR.size + len(said))
    return head + _ERROR.pack(error, len(said)) + said


def block_status_chunk(cookie: int, context: int, extents: Sequence[tuple[int, int]]) -> bytes:
    """The extents of one context: of each, how many bytes, and their state."""
    body = _U32.pack(context) + b"".join(_EXTENT.pack(length, state) for length, state in extents)
    return _CHUNK.pack(STRUCTURED_REPLY_MAGIC, CHUNK_DONE, Chunk.BLOCK_STATUS, cookie, len(body)) + body


def _text(data: bytes) -> tuple[str, bytes]:
    """A text with its length before it, and what follows."""
    (length,) = _U32.unpack_from(_enough(data, 4))
    if length > MAX_NAME:
        raise ValueError(f"a name of {length} bytes is longer than {MAX_NAME}")
    return _enough(data, 4 + length)[4 : 4 + length].decode(), data[4 + length :]


def _enough(data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise ValueError(f"{length} bytes are announced, and {len(data)} follow")
    return data
