"""This tree and other commits, side by side: a worktree for as long as it is needed, and programs that run in one."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Tree:
    """A commit that is checked out: what runs there imports its packages, and this interpreter's dependencies."""

    name: str
    path: Path

    def run(self, *arguments: str, before: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        """Run `python ARGUMENTS` there, `before` it what it runs under, such as valgrind and its options."""
        environment = {**os.environ, "PYTHONPATH": str(self.path), "PYTHONHASHSEED": "0"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each run compiles, and that is what would be counted
        command = [*before, sys.executable, "-P", *arguments]
        return subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


HERE = Tree("this tree", ROOT)


@contextmanager
def commit(revision: str) -> Iterator[Tree]:
    """Check out `revision` in a temporary worktree. Raises SystemExit for what git does not know."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree"
        added = _git("worktree", "add", "--quiet", "--detach", str(path), revision)
        if added.returncode:
            raise SystemExit(f"git cannot check out {revision}: {added.stderr.strip()}")
        try:
            yield Tree(_git("describe", "--always", "--abbrev=7", "--exclude=*", revision).stdout.strip(), path)
        finally:
            _git("worktree", "remove", "--force", str(path))


def _git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
