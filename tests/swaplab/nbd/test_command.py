"""`swaplab nbd` as a process: what it prints, who may connect, how it ends, and what it refuses."""

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.nbd.wire import Command
from tests.swaplab.nbd.client import GO, HELLO, Reply, after_handshake, command, parse, write
from tests.swaplab.nbd.server import SWAPLAB, running, socket_of


def talk(address: Path | tuple[str, int], *said: bytes) -> bytes:
    """All that the server says until it closes the connection, which the last thing said asks for."""
    with socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET) as client:
        client.settimeout(60)
        client.connect(str(address) if isinstance(address, Path) else address)
        client.sendall(b"".join(said))
        received = b""
        while some := client.recv(1 << 16):
            received += some
        return received


@pytest.mark.slow
def test_a_fresh_socket_for_one_user_and_everything_gone_at_the_end(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    with running("--size", "1000000", "--max-pool", "64K", "--spill", str(spill)) as uri:
        place = socket_of(uri)
        assert stat.S_IMODE(place.stat().st_mode) == 0o600 and stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        assert not spill.exists()
        data = os.urandom(500_000)  # does not compress, so that it goes to the file
        said = talk(place, HELLO, GO, write(0, data), command(Command.DISC))
        assert parse(after_handshake(said), {}) == [Reply(1)]
        said = talk(place, HELLO, GO, command(Command.READ, 0, len(data)), command(Command.DISC))
        assert parse(after_handshake(said), {1: len(data)}) == [Reply(1, 0, data)]
    assert not place.parent.exists() and not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_a_port_and_a_socket_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "with space"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with running("--size", "1M", "--socket", str(path)) as uri:
        assert socket_of(uri) == path and " " not in uri
        assert talk(path, HELLO, GO, command(Command.DISC))
        refused = subprocess.run(
            [*SWAPLAB, "--size", "1M", "--socket", str(path)], capture_output=True, text=True, timeout=60
        )
        assert refused.returncode == 2 and "somebody serves this socket" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert talk(path, HELLO, GO, command(Command.DISC)), "and it is still served"
    assert not path.exists()
    with running("--size", "1M", "--port", "0", "--compressor", "deflate-iaa") as uri:
        host, _, port = uri.removeprefix("nbd://").rpartition(":")
        assert host == "127.0.0.1"
        said = talk((host, int(port)), HELLO, GO, write(0, b"x" * 65536), command(Command.DISC))
        assert parse(after_handshake(said), {}) == [Reply(1)]


@pytest.mark.slow
def test_how_it_stands_now_and_then_and_at_the_end() -> None:
    process = subprocess.Popen(
        [*SWAPLAB, "--size", "1M", "--stats", "3600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        place = socket_of(process.stdout.readline().strip())
        talk(place, HELLO, GO, write(0, b"x" * 4096 + bytes(4096)), command(Command.DISC))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert said.startswith(
        "2 pages, 1 of them compressed, in 0.0 MiB; 0 were written back, 0 could not be stored; 0 conn"
    )


REFUSED = {
    "--size 0": "--size: '0' is not from 1 to",
    "--size 2T": "is not from 1 to",
    "--size 1X": "'1X' is no size; write a number of bytes, or one such as 64K",
    "--size 1_0": "'1_0' is no size",
    "--size 1G --max-pool none": "--max-pool: 'none' is no size",
    "--size 1G --port 0 --host 0.0.0.0": "0.0.0.0 can be reached from elsewhere; give --tls-cert",
    "--size 1G --port 0 --host ::": ":: can be reached from elsewhere",
    "--size 1G --port 0 --host example": "--host takes a numeric address",
    "--size 1G --host 127.0.0.1": "--host is where a --port is",
    "--size 1G --port 0 --socket x": "give --socket or --port",
    "--size 1G --socket {file}": "something else than a socket is there",
    "--size 1G --socket {none}/x": "No such file or directory",
    "--size 1G --spill {file}": "is there already; name a file that is not",
    "--size 1G --spill {none}/x": "No such file or directory",
    "--size 1G --tls-cert {file}": "TLS takes both --tls-cert and --tls-key",
    "--size 1G --tls-verify-peer {file}": "TLS takes both",
    "--size 1G --tls-cert {file} --tls-key {none}": "No such file or directory",
    "--size 1G --tls-cert {file} --tls-key {file}": "no certificate and its key",
    "--size 1G --compressor none": "no algorithm 'none'",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_is_refused_is_a_line_that_says_why(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something")
    given = arguments.format(file=tmp_path / "file", none=tmp_path / "none")
    result = CliRunner().invoke(app, ["nbd", *given.split()])
    assert result.exit_code == 2 and REFUSED[arguments] in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not result.stdout
    assert (tmp_path / "file").read_text() == "something"


def test_help_begins_with_the_smallest_command_and_says_that_nothing_lasts() -> None:
    shown = CliRunner().invoke(app, ["nbd", "--help"], env={"COLUMNS": "100"}).output
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines[1] == "swaplab nbd --size 1G"
    assert lines[2].startswith("The export is empty at start and gone at the end")
