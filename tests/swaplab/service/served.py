"""A running `swaplab serve`, and clients that are not polite."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

OCTETS = {"content-type": "application/octet-stream"}
FRAMES = {"content-type": "application/vnd.swaplab.frames"}
PAGE = bytes(range(256)) * 16


@dataclass
class Served:
    """One process. `client` asks it."""

    process: "subprocess.Popen[str]"
    url: str
    client: httpx.Client

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """Like a loss of the process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self) -> int:
        """As an administrator ends it; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it has said of itself; after its end."""
        assert self.process.stderr is not None
        return [json.loads(line) for line in self.process.stderr.read().splitlines()]

    def raw(self, data: bytes, wait: bool = True) -> bytes:
        """Send bytes as they are; everything that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(data)
            answer = b""
            while wait and (part := connection.recv(1 << 16)):
                answer += part
            return answer


HURRIED = """
import sys
from swaplab.service import server
server.HEADERS_TIMEOUT_S = server.WRITE_TIMEOUT_S = server.BODY_TIMEOUT_S = 0.4
from swaplab.cli import main
main()
"""
"""The command, with deadlines that a test can wait for."""


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from swaplab.cli import main
main()
"""
"""The command, on a disk where no file gets longer than 100,000 bytes."""


REWRITING = """
from swaplab.service import value_log
value_log.REWRITE_ABOVE = 20_000
from swaplab.cli import main
main()
"""
"""The command, whose logs are rewritten from 20,000 bytes on."""


@contextmanager
def serving(*options: str, program: str = "") -> Iterator[Served]:
    """A server on a free port, ended in any case."""
    command = [sys.executable, *(["-c", program] if program else ["-m", "swaplab"]), "serve", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("serving http://127.0.0.1:"), process.stderr.read()
        url = line.split()[1]
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield Served(process, url, client)
    finally:
        process.kill()
        process.communicate()


def refused(*options: str) -> str:
    """What a server says that does not start; its exit status is 2."""
    command = [sys.executable, "-m", "swaplab", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done
    assert done.stdout == ""
    return done.stderr


def token_file(directory: Path, token: str = "t" * 32, mode: int = 0o600) -> Path:
    """A file with a token."""
    path = directory / "token"
    path.write_text(token + "\n")
    path.chmod(mode)
    return path


def header_lines(*lines: str) -> bytes:
    """A request's head."""
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()
