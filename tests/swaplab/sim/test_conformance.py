"""CPython's own tests of asyncio, run with the virtual loop as everybody's new event loop.

They come with most installations of Python; where they do not, this is skipped. `NOT_HERE` lists what is left out.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("test.test_asyncio", reason="this Python comes without its own tests")

DRIVER = Path(__file__).with_name("cpython_tests.py")

PARTS = [
    "base_events",
    "context",
    "events",
    "futures",
    "futures2",
    "locks",
    "pep492",
    "queues",
    "runners",
    "taskgroups",
]
PARTS += ["tasks", "threads", "timeouts", "waitfor"]


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_asyncio_passes_its_own_tests(part: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", DRIVER, f"test_{part}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert "Ran " in done.stderr
