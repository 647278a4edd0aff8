"""The second phase: which commands are in order, and how results become replies. Pure.

A command is checked as soon as its header is there. One that is refused brings its payload all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from errno import EINVAL, EIO, ENOMEM, ENOSPC, ENOTSUP, EOVERFLOW, EPERM, ESHUTDOWN
from itertools import groupby
from typing import Any, Final

from . import wire
from .negotiation import CONTEXT
from .wire import MAX_PAYLOAD, Command, CommandFlag, Request, State, WireError

SENDABLE: Final = frozenset({EPERM, EIO, ENOMEM, EINVAL, ENOSPC, EOVERFLOW, ENOTSUP, ESHUTDOWN})
"""Errors that the protocol knows, under Linux's numbers. Any other is EIO."""

Piece = bytes | int
"""Of what was read: bytes, or how many zeroes."""

MAX_EXTENTS: Final = 4096
"""Extents of one reply; a client asks again for what is behind them."""

# Plain numbers from here on: the arithmetic of flags takes longer than a command may, and their own complement has
# known flags only.
_FUA: Final = int(CommandFlag.FUA)
_DF: Final = int(CommandFlag.DF)
_FLAGS: Final[dict[int, int]] = {
    Command.READ: _FUA,
    Command.WRITE: _FUA,
    Command.FLUSH: _FUA,
    Command.TRIM: _FUA,
    Command.CACHE: _FUA,
    Command.WRITE_ZEROES: _FUA | int(CommandFlag.NO_HOLE | CommandFlag.FAST_ZERO),
    Command.BLOCK_STATUS: _FUA | int(CommandFlag.REQ_ONE),
}
_WRITES: Final = frozenset({Command.WRITE, Command.WRITE_ZEROES})


class RefusedError(Exception):
    """A command is not done: an errno that the protocol knows, and why."""

    def __init__(self, errno: int, why: str) -> None:
        super().__init__(why)
        self.errno = errno if errno in SENDABLE else EIO


def payload_size(request: Request) -> int:
    """Bytes that follow the header. WireError for more than any client may send."""
    if request.command != Command.WRITE:
        return 0
    if request.length > MAX_PAYLOAD:
        raise WireError(f"a WRITE of {request.length} bytes, where {MAX_PAYLOAD} are allowed")
    return request.length


@dataclass
class Terms:
    """What was negotiated, and the size of the device in bytes."""

    size: int
    structured: bool = False
    allocation: bool = False

    def check(self, request: Request) -> None:
        """Raise RefusedError for what cannot be done, whatever the device says."""
        command = request.command
        allowed = _FLAGS.get(command)
        if allowed is None:
            raise RefusedError(EINVAL, f"command {command} is not known here")
        if command == Command.READ and self.structured:
            allowed |= _DF
        if request.flags & ~allowed:
            raise RefusedError(EINVAL, f"flags {request.flags:#x} are not for this command")
        if command == Command.FLUSH:
            return
        if command == Command.BLOCK_STATUS and not self.allocation:
            raise RefusedError(EINVAL, "BLOCK_STATUS without a context negotiated")
        if request.offset + request.length > self.size:
            errno = ENOSPC if command in _WRITES else EINVAL
            raise RefusedError(errno, f"{request.offset} + {request.length} is beyond the end, {self.size}")
        if not request.length:
            raise RefusedError(EINVAL, "a length of 0")
        if command == Command.READ and request.length > MAX_PAYLOAD:
            raise RefusedError(EOVERFLOW, f"a READ of {request.length} bytes, where {MAX_PAYLOAD} are allowed")

    def error(self, request: Request, errno: int, why: str) -> bytes:
        """The reply to a command that was not done."""
        if not self.structured:
            return wire.simple_reply(request.cookie, errno)
        return wire.error_chunk(request.cookie, errno, why)

    def read(self, request: Request, pieces: Sequence[Piece]) -> list[bytes]:
        """The reply to a READ, in parts to be sent one after the other."""
        if not self.structured:
            return [wire.simple_reply(request.cookie), *map(_data, pieces)]
        if request.flags & _DF:
            return [wire.data_header(request.cookie, request.offset, request.length, done=True), *map(_data, pieces)]
        reply: list[bytes] = []
        at, end = request.offset, request.offset + request.length
        for kind, run in groupby(pieces, key=type):  # no step of the interpreter for each piece
            part: list[Any] = [*run]
            length = sum(part if kind is int else map(len, part))
            done = at + length == end
            if kind is int:
                reply.append(wire.hole_chunk(request.cookie, at, length, done))
            else:
                reply += [wire.data_header(request.cookie, at, length, done), *part]
            at += length
        return reply

    def block_status(self, request: Request, extents: list[tuple[int, State]]) -> bytes:
        """The reply to a BLOCK_STATUS; with REQ_ONE of the first extent alone."""
        told = extents[:1] if request.flags & CommandFlag.REQ_ONE else extents[:MAX_EXTENTS]
        return wire.block_status_chunk(request.cookie, CONTEXT, told)


def _data(piece: Piece) -> bytes:
    return bytes(piece) if type(piece) is int else piece  # type: ignore[return-value] # bytes is all else
