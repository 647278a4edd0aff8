"""Sockets to listen on, and the URIs under which clients find them."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from errno import EADDRINUSE, ENOTSOCK
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import quote


@contextmanager
def unix_socket(path: Path | None = None) -> Iterator[socket.socket]:
    """A socket in the file system that only its owner may use, gone at the end; a fresh one if no path is given.

    One that is there already is replaced if nobody answers on it. OSError that names the path: EADDRINUSE when somebody
    does, ENOTSOCK when it is something else.
    """
    with ExitStack() as stack:
        if path is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swaplab-nbd-")), "socket")
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        _remove_stale(path)
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from None
        finally:
            os.umask(before)
        stack.callback(_unlink, path, os.lstat(path))
        yield listener


@contextmanager
def tcp_socket(host: IPv4Address | IPv6Address, port: int) -> Iterator[socket.socket]:
    """A socket on this address; port 0 is any that is free. OSError that names the address."""
    family = socket.AF_INET if host.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((str(host), port))
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{host} port {port}") from None
        yield listener


def uri_of(listener: socket.socket, tls: bool) -> str:
    """Where clients find it, as every one of them takes it."""
    scheme = "nbds" if tls else "nbd"
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"{scheme}+unix:///?socket={quote(os.path.abspath(name))}"
    host, port, *_ = name
    return f"{scheme}://[{host}]:{port}" if ip_address(host).version == 6 else f"{scheme}://{host}:{port}"


def _remove_stale(path: Path) -> None:
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(there.st_mode):
        raise OSError(ENOTSOCK, "something else than a socket is there; name another path", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            _unlink(path, there)
        except OSError as error:
            raise OSError(error.errno, error.strerror or "nobody answers, nor refuses", str(path)) from None
        else:
            raise OSError(EADDRINUSE, "somebody serves this socket; name another path", str(path))


def _unlink(path: Path, ours: os.stat_result) -> None:
    """Remove it if it is still the same."""
    with suppress(OSError):
        if os.path.samestat(os.lstat(path), ours):
            path.unlink()
