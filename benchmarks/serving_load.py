"""The service under load: what slow clients make it hold, and how late it is beside a job.

Both take minutes, for a slow body has half a minute, and a 99th percentile needs some thousand answers.
"""

import asyncio
import contextlib
import itertools
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from .rows import Row
from .served import SERVE, Server, request, row, send, serving

CLIENTS = 150
"""Slow ones, and as many that are not."""
BODY_BYTES = 64 << 10
SLOW_BYTES = 1 << 10
"""Of a slow client, each second."""
SLOW_S = 32.0
"""Until the service has given up on the first of them."""
PAUSE_S = 1.0
"""Of the others, between two requests."""

RATE = 200
"""Requests a second, each at its time, whether those before were answered or not."""
WINDOW_S = 5.0
CONNECTIONS = 16
JOB = b'{"kind": "usemem", "scale": 64, "columns": ["base", "v8"]}'


async def memory_row(pages: Sequence[bytes], seconds: float = SLOW_S) -> Row:
    """How much more the service holds at most, than before they all came and after each had been there once."""
    body = b"".join(pages[:16])
    puts = [request("PUT", f"/v1/stores/s/folios/{number * 16}", body) for number in range(2 * CLIENTS)]
    with serving(*SERVE) as server:
        await send(server, [request("PUT", "/v1/stores/s", b"{}", "application/json")])
        await send(server, puts)
        before = _resident_kib(server, "VmRSS")
        _forget_peak(server)
        until = asyncio.get_running_loop().time() + seconds
        slow = (_slow(server, each, until) for each in puts[:CLIENTS])
        await asyncio.gather(*slow, *(_steady(server, each, until) for each in puts[CLIENTS:]))
        grown = (_resident_kib(server, "VmHWM") - before) / 1024
    name = f"service: memory, {CLIENTS} clients that PUT at 1 KiB/s beside {CLIENTS} others"
    return Row(name, grown, "MiB", None, None, 64, 32, "value", "lower", (grown, grown))


async def _slow(server: Server, put: bytes, until: float) -> None:
    """Send a request bit by bit, and another when that was refused, until it is time."""
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head, _, body = server.addressed(put).partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(body), SLOW_BYTES):
                if loop.time() >= until:
                    break
                writer.write(body[at : at + SLOW_BYTES])
                await writer.drain()
                await asyncio.sleep(1.0)
        writer.close()


async def _steady(server: Server, put: bytes, until: float) -> None:
    while asyncio.get_running_loop().time() < until:
        await send(server, [put] * 3, 1)
        await asyncio.sleep(PAUSE_S)


def _forget_peak(server: Server) -> None:
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


def _resident_kib(server: Server, name: str) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


async def latency_row(pages: Sequence[bytes], windows: int) -> Row:
    """The 99th percentile of GET while a job runs, of that while none does, in windows that alternate."""
    gets = [request("GET", f"/v1/stores/s/pages/{slot}") for slot in range(len(pages))]
    alone, beside = [], []
    with serving(*SERVE) as server:
        await send(server, [request("PUT", "/v1/stores/s", b"{}", "application/json")])
        await send(server, [request("PUT", f"/v1/stores/s/pages/{slot}", page) for slot, page in enumerate(pages)])
        await _p99_ms(server, gets, WINDOW_S / 5)
        for _ in range(windows):
            alone.append(await _p99_ms(server, gets, WINDOW_S))
            async with _job(server):
                beside.append(await _p99_ms(server, gets, WINDOW_S))
    return row(f"service: GET p99 at {RATE}/s beside a job, of without", beside, alone, "ms", 3.0, 1.5)


async def _p99_ms(server: Server, requests: Sequence[bytes], seconds: float) -> float:
    """Of what was asked for at its time: from then on, whenever it could be sent."""
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", server.port))
    taken: list[float] = []

    async def one(due: float, asked: bytes) -> None:
        connection = await free.get()
        await server.answer(*connection, asked)
        taken.append(loop.time() - due)
        free.put_nowait(connection)

    began = loop.time()
    async with asyncio.TaskGroup() as under_way:
        for number, asked in zip(range(int(RATE * seconds)), itertools.cycle(requests)):
            due = began + number / RATE
            await asyncio.sleep(due - loop.time())
            under_way.create_task(one(due, asked))
    while not free.empty():
        free.get_nowait()[1].close()
    return statistics.quantiles(taken, n=100)[98] * 1e3


@contextlib.asynccontextmanager
async def _job(server: Server) -> AsyncIterator[None]:
    """A job that has begun to work, and is ended."""
    number = json.loads(await server.ask(request("POST", "/v1/jobs", JOB, "application/json")))["id"]
    path = f"/v1/jobs/{number}"
    began = time.monotonic()
    while json.loads(await server.ask(request("GET", path)))["status"] != "running" or time.monotonic() < began + 1.5:
        await asyncio.sleep(0.1)
    yield
    assert json.loads(await server.ask(request("GET", path)))["status"] == "running", "it was too short"
    await server.ask(request("DELETE", path))
    await asyncio.sleep(0.5)
