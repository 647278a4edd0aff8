"""What ends a command from outside ends it soon, all its processes with it, and says so."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ARGUMENTS = ["ablate", "--scale", "1/256", "--procs", "30", "--workers", "2"]
"""Minutes of work."""


@pytest.fixture
def running() -> "subprocess.Popen[str]":
    """The command in a session of its own, with its two workers at work."""

    def as_in_a_terminal() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    command = [str(Path(sys.executable).with_name("swaplab")), *ARGUMENTS]
    process = subprocess.Popen(
        command,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=as_in_a_terminal,
    )
    while len(busy(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    return process


def busy(pid: int) -> list[int]:
    """The processes of that session that have computed for a while."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == pid:
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[3]) == pid and int(fields[11]) > 2 * os.sysconf("SC_CLK_TCK"):
            found.append(int(entry.name))
    return found


def test_ctrl_c_ends_everything_at_once(running: "subprocess.Popen[str]") -> None:
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert "Traceback" not in errors
    assert busy(running.pid) == []


def test_a_worker_that_is_killed_is_said(running: "subprocess.Popen[str]") -> None:
    os.kill(busy(running.pid)[0], signal.SIGKILL)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 2
    assert errors == "swaplab ablate: a process died (out of memory?); --workers 1 or a smaller --scale needs less\n"
    assert busy(running.pid) == []
