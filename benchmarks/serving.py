"""`python -m benchmarks.serving`: what the service costs beside the bare stack that it stands on.

Servers in processes of their own take the same requests over the same connections, in turns; what counts is their
processor time, of all threads, from /proc. The bare server is what somebody would write over `Swap` by hand, on the
same uvicorn, without any of the service's checks.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import zswap
from swaplab.service.frames import Frame, pack

from .pages import work
from .report import table
from .rows import Row
from .served import SERVE, Server, request, row, send, serving
from .serving_load import latency_row, memory_row

SLICE = 512
"""Requests to one server before it is the next one's turn: the machine is as fast for all of them."""
BARE = """
import sys
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
import uvloop
import zswap
from swaplab.service.server import listening, server_of

async def page(request: Request) -> Response:
    slot = int(request.path_params["slot"])
    if request.method == "PUT":
        data = await request.body()
        if swap.store_at_once(slot, data) is None:
            await swap.store(zswap.Folio(slot, data))
        return Response(status_code=204)
    data = swap.load_at_once(slot)
    if data is None:
        data = await swap.load(slot, keep=True)
    return Response(data, media_type="application/octet-stream")

async def raw(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})

async def main():
    global swap
    app = raw if sys.argv[1] == "raw" else Starlette(
        routes=[Route("/v1/stores/{name}/pages/{slot}", page, methods=["GET", "PUT"])])
    listener = listening("127.0.0.1", 0)
    async with zswap.Swap.open(zswap.Params(compressor="zstd", max_pool_bytes=1 << 30)) as swap:
        print("serving http://127.0.0.1:%d" % listener.getsockname()[1], flush=True)
        await server_of(app, lambda: None).serve(sockets=[listener])

uvloop.run(main())
"""


async def served_s(server: Server, requests: Sequence[bytes]) -> float:
    """Processor time of a server for some requests."""
    before = server.cpu_s
    await send(server, requests)
    return server.cpu_s - before


async def pages_rows(pages: Sequence[bytes], rounds: int) -> list[Row]:
    """PUT and GET of single pages, PUT with `--state`, and an empty handler."""
    puts = [request("PUT", f"/v1/stores/s/pages/{slot}", page) for slot, page in enumerate(pages)]
    gets = [request("GET", f"/v1/stores/s/pages/{slot}") for slot in range(len(pages))]
    made = [request("PUT", "/v1/stores/s", b'{"max_pool_bytes": 1073741824}', "application/json")]
    taken: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory())
        ours = stack.enter_context(serving(*SERVE))
        kept = stack.enter_context(serving(*SERVE, "--state", state))
        bare = stack.enter_context(serving("-c", BARE, "starlette"))
        raw = stack.enter_context(serving("-c", BARE, "raw"))
        for server in (ours, kept):
            await send(server, made)
        empty = [request("GET", "/healthz")] * len(pages)
        for number in range(-1, rounds):  # the first does not count
            spent: dict[str, float] = defaultdict(float)
            for at in range(0, len(pages), SLICE):
                part = slice(at, at + SLICE)
                spent["put"] += await served_s(ours, puts[part])
                spent["bare put"] += await served_s(bare, puts[part])
                spent["kept put"] += await served_s(kept, puts[part])
                spent["get"] += await served_s(ours, gets[part])
                spent["bare get"] += await served_s(bare, gets[part])
                spent["empty"] += await served_s(ours, empty[part])
                spent["raw"] += await served_s(raw, empty[part])
            for name, seconds in spent.items() if number >= 0 else ():
                taken.setdefault(name, []).append(seconds / len(pages) * 1e6)
    return [
        row("service: PUT of a page, of bare handler + Swap", taken["put"], taken["bare put"], "us CPU", 1.3, 1.15),
        row("service: GET of a page, of bare handler + Swap", taken["get"], taken["bare get"], "us CPU", 1.3, 1.15),
        row("service: PUT with --state, of without", taken["kept put"], taken["put"], "us CPU", 1.5, 1.25),
        row("service: /healthz, of raw ASGI", taken["empty"], taken["raw"], "us CPU", 1.7, 1.4),
    ]


async def folios_row(pages: Sequence[bytes], rounds: int) -> Row:
    """64 KiB folios in frames, of the embedded store's throughput."""
    folios = [b"".join(pages[at : at + 16]) for at in range(0, len(pages) - 15, 16)]
    batches = [
        request(
            "POST",
            "/v1/stores/s/pages:put",
            pack(Frame(folio, place=(at + n) * 16) for n, folio in enumerate(folios[at : at + 32])),
            "application/vnd.swaplab.frames",
        )
        for at in range(0, len(folios), 32)
    ]
    rates, limits = [], []
    with serving(*SERVE) as ours:
        await send(ours, [request("PUT", "/v1/stores/s", b'{"max_pool_bytes": 1073741824}', "application/json")])
        for _ in range(rounds):
            began = time.perf_counter()
            await send(ours, batches, connections=2)
            rates.append(len(folios) / 16 / (time.perf_counter() - began))
            async with zswap.Swap.open(zswap.Params(compressor="zstd", max_pool_bytes=1 << 30)) as swap:
                began = time.perf_counter()
                for number, folio in enumerate(folios):
                    await swap.store(zswap.Folio(number * 16, folio))
                limits.append(len(folios) / 16 / (time.perf_counter() - began))
    ratios = [rate / limit for rate, limit in zip(rates, limits, strict=True)]
    value, limit = statistics.median(rates), statistics.median(limits)
    spread = (min(ratios), max(ratios))
    name = "service: PUT of 64 KiB folios in frames, of the embedded store"
    return Row(name, value, "MiB/s", limit, statistics.median(ratios), 0.6, 0.75, "fraction", "higher", spread)


def end_row(rounds: int) -> Row:
    """From SIGTERM to the end, with ten clients that listen."""
    taken = []
    for _ in range(rounds):
        with serving(*SERVE) as server:
            listening = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(10)]
            for each in listening:
                each.sendall(server.addressed(request("GET", "/v1/events")))
                each.recv(1 << 16)
            began = time.perf_counter()
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(30)
            taken.append(time.perf_counter() - began)
            for each in listening:
                each.close()
    name, spread = "service: SIGTERM with ten listeners, to the end", (min(taken), max(taken))
    return Row(name, statistics.median(taken), "s", None, None, 1.0, 0.5, "value", "lower", spread)


def start_row(rounds: int) -> Row:
    """From the start to the first answer, of importing what it imports."""

    def timed(run: Callable[[], None]) -> float:
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    def first_answer() -> None:
        with serving(*SERVE) as server:
            asyncio.run(send(server, [request("GET", "/healthz")], 1))

    def imports() -> None:
        modules = "fastapi, uvicorn, httptools, uvloop, zswap, acomp.threads"
        subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)

    pairs = [(timed(first_answer), timed(imports)) for _ in range(rounds)]
    values, limits = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    return row("service: first answer, of importing what it needs", values, limits, "s", 2.5, 2.0)


def rows(rounds: int, nr_pages: int, windows: int) -> Iterator[Row]:
    """All of them."""
    pages = work(nr_pages).pages
    yield from asyncio.run(pages_rows(pages, rounds))
    yield asyncio.run(folios_row(pages, rounds))
    yield end_row(rounds)
    yield asyncio.run(memory_row(pages))
    yield asyncio.run(latency_row(pages[:512], windows))
    yield start_row(rounds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=4096)
    parser.add_argument("--windows", type=int, default=7, help="with a job, and as many without; 5 s each")
    options = parser.parse_args()
    print(table(list(rows(options.rounds, options.pages, options.windows))))


if __name__ == "__main__":
    main()
