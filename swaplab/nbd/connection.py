"""One client's connection: bytes come in, are cut into options and commands, and replies go out in any order.

It owns no command: the export does. It does no I/O but on its transport, and stops reading when there is no room.
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from errno import EIO, ENOMEM, ESHUTDOWN
from functools import partial
from typing import Any, Final, Protocol, cast

import zswap

from . import wire
from .export import Export
from .negotiation import Negotiation, Then, Tls
from .room import COMMAND_BYTES, Room
from .transmission import RefusedError, Terms, payload_size
from .wire import Command, CommandFlag, Greeting, Request, WireError

HANDSHAKE_S: Final = 10.0
MAX_OPTIONS: Final = 64
MAX_OPTION_BYTES: Final = 8192
LINGER_S: Final = 5.0
"""For which a client may go on reading what it asked for when the connection is to be closed."""
AT_WORK_BYTES: Final = 1 << 20
"""Bytes of the commands that the export is at, for one client, from which on no more of them are read.

There is one store for all: a command that only waits for its turn gets it no sooner, and its bytes take our memory
instead of the client's.
"""
HIGH_WATER: Final = 1 << 20
"""Bytes that wait for a slow client from which on they count as in flight."""


class Server(Protocol):
    """What a connection knows of the server it belongs to."""

    export: Export
    room: Room
    tls: ssl.SSLContext | None
    stopping: bool

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what takes time and is nobody's command."""

    def admit(self, connection: "Connection") -> bool:
        """Whether one more may come in."""

    def gone(self, connection: "Connection") -> None:
        """It was admitted, and is gone."""


class Connection(asyncio.Protocol):
    """The protocol object of one client, from its first byte to its last."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._export = server.export
        self._share = server.room.share(self._admitted, self.abort)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._received = bytearray()
        self._at = 0  # what lies before it is done with
        self._needed = wire.CLIENT_FLAGS_SIZE  # bytes for the next step
        self._step: Callable[[int], None] = self._client_flags
        self._held_up = False  # until there is room, or TLS, or less at work
        self._crowded = False  # it is the last of these
        self._leaving = False  # nothing more is read
        self._slow = False  # the client does not read what we send
        self._unsent = 0  # bytes of the share whose replies wait for that
        self._commands = 0  # in flight
        self._at_work = 0  # their bytes
        self._options = 0
        self._option = wire.OptionHeader(0, 0)
        tls = Tls.NONE if server.tls is None else Tls.REQUIRED
        self._negotiation = Negotiation(self._export.size, tls=tls)
        self._terms = Terms(self._export.size)
        self._request = Request(0, 0, 0, 0, 0)  # of which the payload is read
        self._refused: RefusedError | None = None
        self._claimed = 0  # bytes of the share that it has

    def __repr__(self) -> str:
        doing = self._step.__name__.strip("_").replace("_", " ")
        return f"<Connection: {self._commands} commands, {self._share.used} bytes in flight, next the {doing}>"

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet it, unless there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.admit(self):
            self.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_S, self.abort)
        self._transport.set_write_buffer_limits(HIGH_WATER)
        self._transport.write(wire.greeting(Greeting.FIXED_NEWSTYLE | Greeting.NO_ZEROES))

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._leaving:
            return
        self._received += data
        self._advance()

    def pause_writing(self) -> None:
        """It reads more slowly than we answer."""
        self._slow = True
        self._watch_stall()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._slow = False
        self._watch_stall()
        unsent, self._unsent = self._unsent, 0
        self._share.release(unsent)

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone; its commands are finished all the same."""
        if self._transport is None:
            return
        self._transport = None
        self._leaving = True
        self._received.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._share.close()
        self._share.release(self._unsent + self._claimed)
        self._unsent = self._claimed = 0
        self._server.gone(self)

    # How it ends.

    def abort(self) -> None:
        """End it now."""
        self._leaving = True
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Read nothing more, and end it when all commands are answered."""
        self._leaving = True
        if self._commands or self._transport is None or self._transport.is_closing():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self.abort)
        self._transport.close()

    # Cutting what came into steps.

    def _advance(self) -> None:
        """Do what has come completely, but not so much that others wait: then the rest at the loop's next turn."""
        turns = self._export.swap.zswap.turns
        turns.given()
        try:
            while not (self._held_up or self._leaving) and len(self._received) - self._at >= self._needed:
                if self._at_work >= AT_WORK_BYTES:
                    self._hold_up()
                    self._crowded = True
                    break
                if turns.is_due:
                    self._hold_up()
                    asyncio.get_running_loop().call_soon(self._go_on)
                    break
                at = self._at
                self._at += self._needed
                self._step(at)
        except WireError:
            self.abort()
        del self._received[: self._at]
        self._at = 0

    def _next(self, step: Callable[[int], None], needed: int) -> None:
        self._step = step
        self._needed = needed

    def _bytes(self, at: int) -> bytes:
        """What the present step needed."""
        with memoryview(self._received) as received:
            return bytes(received[at : self._at])

    def _hold_up(self) -> None:
        assert self._transport is not None
        self._held_up = True
        self._transport.pause_reading()

    def _go_on(self) -> None:
        self._held_up = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._advance()

    # Options.

    def _client_flags(self, at: int) -> None:
        flags = wire.client_flags(self._bytes(at))
        self._negotiation.no_zeroes = bool(flags & Greeting.NO_ZEROES)
        self._next(self._option_header, wire.OPTION_SIZE)

    def _option_header(self, at: int) -> None:
        self._option = wire.option_header(self._bytes(at))
        self._options += 1
        if self._options > MAX_OPTIONS or self._option.length > MAX_OPTION_BYTES:
            raise WireError(f"option {self._options} of {self._option.length} bytes")
        self._next(self._option_data, self._option.length)

    def _option_data(self, at: int) -> None:
        answer, then = self._negotiation.answer(self._option.option, self._bytes(at))
        self._next(self._option_header, wire.OPTION_SIZE)
        if then is Then.TLS:
            if len(self._received) > self._at:
                raise WireError("bytes before the TLS handshake")
            self._hold_up()
        self._send(answer)
        if then is Then.TLS:
            self._server.begin(self._upgrade())
        elif then is Then.TRANSMISSION:
            self._transmit()
        elif then is Then.CLOSE:
            self.leave()

    def _transmit(self) -> None:
        assert self._timer is not None
        self._timer.cancel()
        agreed = self._negotiation
        self._terms = Terms(agreed.size, structured=agreed.structured, allocation=agreed.allocation)
        self._next(self._request_header, wire.REQUEST_SIZE)

    async def _upgrade(self) -> None:
        """The TLS handshake. What was negotiated before it is forgotten; its deadline is that of the handshake."""
        assert self._transport is not None and self._server.tls is not None
        self._negotiation = Negotiation(self._export.size, tls=Tls.DONE, no_zeroes=self._negotiation.no_zeroes)
        plain, encrypted = self._transport, None
        loop, context = asyncio.get_running_loop(), self._server.tls
        try:
            with suppress(OSError):  # ssl.SSLError, ConnectionError and TimeoutError are
                encrypted = await loop.start_tls(
                    plain, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
                )
        finally:
            if encrypted is None:
                plain.abort()
                self.connection_lost(None)  # which nobody else says of a handshake
        if encrypted is None or self._transport is None:
            plain.abort()
            return
        self._transport = encrypted
        encrypted.set_write_buffer_limits(HIGH_WATER)
        self._held_up = False
        self._advance()

    # Commands.

    def _request_header(self, at: int) -> None:
        self._request = request = wire.request(self._received, at)
        payload = payload_size(request)
        if request.command == Command.DISC:
            self.leave()
            return
        self._refused = None
        try:
            self._terms.check(request)
        except RefusedError as refused:
            self._refused = refused
        asked = request.length if request.command == Command.READ and self._refused is None else payload
        if self._share.claim(COMMAND_BYTES + asked):
            self._claimed = COMMAND_BYTES + asked
            self._await_payload(payload)
        else:
            self._hold_up()

    def _admitted(self, nbytes: int) -> None:
        """There is room for the command whose header was read."""
        self._claimed = nbytes
        self._await_payload(payload_size(self._request))
        self._go_on()

    def _await_payload(self, payload: int) -> None:
        if payload:
            self._next(self._payload, payload)
            self._watch_stall()
        else:
            self._perform(b"")

    def _payload(self, at: int) -> None:
        self._perform(self._bytes(at))

    def _perform(self, payload: bytes) -> None:
        """Have a command done that was read completely."""
        request, cost, self._claimed = self._request, self._claimed, 0
        self._next(self._request_header, wire.REQUEST_SIZE)
        self._watch_stall()
        if self._server.stopping:
            self._answer(request, cost, RefusedError(ESHUTDOWN, "the server is shutting down"))
        elif self._refused is not None:
            self._answer(request, cost, self._refused)
        elif request.command == Command.WRITE and self._export.write_at_once(request.offset, payload):
            self._answer(request, cost, None)
        elif request.command == Command.READ and (pieces := self._export.read_at_once(request.offset, request.length)):
            self._answer(request, cost, None, pieces)
        elif (command := self._command(request, payload)) is None:
            self._answer(request, cost, None)
        else:
            self._commands += 1
            self._at_work += cost
            task = self._export.begin(command)
            task.add_done_callback(partial(self._done, request, cost))

    def _command(self, request: Request, payload: bytes) -> Coroutine[Any, Any, Any] | None:
        """What the export has to do; None if that is nothing that takes time."""
        export, offset, length = self._export, request.offset, request.length
        if request.command == Command.READ:
            return export.read(offset, length)
        if request.command == Command.WRITE:
            return export.write(offset, payload)
        if request.command == Command.TRIM:
            return export.trim(offset, length)
        if request.command == Command.WRITE_ZEROES:
            return export.write_zeroes(offset, length, no_hole=bool(request.flags & CommandFlag.NO_HOLE))
        if request.command == Command.FLUSH and export.kept:
            return export.flush()
        return None

    def _done(self, request: Request, cost: int, task: "asyncio.Task[Any]") -> None:
        self._commands -= 1
        self._at_work -= cost
        if task.cancelled():
            self._answer(request, cost, RefusedError(ESHUTDOWN, "the server has ended"))
        elif (error := task.exception()) is not None:
            self._answer(request, cost, _refusal(error))
        else:
            self._answer(request, cost, None, task.result())
        if self._crowded and self._at_work < AT_WORK_BYTES:
            self._crowded = False
            self._go_on()
        if self._leaving:
            self.leave()

    def _answer(self, request: Request, cost: int, refused: RefusedError | None, result: Any = None) -> None:
        """Reply to a command, which is not in flight any more then, unless its client is slow."""
        if refused is not None:
            self._send(self._terms.error(request, refused.errno, str(refused)))
        elif request.command == Command.READ:
            self._send(*self._terms.read(request, result))
        elif request.command == Command.BLOCK_STATUS:
            extents = self._export.block_status(request.offset, request.length)
            self._send(self._terms.block_status(request, extents))
        else:
            self._send(wire.simple_reply(request.cookie))
        if self._slow and self._transport is not None:
            self._unsent += cost
        else:
            self._share.release(cost)

    def _send(self, *parts: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def _watch_stall(self) -> None:
        """Say since when the client is to move: it has half a payload to send, or replies to read."""
        if not (self._slow or self._claimed):
            self._share.stalled_since = None
        elif self._share.stalled_since is None:
            self._share.stalled_since = asyncio.get_running_loop().time()


def _refusal(error: BaseException) -> RefusedError:
    """What a client is told of an exception; what is no known failure goes to the loop's handler as well."""
    if isinstance(error, OSError):
        return RefusedError(error.errno or EIO, error.strerror or str(error))
    if isinstance(error, MemoryError):
        return RefusedError(ENOMEM, "no memory")
    if not isinstance(error, zswap.ZswapError):
        asyncio.get_running_loop().call_exception_handler({"message": "a command failed", "exception": error})
    return RefusedError(EIO, str(error))
