"""The way to the hot routes: their endpoints are called at once, without what a router does for all that it could meet.

A third of the time of a page was Starlette's: two layers of handlers for errors, converters, a wrapper for every
answer. What is not found here goes to the application behind, which has the same routes: for HEAD, and to say 405.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .problems import RefusalError

GONE: Final = Response(status_code=400)
"""To somebody who has closed the connection: nobody reads it."""


class HotRouter:
    """Calls the endpoint of the first route that fits. `failed` makes the answer where an endpoint has a fault."""

    def __init__(
        self, routes: Sequence[Route], behind: ASGIApp, failed: Callable[[Request, Exception], Awaitable[Response]]
    ) -> None:
        self._routes = [(route.path_regex.match, route.methods or (), route) for route in routes]
        self._behind = behind
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application behind do so."""
        path, method = scope["path"], scope["method"]
        for match, methods, route in self._routes:
            found = match(path)
            if found is not None and method in methods:
                scope["path_params"] = found.groupdict()
                answer = await self._answer(route, Request(scope, receive))
                return await answer(scope, receive, send)
        return await self._behind(scope, receive, send)

    async def _answer(self, route: Route, request: Request) -> Response:
        try:
            answer: Response = await route.endpoint(request)
            return answer
        except RefusalError as error:
            return error.response
        except ClientDisconnect:
            return GONE
        except Exception as error:
            request.scope["route"] = route
            return await self._failed(request, error)
