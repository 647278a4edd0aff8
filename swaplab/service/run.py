"""`serve`: open everything, serve until told to stop, close everything."""

import ipaddress
import os
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .application import application
from .log_lines import logging_here, tell
from .server import listening, server_of, stopped_by_signals
from .service import Options, Service

MIN_TOKEN: Final = 32
"""Characters of a token."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where to listen, and who may."""

    host: str = "127.0.0.1"
    port: int = 8420
    allowed_hosts: Sequence[str] = ()
    token: str | None = field(default=None, repr=False)


async def serve(options: Options, where: Where, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready(url)` is called when the first request will be answered.

    OSError where it cannot listen or read what was kept, ValueError for a host beyond loopback without a token.
    """
    if where.token is None and not is_loopback(where.host):
        raise ValueError(f"{where.host} can be reached from elsewhere: name a --token-file as well")
    listener = listening(where.host, where.port)
    try:
        host = f"[{where.host}]" if ":" in where.host else where.host
        base = f"http://{host}:{listener.getsockname()[1]}"
        with logging_here():
            await _serve(options, where, listener, base, ready)
    finally:
        listener.close()


async def _serve(
    options: Options, where: Where, listener: socket.socket, base: str, ready: Callable[[str], None]
) -> None:
    async with Service.open(options) as service:
        app = application(service, base, where.allowed_hosts, where.token)
        server = server_of(app, service.events.stop)
        with stopped_by_signals(server):
            tell("serving", url=base, stores=len(service.stores), caches=len(service.caches))
            ready(base)
            await server.serve(sockets=[listener])
        tell("stopping")
    tell("stopped")


def is_loopback(host: str) -> bool:
    """Whether nobody else can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def token_of(path: Path) -> str:
    """The token of a file; OSError and ValueError unless it is the owner's alone, and long enough."""
    with open(path, opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC)) as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ValueError(f"{path} can be read by others (mode {mode:o}); chmod 600 it")
        token = file.read(1 << 16).strip()
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"{path} holds no token: one line of {MIN_TOKEN} ASCII characters or more, without spaces")
    return token
