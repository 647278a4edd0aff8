"""The studio's pages and files over HTTP. They hold no secret, so they need no token; what they ask for does."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from swaplab.studio.assets import Asset, assets


def routes() -> Iterator[Route]:
    """A route for each file. A browser asks again each time, and is told when nothing has changed."""
    for path, asset in assets().items():
        yield Route(path, _answer(asset))


def _answer(asset: Asset) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    headers = {"ETag": asset.etag, "Cache-Control": "no-cache"}

    async def answer(request: Request) -> Response:
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.body, headers=headers, media_type=asset.media_type)

    return answer
