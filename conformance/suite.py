"""One suite: a module of somebody's tests, what we know of it, and its run in a process of its own."""

import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LISTS = ("refused", "differs", "left_out")
LONGEST_S = 120
"""Real seconds after which a suite is taken for hanging."""


@dataclass(frozen=True)
class Suite:
    """A module of somebody's tests, and what we know of it."""

    package: str
    module: str
    refused: dict[str, str] = field(default_factory=dict)
    differs: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Of the package, or of the Python that runs this."""
        return platform.python_version() if self.package == "CPython" else version(self.package)


@dataclass(frozen=True)
class Ran:
    """A suite that was run: its tests by what became of them (empty when it did not end), and what is wrong.

    A fault begins with the name of the test, or of the suite, and ends with the command that runs it alone.
    """

    suite: Suite
    counted: dict[str, int]
    faults: list[str]


def read_suites() -> tuple[str, list[Suite]]:
    """The Python they are written for, and the suites."""
    content = tomllib.loads((HERE / "suites.toml").read_text(encoding="utf-8"))
    return content["python"], [Suite(**suite) for suite in content["suite"]]


def run(suite: Suite, only: str = "") -> Ran:
    """Run one suite, or `only` one test of it; what it prints is of interest only where it does not get to its end."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "report.json")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "CONFORMANCE_LISTS": json.dumps({kind: getattr(suite, kind) for kind in LISTS}),
            "CONFORMANCE_CPYTHON": str(int(suite.package == "CPython")),
            "CONFORMANCE_REPORT": str(report),
            "CONFORMANCE_ONLY": only,
        }
        # In an empty directory no configuration of ours is found; a module that hangs shows where it was.
        options = ["-p", "conformance.plugin", "-p", "no:cacheprovider", "--assert=plain", "-W", "ignore", "--tb=short"]
        options += ["-o", "asyncio_default_fixture_loop_scope=function", "-o", f"faulthandler_timeout={LONGEST_S // 2}"]
        try:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "pytest", *options, "--pyargs", suite.module],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
            )
            printed = done.stdout + done.stderr
        except subprocess.TimeoutExpired as hung:
            printed = f"no end after {LONGEST_S} s\n{(hung.stdout or b'').decode()}{(hung.stderr or b'').decode()}"
        if not report.exists():
            printed = printed[-3000:].rstrip()
            return Ran(suite, {}, [f"{suite.module}: it did not get to its end\n{printed}\n{alone(suite)}"])
        found = json.loads(report.read_text(encoding="utf-8"))
        if only:
            found["unmatched"] = []  # what is expected of other tests
        return judge(suite, found)


def alone(suite: Suite, test: str = "") -> str:
    """The command that runs the suite, or one test of it, and nothing else."""
    what = f"{suite.module} --only {shlex.quote(test)}" if test else suite.module
    return f'Alone: make conformance CONFORMANCE="{what}"'


def judge(suite: Suite, found: dict[str, Any]) -> Ran:
    """Count, and say what is wrong."""
    outcomes = list(found["outcomes"].values())
    faults = [f"{name}: {why}\n{alone(suite, name)}" for name, why in found["failures"].items()]
    faults += [f"{suite.module}: no test is meant by {pattern!r}; mend suites.toml" for pattern in found["unmatched"]]
    if not outcomes:
        faults.append(f"{suite.module}: no test ran\n{alone(suite)}")
    counted = {
        "tests": len(outcomes),
        "on a virtual loop": len(found["virtual"]),
        **{kind: outcomes.count(kind) for kind in ("passed", "refused", "differs", "skipped")},
        "left out": len(found["left_out"]),
    }
    return Ran(suite, counted, faults)
