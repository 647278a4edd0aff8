"""The server: one process, one loop, uvicorn inside, with the deadlines and the end that it does not have itself."""

import asyncio
import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .bounds import (
    BODY_TIMEOUT_S,
    HEADERS_TIMEOUT_S,
    MAX_CONNECTIONS,
    MAX_HEADER_BYTES,
    STOP_TIMEOUT_S,
    WRITE_TIMEOUT_S,
)
from .guard import SECURITY_HEADERS
from .problems import MEDIA_TYPE


class BoundedProtocol(HttpToolsProtocol):
    """A connection that does not wait for ever: for headers, for a body, and for a reader that takes nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept it, unless there are too many; from now on the headers have their time."""
        super().connection_made(transport)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._missing: Literal["headers", "body"] | None = None
        self._header_bytes = 0
        self._left = 0
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(b"503 Service Unavailable", b"retry-after: 1\r\n")
        else:
            self._await(HEADERS_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget its timers."""
        self._end_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes. What has begun in them and does not end there has its time; headers are counted as well."""
        super().data_received(data)
        if self._missing is None:
            return
        if self._missing == "headers":
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
                return
        if self._reading is None:
            self._await(HEADERS_TIMEOUT_S if self._missing == "headers" else BODY_TIMEOUT_S)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._missing = "headers"
        self._header_bytes = 0

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._missing = "body"
        self._end_reading()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there, too."""
        self._missing = None
        self._end_reading()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What came is no request."""
        self._refuse(b"400 Bad Request", cause="this is no HTTP request that could be read")

    def pause_writing(self) -> None:
        """The reader is slower than we are."""
        self.flow.pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """The reader has taken what there was."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        self.flow.resume_writing()

    def _await(self, timeout_s: float) -> None:
        self._reading = self.loop.call_later(timeout_s, self._refuse, b"408 Request Timeout")

    def _end_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _watch_writing(self) -> None:
        self._left = self.transport.get_write_buffer_size()
        self._writing = self.loop.call_later(WRITE_TIMEOUT_S, self._look_at_writing)

    def _look_at_writing(self) -> None:
        if self.transport.get_write_buffer_size() < self._left:
            self._watch_writing()
        else:
            self.transport.abort()

    def _refuse(self, status: bytes, headers: bytes = b"", cause: str = "") -> None:
        """Answer without the application, in its words, and close."""
        self._end_timers()
        said = cause or status[4:].decode().lower()
        number = int(status[:3])
        body = json.dumps({"status": number, "title": said, "remedy": "see /docs"}).encode()
        length = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n".encode()
        self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + headers + length + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def _end_timers(self) -> None:
        self._end_reading()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None


class Server(uvicorn.Server):
    """Ends by `stop`, and leaves signals to who runs it: what is opened around it is closed in any case.

    `stopping()` is called when the end begins.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield

    def stop(self) -> None:
        """Refuse what is new, finish what is under way, and return from `serve`."""
        self.should_exit = True
        self._stopping()


def server_of(app: ASGIApp, stopping: Callable[[], None]) -> Server:
    """A server for an application; give it a socket that listens."""
    options: dict[str, Any] = {
        "http": BoundedProtocol,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "headers": list(SECURITY_HEADERS),
        "proxy_headers": False,
        "timeout_graceful_shutdown": STOP_TIMEOUT_S,
    }
    return Server(uvicorn.Config(app, **options), stopping)


def listening(host: str, port: int) -> socket.socket:
    """A socket of this address; OSError if that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(512)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


@contextmanager
def stopped_by_signals(server: Server) -> Iterator[None]:
    """SIGTERM and SIGINT stop the server, as long as this lasts."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, server.stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
