"""A small web service that renders pages slowly, and keeps what it has rendered: compressed, under a budget of bytes.

`zswap.Cache.get_or_compute` is all that the handler says: a page that is not there is rendered once, however many ask
for it at the same time, and what was asked for longest ago makes room. The handlers are Starlette's, and any other
framework's look alike; `pip install starlette` for this example. Instead of a server, which would be `uvicorn
07_cache:app`, the program calls its own application, as a server would.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import zswap

BUDGET = 256 << 10  # bytes of memory, after compression
rendered = 0


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with zswap.Cache.open(max_bytes=BUDGET, spill=True, ttl=300) as app.state.cache:
        yield


async def render(number: int) -> bytes:
    """A page of 50 KB; the real thing would ask a database."""
    global rendered
    rendered += 1
    await asyncio.sleep(0.01)
    rows = (f"<tr><td>{row}</td><td>item {row * number % 9973}</td></tr>\n" for row in range(1000))
    return f"<h1>page {number}</h1><table>\n{''.join(rows)}</table>".encode()


async def page(request: Request) -> Response:
    number: int = request.path_params["number"]
    body = await request.app.state.cache.get_or_compute(f"page/{number}", lambda: render(number))
    return Response(body, media_type="text/html")


async def changed(request: Request) -> Response:
    """What the page was made of is another now."""
    was_there = await request.app.state.cache.delete(f"page/{request.path_params['number']}")
    return Response(status_code=204 if was_there else 404)


async def stats(request: Request) -> Response:
    return JSONResponse(dict(request.app.state.cache.stats()))


app = Starlette(
    routes=[
        Route("/page/{number:int}", page),
        Route("/page/{number:int}", changed, methods=["DELETE"]),
        Route("/stats", stats),
    ],
    lifespan=lifespan,
)


async def call(path: str, method: str = "GET") -> tuple[int, bytes]:
    """One request, as a server hands it over: its status and its body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(part["body"] for part in sent[1:])


async def main() -> None:
    async with lifespan(app):
        answers = await asyncio.gather(*(call("/page/1") for _ in range(100)))
        assert len({body for _, body in answers}) == 1
        print(f"100 requests for one page at once: rendered {rendered} time, {len(answers[0][1])} bytes")

        for number in range(1, 101):
            await call(f"/page/{number}")
            assert app.state.cache.stats()["bytes"] <= BUDGET
        print(f"100 pages: rendered {rendered} times, {app.state.cache.stats()['spilled'] > 0 = }")

        before = rendered
        for number in range(1, 101):
            assert await call(f"/page/{number}") == (200, (await call(f"/page/{number}"))[1])
        print(f"asked for twice again: rendered {rendered - before} more, from memory and from the file")

        print(
            f"page 7 has changed: {(await call('/page/7', 'DELETE'))[0]}, once more: {await call('/page/7', 'DELETE')}"
        )
        await call("/page/7")
        print(f"rendered {rendered - before} more")


if __name__ == "__main__":
    asyncio.run(main())
