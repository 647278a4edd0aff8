"""STARTTLS over a real socket: nothing said before it is believed, and nothing is served without it."""

import asyncio
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from swaplab.nbd.certificates import server_tls
from swaplab.nbd.listening import Server, serving
from swaplab.nbd.sockets import unix_socket
from swaplab.nbd.wire import Command, Option, OptionReply
from tests.swaplab.nbd.client import ALLOCATION, GO, HELLO, STRUCTURED, command, option, small_export, write

# Sockets, which virtual time does not have.
pytestmark = [pytest.mark.nbd, pytest.mark.threads, pytest.mark.slow]

STARTTLS = option(Option.STARTTLS)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, and `key.pem` beside it."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(path.with_name("key.pem")), "-out", str(path)]
    subprocess.run([*new, *names, *files], check=True, capture_output=True, timeout=60)
    return path


class Client:
    """Reads and writes as told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *said: bytes) -> None:
        self.writer.write(b"".join(said))
        await self.writer.drain()

    async def hear(self, length: int) -> bytes:
        return await self.reader.readexactly(length)

    async def answers(self, count: int = 1) -> list[int]:
        """The kinds of so many replies to options."""
        kinds = []
        for _ in range(count):
            _, _, kind, length = struct.unpack(">QIII", await self.hear(20))
            await self.hear(length)
            kinds.append(kind)
        return kinds

    async def start_tls(self, certificate: Path) -> None:
        await self.writer.start_tls(ssl.create_default_context(cafile=certificate), server_hostname="localhost")

    async def is_closed(self) -> bool:
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def served(certificate: Path) -> AsyncIterator[tuple[Client, Server]]:
    async with small_export() as export:
        with unix_socket() as listener:
            path = listener.getsockname()
            async with serving(listener, export, server_tls(certificate, certificate.with_name("key.pem"))) as server:
                async with asyncio.timeout(60):
                    reader, writer = await asyncio.open_unix_connection(path)
                    client = Client(reader, writer)
                    try:
                        assert await client.hear(18) == b"NBDMAGICIHAVEOPT\0\3"
                        await client.say(HELLO)
                        yield client, server
                    finally:
                        writer.transport.abort()


async def test_a_session(certificate: Path) -> None:
    async with served(certificate) as (client, _):
        await client.say(STARTTLS)
        assert await client.answers() == [OptionReply.ACK]
        await client.start_tls(certificate)
        await client.say(STARTTLS, GO, write(0, b"x" * 300_000), command(Command.READ, 299_999, 2))
        assert await client.answers(3) == [OptionReply.ERR_INVALID, OptionReply.INFO, OptionReply.ACK]
        replies = await client.hear(16 + 18)
        assert replies[:8] == b"\x67\x44\x66\x98\0\0\0\0" and replies[-2:] == b"x\0"
        await client.say(command(Command.DISC))
        assert await client.is_closed()


async def test_nothing_is_served_without_it(certificate: Path) -> None:
    async with served(certificate) as (client, server):
        await client.say(STRUCTURED, GO, option(Option.LIST))
        assert await client.answers(3) == [OptionReply.ERR_TLS_REQD] * 3
        await client.say(option(Option.EXPORT_NAME))
        assert await client.is_closed()
        assert not server.connections


async def test_what_was_negotiated_before_is_forgotten(certificate: Path) -> None:
    async with served(certificate) as (client, server):
        [connection] = server.connections
        connection._negotiation.structured = connection._negotiation.allocation = True
        await client.say(STARTTLS)
        assert await client.answers() == [OptionReply.ACK]
        await client.start_tls(certificate)
        await client.say(ALLOCATION)
        assert await client.answers() == [OptionReply.ERR_INVALID], "structured replies are needed first"


@pytest.mark.parametrize("early", [GO, b"\x16", STARTTLS])
async def test_bytes_before_the_handshake_close_the_connection(certificate: Path, early: bytes) -> None:
    """Whoever is between client and server could slip them in, and they must not be taken for the client's."""
    async with served(certificate) as (client, server):
        await client.say(STARTTLS + early)
        assert await client.is_closed()
        assert not server.connections


@pytest.mark.parametrize("instead", [GO, b"GET / HTTP/1.1\r\n\r\n", b""])
async def test_plain_text_instead_of_the_handshake_closes_the_connection(certificate: Path, instead: bytes) -> None:
    async with served(certificate) as (client, server):
        await client.say(STARTTLS)
        assert await client.answers() == [OptionReply.ACK]
        if instead:
            await client.say(instead)
        else:
            client.writer.write_eof()
        while not await client.is_closed():
            pass  # an alert
        assert not server.connections


async def test_a_server_that_ends_waits_for_no_handshake(certificate: Path) -> None:
    async with served(certificate) as (client, server):
        await client.say(STARTTLS)
        assert await client.answers() == [OptionReply.ACK]
        assert await server.stop()
        assert await client.is_closed()
        assert not server.connections
