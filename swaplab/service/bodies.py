"""Bodies of requests: bounded one by one and all together, and of the declared type only."""

from typing import Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from .bounds import MAX_BODY_BYTES, MAX_RECEPTION_BYTES
from .problems import RefusalError

OCTETS: Final = "application/octet-stream"
JSON: Final = "application/json"
TEXT: Final = "text/plain"


class Reception:
    """What is being received now, of all requests, in bytes; bounded."""

    def __init__(self, limit: int = MAX_RECEPTION_BYTES) -> None:
        self._limit = limit
        self.bytes = 0

    async def body(self, request: Request, media_type: str, max_bytes: int = MAX_BODY_BYTES) -> bytes:
        """The body of a request, whole.

        RefusalError: 415 for another type, 413 above `max_bytes`, 503 where the others take all that there is room for.
        The connection bounds how long it takes. Room is taken for bytes as they arrive, and given back when all are
        there.
        """
        given, said = _declared(request.scope)
        if given != media_type and given.partition(";")[0].strip().lower() != media_type:
            cause = f"the body is said to be {given[:80]}" if given else "there is no Content-Type"
            raise RefusalError(415, cause, f"send Content-Type: {media_type}")
        if said > max_bytes:
            raise _too_large(max_bytes)
        parts: list[bytes] = []
        taken = 0
        try:
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                part, more = message["body"], message["more_body"]
                taken += len(part)
                self.bytes += len(part)
                if taken > max_bytes:
                    raise _too_large(max_bytes)
                if self.bytes > self._limit:
                    raise RefusalError(503, "too much is being received at this time", "try again", Retry_After="1")
                parts.append(part)
        finally:
            self.bytes -= taken
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _declared(scope: Scope) -> tuple[str, int]:
    """What the headers say of a body: its type ("": nothing) and its length (0: nothing)."""
    media_type, length = b"", b"0"
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = value
        elif name == b"content-length":
            length = value
    return media_type.decode("latin-1"), int(length)


def _too_large(max_bytes: int) -> RefusalError:
    return RefusalError(413, f"the body is longer than {max_bytes} bytes", "send less at a time")


def number(text: str, name: str, most: int) -> int:
    """A number of a path or a query; RefusalError 422 unless it is from 0 to `most`."""
    if not text.isascii() or not text.isdecimal() or len(text) > 20 or int(text) > most:
        raise RefusalError(422, f"{name} is a number from 0 to {most}, not {text[:40]!r}", "send another")
    return int(text)


ENDLESS: Final = ("/v1/events",)
"""Paths whose answers have no end, so that nobody could tell when one without a body has ended: no HEAD."""


class WholeBody:
    """Receives bodies for an application that would do so itself, and without bounds: JSON only. HEAD is GET to it.

    What the application has no route for is its own to refuse.
    """

    def __init__(self, app: Starlette, reception: Reception) -> None:
        self._app = app
        self._reception = reception

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive it, and hand it on in one piece."""
        if scope["method"] == "HEAD" and scope["path"] not in ENDLESS:
            scope = {**scope, "method": "GET"}  # the server, which has its own, leaves out the body
        takes_body = scope["method"] in ("POST", "PUT", "PATCH")
        if takes_body and any(route.matches(scope)[0] is Match.FULL for route in self._app.routes):
            request = Request(scope, receive)
            body = await self._reception.body(request, JSON)
            told = False

            async def again() -> Message:
                nonlocal told
                if told:
                    return await receive()
                told = True
                return {"type": "http.request", "body": body, "more_body": False}

            await self._app(scope, again, send)
        else:
            await self._app(scope, receive, send)
