"""The short way to the hot routes answers what the long way would, whatever an endpoint does."""

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from swaplab.service.hot_router import HotRouter
from swaplab.service.problems import RefusalError

KNOWN: dict[str, Exception] = {
    "refused": RefusalError(418, "it is a teapot", "take another"),
    "gone": ClientDisconnect(),
    "fault": ZeroDivisionError("by nothing"),
}


async def endpoint(request: Request) -> Response:
    name = request.path_params["name"]
    if name in KNOWN:
        raise KNOWN[name]
    return Response(f"{request.method} {name}")


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    await Response("behind", 404)(scope, receive, send)


async def failed(request: Request, error: Exception) -> Response:
    return Response(f"{type(error).__name__} of {request.scope['route'].path}", 500)


async def answer(method: str, path: str) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nobody reads")

    router = HotRouter([Route("/a/{name}", endpoint, methods=["GET", "PUT"])], behind, failed)
    await router({"type": "http", "method": method, "path": path, "headers": []}, receive, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/a/b", (200, b"GET b")),
        ("HEAD", "/a/b", (200, b"HEAD b")),
        ("PUT", "/a/b", (200, b"PUT b")),
        ("DELETE", "/a/b", (404, b"behind")),
        ("GET", "/a/b/c", (404, b"behind")),
        ("GET", "/", (404, b"behind")),
        ("GET", "/a/gone", (400, b"")),
        ("GET", "/a/fault", (500, b"ZeroDivisionError of /a/{name}")),
    ],
)
async def test_the_endpoint_answers_or_the_application_behind(
    method: str, path: str, expected: tuple[int, bytes]
) -> None:
    assert await answer(method, path) == expected


async def test_a_refusal_is_an_answer() -> None:
    status, body = await answer("GET", "/a/refused")
    assert (status, b"teapot" in body) == (418, True)
