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


def start(*arguments: str) -> "subprocess.Popen[str]":
    """The command in a session of its own."""

    def as_in_a_terminal() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    return subprocess.Popen(
        [sys.executable, "-m", "swaplab", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=as_in_a_terminal,
    )


@pytest.fixture
def running() -> "subprocess.Popen[str]":
    """The command with its two workers at work."""
    process = start(*ARGUMENTS)
    while len(busy(process.pid)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    return process


def busy(pid: int, seconds: float = 2) -> list[int]:
    """The processes of that session that have computed for so long; of those that have begun, with 0."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == pid:
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[3]) == pid and fields[0] != "Z" and int(fields[11]) >= seconds * os.sysconf("SC_CLK_TCK"):
            found.append(int(entry.name))
    return found


def test_ctrl_c_ends_everything_at_once(running: "subprocess.Popen[str]") -> None:
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert errors == "interrupted\n"
    assert busy(running.pid) == []


@pytest.mark.parametrize("moment", [0.2, 0.5])
def test_ctrl_c_while_workers_are_being_started_says_no_more_than_that(moment: float) -> None:
    process = start(*ARGUMENTS)
    while not busy(process.pid, 0):
        time.sleep(0.005)
    time.sleep(moment)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "interrupted\n")
    while busy(process.pid, 0):  # multiprocessing's own process, until it sees that the others are gone
        time.sleep(0.01)


def test_a_sweep_that_is_interrupted_says_how_it_goes_on(tmp_path: Path) -> None:
    process = start("sweep", "--grid", "procs=30,8", "--scale", "1/64", "--out", str(tmp_path))
    while len(busy(process.pid, 0.5)) < 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    said = f"swaplab sweep: finished points are in {tmp_path}; the same command goes on from there\n"
    assert errors == said + "interrupted\n"


def test_a_worker_that_is_killed_is_said(running: "subprocess.Popen[str]") -> None:
    os.kill(busy(running.pid)[0], signal.SIGKILL)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 2
    assert errors == "swaplab ablate: a process died (out of memory?); --workers 1 or a smaller --scale needs less\n"
    assert busy(running.pid) == []
