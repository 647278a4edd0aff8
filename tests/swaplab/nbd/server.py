"""`swaplab nbd` as a process, for tests with clients."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

SWAPLAB = [sys.executable, "-m", "swaplab", "nbd"]


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """A server, told by its URI; ended by SIGTERM, with exit code 0 and nothing more to say."""
    process = subprocess.Popen([*SWAPLAB, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def socket_of(uri: str) -> Path:
    """The path in the URI of a Unix socket."""
    return Path(unquote(uri.partition("?socket=")[2]))
