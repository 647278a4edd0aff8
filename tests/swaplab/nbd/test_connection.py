"""One client's connection, on a transport of our own: what is answered, what is refused, and what is bounded."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from errno import EINVAL, EIO, ENOSPC, EOVERFLOW, ESHUTDOWN
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acomp import PAGE_SIZE, fault
from swaplab import sim
from swaplab.nbd import connection, room
from swaplab.nbd.connection import HANDSHAKE_S, LINGER_S, Connection
from swaplab.nbd.listening import MAX_CONNECTIONS, Server
from swaplab.nbd.wire import Command, CommandFlag, Option
from tests.swaplab.nbd.client import (
    ALLOCATION,
    GO,
    HELLO,
    SIZE,
    STRUCTURED,
    Reply,
    after_handshake,
    command,
    option,
    parse,
    small_export,
    write,
)


class Wire(asyncio.Transport):
    """What the connection has for a transport. `slow`: nobody reads at the other end."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.sent = b""
        self.paused = self.closed = self.slow = False
        self.connection = Connection(server)
        self.connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.sent += data
        if self.slow:
            self.connection.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    abort = close

    def say(self, *data: bytes) -> None:
        for some in data:
            self.connection.data_received(some)

    async def replies(self, lengths: Mapping[int, int] = MappingProxyType({})) -> list[Reply]:
        """All replies so far, when nothing is under way any more."""
        assert await self.connection._export.ended(10.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return parse(after_handshake(self.sent), lengths)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Server, Callable[..., Wire]]]:
    """A server, and a way to connect: with greeting and GO, or with whatever is to be said instead."""
    async with small_export() as export:
        server = Server(export)
        wires: list[Wire] = []

        def connect(*said: bytes) -> Wire:
            wires.append(wire := Wire(server))
            wire.say(*(said or (HELLO, GO)))
            return wire

        yield server, connect
        for wire in wires:
            wire.abort()
        assert await server.stop()
        assert not server.room.used and not server.connections and not server.room._line


async def test_simple_replies() -> None:
    async with served() as (_, connect):
        wire = connect()
        wire.say(write(100, b"abc", cookie=7))
        assert await wire.replies() == [Reply(7)]
        wire.say(command(Command.FLUSH, cookie=2), command(Command.CACHE, 0, 1, cookie=3))
        wire.say(command(Command.READ, 99, 5, cookie=8))
        assert await wire.replies({8: 5}) == [Reply(7), Reply(2), Reply(3), Reply(8, 0, b"\0abc\0")]


async def test_structured_replies_tell_holes_from_data() -> None:
    async with served() as (_, connect):
        wire = connect(HELLO, STRUCTURED, ALLOCATION, GO)
        wire.say(write(PAGE_SIZE, b"x" * PAGE_SIZE))
        await wire.replies()
        wire.say(command(Command.READ, 0, 3 * PAGE_SIZE, cookie=2))
        data = bytes(PAGE_SIZE) + b"x" * PAGE_SIZE + bytes(PAGE_SIZE)
        assert (await wire.replies())[1] == Reply(2, 0, data, (2, 1, 2))
        wire.say(command(Command.READ, 0, 3 * PAGE_SIZE, cookie=3, flags=CommandFlag.DF))
        assert (await wire.replies())[2] == Reply(3, 0, data, (1,))
        wire.say(command(Command.BLOCK_STATUS, 0, SIZE, cookie=4))
        extents = struct.pack(">6I", PAGE_SIZE, 3, PAGE_SIZE, 0, SIZE - 2 * PAGE_SIZE, 3)
        assert (await wire.replies())[3] == Reply(4, 0, extents, (5,))
        wire.say(command(Command.BLOCK_STATUS, 100, SIZE // 2, cookie=5, flags=CommandFlag.REQ_ONE))
        assert (await wire.replies())[4].data == struct.pack(">2I", PAGE_SIZE - 100, 3)


@pytest.mark.parametrize("how", ["whole", "byte by byte", "cut"])
async def test_however_the_bytes_arrive(how: str) -> None:
    async with served() as (_, connect):
        said = HELLO + STRUCTURED + GO + write(5, b"hello") + command(Command.TRIM, 0, 3, cookie=2)
        size = {"whole": len(said), "byte by byte": 1, "cut": 33}[how]
        wire = connect(*(said[at : at + size] for at in range(0, len(said), size)))
        assert sorted(await wire.replies()) == [Reply(1), Reply(2)]


FORBIDDEN = [
    (command(Command.READ, SIZE - 1, 2), EINVAL),
    (command(Command.READ, 1 << 63, 2), EINVAL),
    (write(SIZE - 1, b"ab"), ENOSPC),
    (command(Command.WRITE_ZEROES, SIZE, 1), ENOSPC),
    (command(Command.WRITE_ZEROES, 0, 0xFFFFFFFF), ENOSPC),
    (command(Command.TRIM, SIZE, 1), EINVAL),
    (command(Command.CACHE, SIZE, 1), EINVAL),
    (command(Command.READ, 0, 0), EINVAL),
    (command(Command.WRITE, 0, 0), EINVAL),
    (command(Command.BLOCK_STATUS, 0, 1), EINVAL),
    (command(77, 0, 1), EINVAL),
    (command(Command.READ, 0, 1, flags=32), EINVAL),
    (command(Command.READ, 0, 1, flags=CommandFlag.DF), EINVAL),
    (command(Command.TRIM, 0, 1, flags=CommandFlag.NO_HOLE), EINVAL),
    (write(0, b"x", flags=CommandFlag.FAST_ZERO), EINVAL),
]


@pytest.mark.parametrize("structured", [False, True])
async def test_what_is_refused_is_answered_and_the_connection_goes_on(structured: bool) -> None:
    async with served() as (_, connect):
        wire = connect(HELLO, *([STRUCTURED] if structured else []), GO)
        expected = []
        for said, errno in FORBIDDEN:
            if structured and said == command(Command.READ, 0, 1, flags=CommandFlag.DF):
                continue  # which is allowed then
            wire.say(said)
            expected.append(errno)
        assert [reply.error for reply in await wire.replies()] == expected
        wire.say(write(0, b"x", flags=CommandFlag.FUA))
        assert (await wire.replies())[-1] == Reply(1)


async def test_a_read_that_is_too_long_is_an_overflow() -> None:
    async with small_export(64 << 20) as export:
        wire = Wire(Server(export))
        wire.say(HELLO, GO, command(Command.READ, 0, (32 << 20) + 1))
        assert await wire.replies() == [Reply(1, EOVERFLOW)]
        wire.abort()
        await asyncio.sleep(0)


async def test_a_device_that_fails_is_an_error_of_its_command() -> None:
    async with served() as (server, connect):
        wire = connect(HELLO, STRUCTURED, GO)
        with fault.installed(lambda point: point == "swap.device_write"):
            wire.say(write(0, b"\1" * PAGE_SIZE))
            assert await wire.replies() == [Reply(1, EIO, b"", (0x8001,))]
        assert b"cannot write" in wire.sent
        wire.say(command(Command.FLUSH, cookie=2), command(Command.READ, 0, 1, cookie=3))
        assert (await wire.replies())[1:] == [Reply(2), Reply(3, 0, b"\1", (1,))]
        assert not server.export.kept


CLOSING = {
    "an HTTP request": (b"GET / HTTP/1.1\r\n\r\n",),
    "a client of old": (b"\0\0\0\0",),
    "no option": (HELLO, b"IHAVEOPX" + bytes(8)),
    "an option that is too long": (HELLO, b"IHAVEOPT" + struct.pack(">II", 7, 8193)),
    "an option of 4 GiB": (HELLO, b"IHAVEOPT" + struct.pack(">II", 99, 0xFFFFFFFF)),
    "too many options": (HELLO, *[option(99)] * 65),
    "another export": (HELLO, option(Option.EXPORT_NAME, b"other")),
    "no command": (HELLO, GO, bytes(28)),
    "a WRITE that is too long": (HELLO, GO, command(Command.WRITE, 0, (32 << 20) + 1)),
    "a WRITE of 4 GiB": (HELLO, GO, command(Command.WRITE, 0, 0xFFFFFFFF)),
    "DISC": (HELLO, GO, command(Command.DISC)),
    "ABORT": (HELLO, option(Option.ABORT)),
}


@pytest.mark.parametrize("what", CLOSING)
async def test_what_closes_the_connection(what: str) -> None:
    async with served() as (server, connect):
        wire = connect(*CLOSING[what])
        assert wire.is_closing()
        wire.say(write(0, b"x"))  # what comes after it does nothing
        await asyncio.sleep(0)
        assert not server.connections
        assert await server.export.read(0, 1) == [1]


async def test_disc_waits_for_what_was_asked_before() -> None:
    async with served() as (server, connect):
        wire = connect()
        wire.say(write(0, b"x" * PAGE_SIZE) + command(Command.DISC) + write(0, b"y"))
        assert not wire.is_closing()
        assert await wire.replies() == [Reply(1)]
        assert wire.is_closing()
        await asyncio.sleep(0)
        assert not server.connections


async def test_what_was_read_completely_is_done_although_its_client_vanishes() -> None:
    async with served() as (server, connect):
        wire = connect()
        wire.say(write(0, b"x" * PAGE_SIZE), write(PAGE_SIZE, b"y" * PAGE_SIZE)[:-1])
        wire.abort()
        await asyncio.sleep(0)
        assert server.room.used == PAGE_SIZE + room.COMMAND_BYTES, "that of the first one, which is under way"
        assert await server.export.ended(1.0)
        await asyncio.sleep(0)
        first, second = await server.export.read(0, 2 * PAGE_SIZE)
        assert first == b"x" * PAGE_SIZE and second == PAGE_SIZE
        assert not server.room.used


async def test_no_more_than_so_many_connections() -> None:
    async with served() as (server, connect):
        wires = [connect() for _ in range(MAX_CONNECTIONS)]
        more = Wire(server)
        assert more.is_closing() and not more.sent
        wires[0].abort()
        await asyncio.sleep(0)
        assert not connect().is_closing()


async def test_reading_stops_at_the_bound_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CLIENT_BYTES", 3 * PAGE_SIZE)
    async with served() as (server, connect):
        wire = connect()
        wire.say(b"".join(write(n * PAGE_SIZE, b"x" * PAGE_SIZE, cookie=n) for n in range(6)))
        assert wire.paused and server.room.used <= 3 * PAGE_SIZE
        assert sorted(await drained(wire)) == [Reply(n) for n in range(6)]
        assert not wire.paused


async def test_no_more_is_read_than_the_export_can_be_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "AT_WORK_BYTES", 3 * PAGE_SIZE)
    async with served() as (server, connect):
        wire, other = connect(), connect()
        wire.say(b"".join(write(n * PAGE_SIZE, b"x" * PAGE_SIZE, cookie=n) for n in range(6)))
        assert wire.paused and server.room.used == 3 * (PAGE_SIZE + room.COMMAND_BYTES)
        other.say(write(6 * PAGE_SIZE, b"x" * PAGE_SIZE, cookie=6))
        assert not other.paused, "that is for each client"
        assert await drained(wire) == [Reply(n) for n in range(6)]
        assert await other.replies() == [Reply(6)]
        assert not server.room.used


async def test_what_was_not_read_since_too_much_was_at_work_is_refused_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "AT_WORK_BYTES", PAGE_SIZE)
    async with served() as (server, connect):
        wire = connect()
        wire.say(b"".join(write(n * PAGE_SIZE, b"x" * PAGE_SIZE, cookie=n) for n in range(3)))
        assert wire.paused
        await server.stop()
        assert await wire.replies() == [Reply(0), Reply(1, ESHUTDOWN), Reply(2, ESHUTDOWN)]


async def drained(wire: Wire) -> list[Reply]:
    while wire.paused:
        await wire.replies()
    return await wire.replies()


async def test_clients_are_served_in_order_when_all_room_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ALL_BYTES", 4 * PAGE_SIZE)
    async with served() as (server, connect):
        wires = [connect() for _ in range(4)]
        for n, wire in enumerate(wires):
            wire.say(write(2 * n * PAGE_SIZE, b"x" * 2 * PAGE_SIZE))
        assert [wire.paused for wire in wires] == [False, True, True, True]
        wires[2].abort()  # it waits, and is gone
        for wire in (wires[0], wires[1], wires[3]):
            assert await drained(wire) == [Reply(1)]
        assert not server.room._line


async def test_nobody_is_admitted_while_he_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that wait are served in one go, and each asks for more at once."""
    monkeypatch.setattr(room, "ALL_BYTES", 4)
    monkeypatch.setattr(room, "CLIENT_BYTES", 4)
    shares: list[room.Share] = []
    all_room, claiming, granted = room.Room(), False, list[int]()

    def admitted(number: int, nbytes: int) -> None:
        nonlocal claiming
        assert not claiming
        granted.append(number)
        claiming = True
        shares[number].claim(1)
        claiming = False

    shares += [all_room.share(partial(admitted, number), lambda: None) for number in range(3)]
    assert shares[0].claim(4) and not shares[1].claim(1) and not shares[2].claim(1)
    shares[0].release(4)
    assert granted == [1, 2, 1, 2] and all_room.used == 4
    for share in shares:
        share.close()


async def test_replies_that_nobody_reads_count_as_in_flight() -> None:
    async with served() as (server, connect):
        wire = connect()
        wire.slow = True
        wire.say(command(Command.READ, 0, PAGE_SIZE))
        await wire.replies({1: PAGE_SIZE})
        assert server.room.used == PAGE_SIZE + room.COMMAND_BYTES
        wire.connection.resume_writing()
        assert not server.room.used


async def test_shutting_down_finishes_what_was_read_and_refuses_the_rest() -> None:
    async with served() as (server, connect):
        wire, idle = connect(), connect()
        wire.say(write(0, b"x" * PAGE_SIZE, cookie=1))
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        wire.say(write(0, b"y" * PAGE_SIZE, cookie=2))
        late = Wire(server)
        assert late.is_closing() and not late.sent
        assert await stopping and wire.is_closing() and idle.is_closing()
        assert sorted(parse(after_handshake(wire.sent), {})) == [Reply(1), Reply(2, ESHUTDOWN)]
        assert await server.export.read(0, 1) == [b"x"]


def in_virtual_time(test: Callable[[Server, Callable[..., Wire]], Any]) -> None:
    async def run() -> None:
        async with served() as (server, connect):
            await test(server, connect)

    sim.run(run())


@pytest.mark.parametrize("said", [(b"",), (HELLO,), (HELLO, GO[:-1]), (HELLO, STRUCTURED)])
def test_a_handshake_has_ten_seconds(said: tuple[bytes, ...]) -> None:
    async def test(server: Server, connect: Callable[..., Wire]) -> None:
        wire = connect(*said)
        await asyncio.sleep(HANDSHAKE_S - 0.001)
        assert not wire.is_closing()
        await asyncio.sleep(0.002)
        assert wire.is_closing()

    in_virtual_time(test)


def test_who_has_negotiated_may_be_idle_for_ever() -> None:
    async def test(server: Server, connect: Callable[..., Wire]) -> None:
        whole, half, header = connect(), connect(), connect()
        half.say(command(Command.READ)[:-1])
        header.say(command(Command.WRITE, 0, 9))
        await asyncio.sleep(10_000)
        assert not whole.is_closing() and not half.is_closing() and not header.is_closing(), (
            "nobody wants what they have"
        )

    in_virtual_time(test)


@pytest.mark.parametrize("how", ["half a payload", "reads nothing"])
def test_who_holds_room_without_moving_is_turned_out_when_others_wait(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ALL_BYTES", 4 * PAGE_SIZE)

    async def test(server: Server, connect: Callable[..., Wire]) -> None:
        staller, other = connect(), connect()
        if how == "half a payload":
            staller.say(command(Command.WRITE, 0, 3 * PAGE_SIZE), b"x" * PAGE_SIZE)
        else:
            staller.slow = True
            staller.say(command(Command.READ, 0, 3 * PAGE_SIZE))
            await staller.replies({1: 3 * PAGE_SIZE})
        await asyncio.sleep(1000.0)
        assert not staller.is_closing()
        other.say(write(0, b"y" * 2 * PAGE_SIZE))
        assert other.paused
        await asyncio.sleep(room.STALL_S + 1.0)
        assert staller.is_closing() and not other.is_closing()
        assert await other.replies() == [Reply(1)]

    in_virtual_time(test)


def test_a_client_that_reads_nothing_does_not_hold_up_the_end() -> None:
    async def test(server: Server, connect: Callable[..., Wire]) -> None:
        class Stuck(Wire):
            def close(self) -> None:
                """There is something left to be sent."""

        wire = Stuck(server)
        wire.say(HELLO, GO)
        began = asyncio.get_running_loop().time()
        assert await server.stop()
        assert asyncio.get_running_loop().time() - began <= LINGER_S + 1.0
        assert wire.is_closing()

    in_virtual_time(test)


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([HELLO, GO, STRUCTURED, ALLOCATION, option(Option.LIST), write(3, b"abc"), command(Command.DISC)]),
    st.builds(
        lambda what, offset, length, flags: command(what, offset, length, flags=flags),
        st.integers(0, 9),
        st.one_of(st.integers(0, SIZE), st.integers(0, (1 << 64) - 1)),
        st.one_of(st.integers(0, SIZE), st.integers(0, (1 << 32) - 1)),
        st.integers(0, 33),
    ),
)


@given(st.booleans(), st.lists(PIECES, max_size=12), st.integers(1, 50))
@settings(max_examples=150)
def test_whatever_is_said_nothing_breaks_and_nothing_is_left(go: bool, said: list[bytes], cut: int) -> None:
    async def test(server: Server, connect: Callable[..., Wire]) -> None:
        wire = connect(HELLO, GO) if go else connect(b"")
        for piece in said:
            for at in range(0, len(piece), cut):
                wire.say(piece[at : at + cut])
                await asyncio.sleep(0)
        assert server.room.used <= room.CLIENT_BYTES
        await server.export.ended(10.0)
        await asyncio.sleep(0)

    in_virtual_time(test)
