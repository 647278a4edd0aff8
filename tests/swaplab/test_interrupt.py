"""What ends a command from outside ends it soon, all its processes with it, and says so."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ENDLESS = Path(__file__).with_name("endless.py")
ARGUMENTS = ["ablate", "--scale", "1/256", "--procs", "30", "--workers", "2"]
PATIENCE_S = 60
"""However busy the machine is, what has to end has ended by then."""

Running = subprocess.Popen[str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a command, whose simulations take for ever, in a session of its own; what is left of it is killed."""
    started: list[Running] = []
    (tmp_path / "begun").mkdir()

    def as_in_a_terminal() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*arguments: str) -> Running:
        started.append(
            subprocess.Popen(
                [sys.executable, ENDLESS, *arguments],
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=as_in_a_terminal,
                env=os.environ | {"BEGUN": str(tmp_path / "begun")},
            )
        )
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def at_work(tmp_path: Path) -> Callable[[Running], list[int]]:
    """Wait until both workers of a command have begun: who they are."""

    def at_work(process: Running) -> list[int]:
        while len(begun := list((tmp_path / "begun").iterdir())) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        return [int(file.name) for file in begun]

    return at_work


def others(pid: int) -> list[int]:
    """The processes of that session but the first: workers, and multiprocessing's own."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == pid:
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[3]) == pid and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def ends(process: Running) -> str:
    """Wait until it has ended, and all its processes: what it said on stderr, but for how far it was."""
    _, errors = process.communicate(timeout=PATIENCE_S)
    until = time.monotonic() + PATIENCE_S
    while others(process.pid):  # multiprocessing's own process, until it sees that the others are gone
        assert time.monotonic() < until
        time.sleep(0.01)
    lines = errors.splitlines(keepends=True)
    return "".join(line for line in lines if not re.fullmatch(r"(columns|points|seeds): .* after \d+ s\n", line))


def test_ctrl_c_ends_everything_at_once(start: Callable[..., Running], at_work: Callable[[Running], list[int]]) -> None:
    process = start(*ARGUMENTS)
    at_work(process)
    os.killpg(process.pid, signal.SIGINT)
    assert (ends(process), process.returncode) == ("interrupted\n", 130)


@pytest.mark.parametrize("moment", [0.0, 0.2, 0.5])
def test_ctrl_c_while_workers_are_being_started_says_no_more_than_that(
    start: Callable[..., Running], moment: float
) -> None:
    process = start(*ARGUMENTS)
    while not others(process.pid):
        assert process.poll() is None
        time.sleep(0.005)
    time.sleep(moment)
    os.killpg(process.pid, signal.SIGINT)
    assert (ends(process), process.returncode) == ("interrupted\n", 130)


def test_a_sweep_that_is_interrupted_says_how_it_goes_on(
    start: Callable[..., Running], at_work: Callable[[Running], list[int]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start("sweep", "--grid", "procs=30,8", "--scale", "1/64", "--out", str(out))
    at_work(process)
    os.killpg(process.pid, signal.SIGINT)
    said = f"swaplab sweep: finished points are in {out}; the same command goes on from there\n"
    assert ends(process) == said + "interrupted\n"


STRESS = """
import asyncio, os, signal
from pathlib import Path
from swaplab import stress

@stress.scenario()
async def fails(world):
    await asyncio.sleep(1)
    raise LookupError

@stress.scenario()
async def endless(world):
    (Path(os.environ["BEGUN"]) / str(os.getpid())).touch()
    while True:
        signal.pause()
"""


@pytest.mark.parametrize(
    ("signum", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_stress_that_is_interrupted_says_what_it_has_found(
    start: Callable[..., Running],
    at_work: Callable[[Running], list[int]],
    tmp_path: Path,
    signum: signal.Signals,
    status: int,
    word: str,
) -> None:
    file = tmp_path / "scenarios.py"
    file.write_text(STRESS)
    process = start("stress", str(file))
    at_work(process)
    os.killpg(process.pid, signum)
    said, last = ends(process).splitlines()
    assert (last, process.returncode) == (word, status)
    assert said.startswith(f"swaplab stress: {file}::fails had failed: swaplab stress {file}::fails --replay stress1:")


def test_a_worker_that_is_killed_is_said(
    start: Callable[..., Running], at_work: Callable[[Running], list[int]]
) -> None:
    process = start(*ARGUMENTS)
    os.kill(at_work(process)[0], signal.SIGKILL)
    assert ends(process) == (
        "swaplab ablate: a process died (out of memory?); --workers 1 or a smaller --scale needs less\n"
    )
    assert process.returncode == 2
