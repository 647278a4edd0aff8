"""`python -m benchmarks.nbd`: `swaplab nbd` beside `nbdkit memory allocator=zstd`, by the same clients, in turns.

Both are processes of their own on Unix sockets, filled with the same bytes: Python's standard library, over and over.
nbdcopy with four connections copies in and out; fio writes and reads pages at random, sixteen at a time, its bytes
compressing as text does.

The last rows are ours alone: a sparse export copied by extents, against reading all of it. To read all of it is to get
every byte, zeroes included, as whoever cannot ask what is a hole does: the client negotiates neither block status nor
structured replies (libnbd, 16 requests of 1 MiB under way). `nbdcopy --no-extents` is between the two, for it takes
structured replies, in which a server may say in 32 bytes that a range it was asked for is zeroes; this one does, and so
that row has no target.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from swaplab.realbytes.inputs import read_pages

from .report import table
from .rows import Row, Sample, against, speed_up

READY_S = 60.0
STEP_S = 300
FIO = ("fio", "--name=x", "--ioengine=nbd", "--bs=4k", "--iodepth=16", "--time_based", "--output-format=json")
MEMORY = "resident memory after copying in"
PYTHON = "/usr/bin/python3"
"""The system's, for which the distribution has libnbd's module."""
EVERY_BYTE = """
import nbd, sys
h = nbd.NBD()
h.set_request_structured_replies(False)
h.connect_uri(sys.argv[1])
size, at, length = h.get_size(), 0, 1 << 20
idle, under_way = [nbd.Buffer(length) for _ in range(16)], {}
while at < size or under_way:
    while at < size and idle:
        buffer = idle.pop()
        under_way[h.aio_pread(buffer, at)] = buffer
        at += length
    h.poll(-1)
    for cookie in [cookie for cookie in under_way if h.aio_command_completed(cookie)]:
        idle.append(under_way.pop(cookie))
"""
TEXT = ("--refill_buffers", "--buffer_compress_percentage=60")


@dataclass(slots=True)
class Served:
    """A server under measurement, and its samples by row."""

    uri: str
    pid: int
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def add(self, row: str, value: float) -> None:
        """One more measurement."""
        self.samples.setdefault(row, []).append(Sample(value, 0.0))

    @contextmanager
    def processor_time(self, row: str) -> Iterator[None]:
        """Measure the server's processor time, which says something where others use the machine, too."""
        before = self._processor_s()
        yield
        self.add(f"{row}, processor time", self._processor_s() - before)

    def _processor_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """Memory of the process."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nbd", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=512, help="size of the device")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run of fio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-nbd-") as directory, ExitStack() as stack:
        image = tiled(Path(directory, "image"), options.mib << 20)
        ours = stack.enter_context(serving(directory, "ours", swaplab(options.mib)))
        theirs = stack.enter_context(serving(directory, "theirs", nbdkit(options.mib)))
        for turn in range(options.rounds + 1):
            print(f"round {turn} of {options.rounds} ...", file=sys.stderr, flush=True)
            for served in (ours, theirs):
                measure(served, image, options.seconds)
                if not turn:  # which does not count, but for the memory
                    served.samples = {MEMORY: served.samples[MEMORY]}
        rows = compared(ours, theirs)
        rows += sparse(directory, options.rounds)
    print(table(rows))


def measure(served: Served, image: Path, seconds: int) -> None:
    """One round with one server: in, memory, out, random writes, random reads."""
    size_mib = image.stat().st_size / 2**20
    with served.processor_time("sequential in"):
        served.add("sequential in", size_mib / timed("nbdcopy", "--connections=4", image, served.uri))
    served.add(MEMORY, served.resident_mib())
    with served.processor_time("sequential out"):
        served.add("sequential out", size_mib / timed("nbdcopy", "--connections=4", served.uri, "null:"))
    for what in ("write", "read"):
        job = (*FIO, *TEXT, f"--uri={served.uri}", f"--rw=rand{what}", f"--size={image.stat().st_size}")
        said = run(*job, f"--runtime={seconds}")
        served.add(f"4 KiB random {what}", json.loads(said[said.index("{") :])["jobs"][0][what]["iops"])


def compared(ours: Served, theirs: Served) -> list[Row]:
    """The rows with both of them."""
    wanted: Sequence[tuple[str, str, float, float]] = (
        ("sequential in", "MiB/s", 0.6, 0.9),
        ("sequential out", "MiB/s", 0.6, 0.9),
        ("4 KiB random write", "per s", 1.8, 3.0),
        ("4 KiB random read", "per s", 1.2, 2.0),
    )
    rows = [
        against(name, unit, ours.samples[name], theirs.samples[name], target=target, aim=aim)
        for name, unit, target, aim in wanted
    ]
    for name in ("sequential in, processor time", "sequential out, processor time"):
        rows.append(against(name, "s", ours.samples[name], theirs.samples[name], better="lower"))
    pair = ours.samples[MEMORY][:1], theirs.samples[MEMORY][:1]  # the first: later ones are after random writes
    return [*rows, against(MEMORY, "MiB", *pair, target=1.4, aim=1.1, better="lower")]


def sparse(directory: str, rounds: int) -> list[Row]:
    """Copying 2 GiB with 64 MiB of data: by extents, against reading all of it."""
    with serving(directory, "sparse", swaplab(2048)) as served:
        image = tiled(Path(directory, "data"), 64 << 20)
        with image.open("r+b") as file:
            file.truncate(2048 << 20)
        run("nbdcopy", image, served.uri)
        ways: dict[str, Sequence[str]] = {
            "extents": ("nbdcopy", "--connections=4", served.uri, "null:"),
            "holes in replies": ("nbdcopy", "--no-extents", "--connections=4", served.uri, "null:"),
            "every byte": (PYTHON, "-c", EVERY_BYTE, served.uri),
        }
        rates: dict[str, list[Sample]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, command in ways.items():
                rates[way].append(Sample(1 / timed(*command), 0.0))
    name = "copying 64 MiB in 2 GiB by extents, against"
    fast = rates["extents"]
    return [
        speed_up(f"{name} reading every byte", fast, rates["every byte"], fast, target=8.0, aim=12.0),
        speed_up(f"{name} --no-extents", fast, rates["holes in replies"], fast),
    ]


def swaplab(mib: int) -> Callable[[Path], list[str]]:
    """Our server's command line, on a socket."""
    return lambda path: [sys.executable, "-m", "swaplab", "nbd", "--size", f"{mib}M", "--socket", str(path)]


def nbdkit(mib: int) -> Callable[[Path], list[str]]:
    """The peer's."""
    return lambda path: ["nbdkit", "-f", "-U", str(path), "memory", f"{mib}M", "allocator=zstd"]


@contextmanager
def serving(directory: str, name: str, command: Callable[[Path], list[str]]) -> Iterator[Served]:
    """A server, from when it answers to its end."""
    path = Path(directory, name)
    uri = f"nbd+unix:///?socket={quote(str(path))}"
    process = subprocess.Popen(command(path), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_S
        while subprocess.run(["nbdinfo", "--size", uri], capture_output=True).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command(path)[0]} does not answer on {path}")
            time.sleep(0.1)
        yield Served(uri, process.pid)
    finally:
        process.terminate()
        process.wait(STEP_S)


def tiled(path: Path, size: int) -> Path:
    """A file of so many bytes of Python's library."""
    data = bytes(read_pages([]).data)
    with path.open("wb") as file:
        while (left := size - file.tell()) > 0:
            file.write(data[:left])
    return path


def timed(*command: str | Path) -> float:
    """Seconds that a command takes."""
    began = time.monotonic()
    run(*command)
    return time.monotonic() - began


def run(*command: str | Path) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=STEP_S)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
