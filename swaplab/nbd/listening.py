"""The server: who may come in, and how it ends."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from .connection import LINGER_S, Connection
from .export import Export
from .room import Room

MAX_CONNECTIONS: Final = 64
STOP_S: Final = 10.0
"""For which commands under way may take when the server is stopped."""


class Server:
    """Serves one export on one listening socket. `serving` makes it."""

    def __init__(self, export: Export, tls: ssl.SSLContext | None = None) -> None:
        self.export = export
        self.tls = tls
        self.room = Room()
        self.stopping = False
        self.connections: set[Connection] = set()
        self._all_gone = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Server: {len(self.connections)} connections, {self.room!r}, {self.export!r}>"

    def summary(self) -> str:
        """How it stands, in a line for people."""
        swap = self.export.swap
        stats = swap.zswap.stats()
        compressed, pool = stats["stored_pages"], stats["pool_total_size"]
        return (
            f"{len(swap)} pages, {compressed} of them compressed, in {pool / 2**20:.1f} MiB;"
            f" {stats['written_back_pages']} were written back, {len(self.export.kept)} could not be stored;"
            f" {len(self.connections)} connections, {self.room.used} bytes in flight"
        )

    def admit(self, connection: Connection) -> bool:
        """Whether one more may come in."""
        if self.stopping or len(self.connections) >= MAX_CONNECTIONS:
            return False
        self.connections.add(connection)
        return True

    def gone(self, connection: Connection) -> None:
        """It is gone, if it ever was admitted."""
        self.connections.discard(connection)
        if not self.connections:
            self._all_gone.set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what takes time and is nobody's command."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> bool:
        """Answer what comes with ESHUTDOWN, finish what was read completely, and end all connections.

        Whether every command ended within `STOP_S`. What a client does not read within `LINGER_S` is lost to it.
        """
        self.stopping = True
        ended = await self.export.ended(STOP_S)
        for connection in list(self.connections):
            connection.leave()
        for task in list(self._tasks):
            task.cancel()
        if self.connections:
            self._all_gone.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S + 1.0):
                    await self._all_gone.wait()
        return ended


@asynccontextmanager
async def serving(listener: socket.socket, export: Export, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve the export on a bound socket inside; leaving it stops the server."""
    server = Server(export, tls)
    loop = asyncio.get_running_loop()
    if listener.family == socket.AF_UNIX:
        accepting: asyncio.Server = await loop.create_unix_server(lambda: Connection(server), sock=listener)
    else:
        accepting = await loop.create_server(lambda: Connection(server), sock=listener)
    try:
        yield server
    finally:
        accepting.close()
        await server.stop()
