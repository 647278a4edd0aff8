"""`swaplab nbd`: serve a compressed block device until somebody ends it."""

import asyncio
import os
import signal
import sys
from contextlib import AbstractContextManager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import socket
from ssl import SSLContext
from typing import Annotated

import typer
import uvloop

import acomp
import zswap
from swaplab.cli.refusals import refusals
from swaplab.model.asked import parse_size
from swaplab.nbd.certificates import server_tls
from swaplab.nbd.device import compressed_device
from swaplab.nbd.listening import Server, serving
from swaplab.nbd.sockets import tcp_socket, unix_socket, uri_of
from swaplab.realbytes.hardware import hardware

HELP = """swaplab nbd --size 1G

The export is empty at start and gone at the end, like that of `nbdkit memory`.

Any NBD client can use it: nbdcopy, qemu-img, fio, nbd-client. The first line printed is its URI. What is written is \
kept compressed in memory, zeroes take none. FLUSH and FUA promise that every connection can read what was written, \
and nothing beyond the life of this process.

Takes a second to start, and serves until SIGTERM or Ctrl-C."""

SHORT_HELP = "Serve a compressed block device that any NBD client can use."

MOST_BYTES = 1 << 40
"""1 TiB: 6 bytes of bookkeeping a page, written to or not, are 1.5 GiB then."""


def nbd(
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="Bytes of the device, as in 1G: K, M, G and T count by 1024.")
    ],
    compressor: Annotated[str, typer.Option(help="zstd, deflate-iaa, or any other algorithm's name.")] = "zstd",
    max_pool: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="At so much compressed data the oldest goes to a file; default: no limit."),
    ] = None,
    spill: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where that file lies. It must not exist; its name is taken away at once."),
    ] = None,
    socket: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A Unix socket for you alone; default: a fresh one.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="A TCP port of this machine instead; 0 is any that is free.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where the port is; default 127.0.0.1. Others need TLS.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The server's certificate. Nobody is served without TLS then.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's key.")] = None,
    tls_verify_peer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve only clients with a certificate of this authority.")
    ] = None,
    stats: Annotated[
        int | None, typer.Option(min=1, metavar="SECONDS", help="Say on stderr how it stands, so often and at the end.")
    ] = None,
) -> None:
    """Serve a compressed block device until SIGTERM or Ctrl-C; `HELP` is what users read."""
    with refusals("nbd", acomp.AlgorithmNotFoundError, zswap.ZswapError):
        nr_bytes = _bytes("--size", size)
        if spill is not None and os.path.lexists(spill):
            raise ValueError(f"--spill: {spill} is there already; name a file that is not")
        budget = None if max_pool is None else _bytes("--max-pool", max_pool)
        tls = _tls(tls_cert, tls_key, tls_verify_peer)
        listener = _listener(socket, port, host, secure=tls is not None and tls_verify_peer is not None)
        uvloop.run(_serve(nr_bytes, compressor, budget, spill, listener, tls, stats))


def _bytes(option: str, text: str) -> int:
    """A number of bytes such as 512, 64K or 1G; ValueError names the option and says what to write instead."""
    try:
        return parse_size(text, MOST_BYTES)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


async def _serve(
    size: int,
    compressor: str,
    max_pool_bytes: int | None,
    spill: Path | None,
    listener: AbstractContextManager[socket],
    tls: SSLContext | None,
    stats_s: int | None,
) -> None:
    ending = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, ending.set)
    async with hardware([compressor]), compressed_device(size, compressor, max_pool_bytes, spill) as export:
        with listener as bound:
            async with serving(bound, export, tls) as server:
                print(uri_of(bound, tls is not None), flush=True)
                await _until(ending, server, stats_s)


async def _until(ending: asyncio.Event, server: Server, stats_s: int | None) -> None:
    """Wait, and say how it stands now and then."""
    while not ending.is_set():
        try:
            async with asyncio.timeout(stats_s):
                await ending.wait()
        except TimeoutError:
            pass
        if stats_s is not None:
            print(server.summary(), file=sys.stderr, flush=True)


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> SSLContext | None:
    if certificate is None or key is None:
        if (certificate, key, client_ca) != (None, None, None):
            raise ValueError("TLS takes both --tls-cert and --tls-key; give the one that is missing")
        return None
    return server_tls(certificate, key, client_ca)


def _listener(path: Path | None, port: int | None, host: str | None, secure: bool) -> AbstractContextManager[socket]:
    """The socket that was asked for, not yet bound; ValueError for what does not go together or is not safe."""
    if port is None:
        if host is not None:
            raise ValueError("--host is where a --port is; give that, too")
        return unix_socket(path)
    if path is not None:
        raise ValueError("there is one socket; give --socket or --port, and not both")
    address = _address(host or "127.0.0.1")
    if not address.is_loopback and not secure:
        raise ValueError(
            f"{address} can be reached from elsewhere; give --tls-cert, --tls-key and --tls-verify-peer with it,"
            " or leave --host out"
        )
    return tcp_socket(address, port)


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address("127.0.0.1" if text == "localhost" else text)
    except ValueError:
        raise ValueError(f"--host takes a numeric address such as 127.0.0.1 or ::1, not {text!r}") from None
