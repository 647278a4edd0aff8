"""Servers in processes of their own, what they have taken, and requests for them as bytes."""

import asyncio
import contextlib
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .rows import Row

SERVE = ("-m", "swaplab", "serve", "--port", "0")


@dataclass
class Server:
    """A process that serves, and what it has taken."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def cpu_s(self) -> float:
        """Processor time so far, of all its threads."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def addressed(self, asked: bytes) -> bytes:
        """A request with this server's port."""
        return asked.replace(b"PORT", str(self.port).encode(), 1)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes) -> bytes:
        """The body of the answer, which is a good one, over a connection."""
        writer.write(self.addressed(asked))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head[9:10] == b"2", head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return await reader.readexactly(int(length or b"0"))

    async def ask(self, asked: bytes) -> bytes:
        """The same, over a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await self.answer(reader, writer, asked)
        finally:
            writer.close()


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """A server until the end of this."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Server(process, int(process.stdout.readline().rpartition(":")[2]))
    finally:
        process.kill()
        process.communicate()


def request(method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream") -> bytes:
    """The bytes of a request; the port in its Host is filled in later."""
    length = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost:PORT\r\n{length}\r\n".encode() + body


async def send(server: Server, requests: Sequence[bytes], connections: int = 4) -> None:
    """Send all of them over some connections, one after the other on each."""

    async def one(some: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for each in some:
            await server.answer(reader, writer, each)
        writer.close()

    await asyncio.gather(*(one(requests[number::connections]) for number in range(connections)))


def row(name: str, values: Sequence[float], limits: Sequence[float], unit: str, target: float, aim: float) -> Row:
    """A ratio of each round, and its median."""
    ratios = [value / limit for value, limit in zip(values, limits, strict=True)]
    value, limit = statistics.median(values), statistics.median(limits)
    spread = (min(ratios), max(ratios))
    return Row(name, value, unit, limit, statistics.median(ratios), target, aim, "fraction", "lower", spread)
