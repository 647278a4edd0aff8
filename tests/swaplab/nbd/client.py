"""A client for the tests, which says what it is told to, forbidden or not; and an export for it to talk to."""

import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import acomp
import zswap
from swaplab.nbd.export import Export, nr_slots
from swaplab.nbd.wire import Chunk, Command, Option
from tests.zswap.null_algorithm import null_algorithm

SIZE = 1 << 20
HELLO = b"\0\0\0\3"


class Reply(NamedTuple):
    """One reply: the cookie, an errno, and the data of all chunks (of extents: pairs)."""

    cookie: int
    error: int = 0
    data: bytes = b""
    kinds: tuple[int, ...] = ()


@asynccontextmanager
async def small_export(size: int = SIZE) -> AsyncIterator[Export]:
    """An export over the null algorithm and a device in memory."""
    with acomp.registry(), null_algorithm():
        device = zswap.MemoryDevice(nr_slots(size))
        async with zswap.Swap.open(zswap.Params(compressor="null-async"), device=device) as swap:
            yield Export(swap, size)


def option(number: int, data: bytes = b"") -> bytes:
    return b"IHAVEOPT" + struct.pack(">II", number, len(data)) + data


GO = option(Option.GO, struct.pack(">IH", 0, 0))
STRUCTURED = option(Option.STRUCTURED_REPLY)
ALLOCATION = option(Option.SET_META_CONTEXT, struct.pack(">III", 0, 1, 15) + b"base:allocation")


def command(
    what: int, offset: int = 0, length: int = 0, *, flags: int = 0, cookie: int = 1, data: bytes | None = None
) -> bytes:
    return struct.pack(">IHHQQI", 0x25609513, flags, what, cookie, offset, length) + (data or b"")


def write(offset: int, data: bytes, *, cookie: int = 1, flags: int = 0) -> bytes:
    return command(Command.WRITE, offset, len(data), flags=flags, cookie=cookie, data=data)


def after_handshake(sent: bytes) -> bytes:
    """What a server has sent after greeting and options."""
    assert sent.startswith(b"NBDMAGICIHAVEOPT\0\3")
    at = 18
    while sent[at : at + 8] == struct.pack(">Q", 0x3E889045565A9):
        at += 20 + struct.unpack(">I", sent[at + 16 : at + 20])[0]
    return sent[at:]


def parse(sent: bytes, lengths: Mapping[int, int]) -> list[Reply]:
    """All replies. `lengths`: by cookie, the bytes of data that a simple reply has if all went well."""
    replies, parts = list[Reply](), dict[int, Reply]()
    while sent:
        (magic,) = struct.unpack(">I", sent[:4])
        if magic == 0x67446698:
            error, cookie = struct.unpack(">IQ", sent[4:16])
            take = 0 if error else lengths.get(cookie, 0)
            replies.append(Reply(cookie, error, sent[16 : 16 + take]))
            sent = sent[16 + take :]
            continue
        assert magic == 0x668E33EF
        flags, kind, cookie, length = struct.unpack(">HHQI", sent[4:20])
        body, sent = sent[20 : 20 + length], sent[20 + length :]
        so_far = parts.pop(cookie, Reply(cookie))
        error = struct.unpack(">I", body[:4])[0] if kind & 0x8000 else so_far.error
        data = b""
        if kind == Chunk.OFFSET_HOLE:
            data = bytes(struct.unpack(">I", body[8:])[0])
        elif kind in (Chunk.OFFSET_DATA, Chunk.BLOCK_STATUS):
            data = body[8:] if kind == Chunk.OFFSET_DATA else body[4:]
        parts[cookie] = Reply(cookie, error, so_far.data + data, (*so_far.kinds, kind))
        if flags & 1:
            replies.append(parts.pop(cookie))
    assert not parts
    return replies
