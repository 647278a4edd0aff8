"""`swaplab serve`: chains, stores and caches over HTTP."""

import gc
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import uvloop

import acomp
import iaa_emulator
from swaplab.cli.refusals import refusals


class Sync(StrEnum):
    """When what was acknowledged survives a loss of power."""

    ALWAYS = "always"
    SECOND = "1s"


def serve(
    host: Annotated[str, typer.Option(help="Where to listen; beyond loopback a token is needed.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8420,
    machine: Annotated[
        str | None, typer.Option(metavar="PRESET|FILE", help="IAA devices; default: one, with one queue and engine.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep stores and caches here; default: they end with the process."),
    ] = None,
    sync: Annotated[
        Sync, typer.Option(help="What is answered is on the disk, or will be within a second; with --state.")
    ] = Sync.SECOND,
    token_file: Annotated[Path | None, typer.Option(help="Whoever has what it holds may; mode 600.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name that clients use for us.")
    ] = None,
) -> None:
    """`swaplab serve` serves chains of requests, compressed stores and caches over HTTP.

    It listens on http://127.0.0.1:8420, which no other machine can reach; paths and examples are at /docs there. With
    --state DIR stores and caches are there again the next time.

    It takes a few seconds to start. SIGTERM and Ctrl-C end it when what is under way is done.
    """
    with refusals("serve", acomp.AcompError, iaa_emulator.ConfigurationError):
        from swaplab.service.run import Where, token_of  # what it needs is an extra
        from swaplab.service.run import serve as served
        from swaplab.service.service import Options

        token = None if token_file is None else token_of(token_file)
        where = Where(host, port, tuple(allow_host or ()), token)
        options = Options(machine, state, sync.value)
        uvloop.run(served(options, where, _ready))


def _ready(url: str) -> None:
    """All is imported and made that lives as long as the process: it is not looked through for garbage any more.

    To look through it takes 50 ms each time, for which nobody is answered, and half a second at the end.
    """
    gc.collect()
    gc.freeze()
    print(f"serving {url}", flush=True)
