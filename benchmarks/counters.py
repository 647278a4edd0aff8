"""What counts the machine instructions of a program's first thread: valgrind's callgrind, or the processor by perf."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from .trees import Tree

ADVICE: Final = (
    "Neither valgrind nor a working `perf stat` is here. Install valgrind (Debian and Ubuntu: apt install valgrind), or"
    " count where the processor's counters can be read."
)
_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class CountError(Exception):
    """The program that was counted failed."""


def valgrind(tree: Tree, *arguments: str) -> tuple[int, str]:
    """Instructions of the first thread of `python ARGUMENTS`, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        before = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/out"]
        done = tree.run(*arguments, before=before)
        found = [_TOTAL.search(file.read_text()) for file in Path(folder).glob("out*-01")]
    if done.returncode or len(found) != 1 or found[0] is None:
        raise CountError(f"valgrind failed: {done.stderr[-2000:]}")
    return int(found[0][1]), done.stdout


def perf(tree: Tree, *arguments: str) -> tuple[int, str]:
    """The same, in user mode, by the processor's own counter; threads that are started do not inherit it."""
    done = tree.run(*arguments, before=["perf", "stat", "--no-inherit", "-x,", "-e", "instructions:u", "--"])
    count = next((line.split(",")[0] for line in done.stderr.splitlines() if "instructions" in line), "")
    if done.returncode or not count.isdecimal():
        raise CountError(f"perf failed: {done.stderr[-2000:]}")
    return int(count), done.stdout


COUNTERS: Final = {"valgrind": valgrind, "perf": perf}


def usable(tree: Tree) -> list[str]:
    """Names of the counters that work here."""
    found = [name for name in COUNTERS if shutil.which(name)]
    if "perf" in found:
        try:
            perf(tree, "-c", "pass")
        except CountError:
            found.remove("perf")
    return found
