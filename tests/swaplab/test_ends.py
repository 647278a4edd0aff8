"""SIGTERM ends a command as Ctrl-C does, and workers end with their parent, whatever ended it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

GUARD_S = 60
"""For what takes a second; whoever hangs is ended by it."""

Start = Callable[..., "subprocess.Popen[str]"]

WORKERS = """
import os, signal
from swaplab.worker_processes import in_processes

def work(kind):
    print(os.getpid(), flush=True)
    while True:
        if kind == "pausing":
            signal.pause()

if __name__ == "__main__":
    with in_processes(work, enumerate(["busy", "pausing"]), workers=2) as answers:
        list(answers)
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python in a session of its own. What it left behind is killed in the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, ctrl_c: bool = True) -> "subprocess.Popen[str]":
        def as_in_a_terminal_or_in_the_background() -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler if ctrl_c else signal.SIG_IGN)

        process = subprocess.Popen(
            [sys.executable, *arguments],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=as_in_a_terminal_or_in_the_background,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def says(process: "subprocess.Popen[str]") -> str:
    """The first line on stderr: the command tells how far it is, so it is at work."""
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.mark.slow
@pytest.mark.parametrize("ctrl_c", [True, False], ids=["foreground", "background"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_a_command_and_its_workers(start: Start, workers: str, ctrl_c: bool) -> None:
    arguments = ("--scale", "1/256", "--procs", "30", "--workers", workers)  # minutes of work
    process = start("-m", "swaplab", "ablate", *arguments, ctrl_c=ctrl_c)
    assert says(process).startswith("columns: ")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=GUARD_S)  # to the end of what all its processes write
    assert process.returncode == 143
    assert errors.splitlines()[-1:] == ["terminated"]
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_who_asks_twice_and_the_whole_group_waits_no_longer(start: Start, end: signal.Signals) -> None:
    process = start("-m", "swaplab", "ablate", "--scale", "1/256", "--workers", "4")
    assert says(process).startswith("columns: ")
    process.send_signal(end)
    os.killpg(process.pid, end)
    _, errors = process.communicate(timeout=GUARD_S)
    assert process.returncode == 128 + end
    assert "Traceback" not in errors and "died" not in errors


@pytest.mark.slow
def test_sigterm_ends_what_runs_on_a_real_loop(start: Start, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(bytes(range(256)) * (1 << 16))
    process = start("-m", "swaplab", "store", str(tmp_path), "--compressor", "deflate-iaa")
    assert says(process).startswith("pages: ")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=GUARD_S)
    assert process.returncode == 143
    assert errors.splitlines()[-1:] == ["terminated"]
    assert "Traceback" not in errors


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP])
def test_workers_end_with_a_parent_that_could_not_end_them(start: Start, tmp_path: Path, end: signal.Signals) -> None:
    script = tmp_path / "script.py"
    script.write_text(WORKERS)
    process = start(str(script))
    assert process.stdout is not None
    assert len({process.stdout.readline() for _ in range(2)}) == 2, "both are at work"
    process.send_signal(end)
    assert process.communicate(timeout=GUARD_S)[0] == ""  # whose end comes when nobody has it open any more
    assert process.returncode == -end
