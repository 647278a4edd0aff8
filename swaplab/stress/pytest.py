"""Scenarios as tests: `pytest -p swaplab.stress.pytest` explores every `Scenario` of a test module, whatever its name.

Fixtures are not supported. `--stress-seeds 0:2000` and `--stress-policy` replace what the scenarios say, and
`--stress-replay TOKEN` repeats one run and skips all other scenarios. A finding made with another PYTHONHASHSEED than 0
is tried again in a process that has it, so that its command works anywhere.
"""

import os
import shlex
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from .explore import explore
from .order import POLICIES
from .plan import parse_seeds
from .report import Finding, NotReproducibleError, Report
from .scenario import Scenario
from .token import TokenError, from_argument, is_of, short

UNSUPPORTED = ("usefixtures", "parametrize")
HASH_SEED = "0"


class StressFailed(Exception):  # noqa: N818 (what pytest prints of it is its text)
    """A campaign that failed; the text says how."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the options known."""
    group = parser.getgroup("stress")
    group.addoption("--stress-seeds", metavar="FROM:TO", type=_seeds, help="explore these seeds, TO not included")
    group.addoption("--stress-policy", choices=list(POLICIES), help="order of what is ready, instead of the scenarios'")
    group.addoption("--stress-replay", metavar="TOKEN", type=_token, help="repeat this one run")


def _seeds(said: str) -> range:
    try:
        return parse_seeds(said)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _token(said: str) -> str:
    try:
        return from_argument(said)
    except TokenError as error:
        raise ArgumentTypeError(str(error)) from error


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> pytest.Item | None:
    """Make a test of each scenario."""
    return StressItem.from_parent(collector, name=name, scenario=obj) if isinstance(obj, Scenario) else None


class StressItem(pytest.Item):
    """The campaign of one scenario. Marks below the decorator are those of the test."""

    def __init__(self, *, scenario: Scenario, **options: Any) -> None:
        super().__init__(**options)
        self.scenario = scenario
        marks: Iterable[pytest.Mark] = getattr(scenario.body, "pytestmark", ())
        for mark in marks:
            self.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))

    def runtest(self) -> None:
        """Explore, or repeat the run that was asked for.

        Raises:
            StressFailed: Something did not hold; the text says all of it.
        """
        if any(mark.name in UNSUPPORTED for mark in self.own_markers):
            raise StressFailed(f"{self.scenario.name}: fixtures and parameters are not supported; use plain functions")
        token = self.config.getoption("--stress-replay")
        if token is not None and not is_of(token, self.scenario.name):
            pytest.skip("another scenario is replayed")
        try:
            report = explore(
                self.scenario,
                seeds=self.config.getoption("--stress-seeds"),
                policy=self.config.getoption("--stress-policy"),
                token=token,
            )
        except (NotReproducibleError, ValueError) as error:
            raise StressFailed(str(error)) from error
        if report.finding is not None:
            raise StressFailed(self._told(report.finding, already_replayed=token is not None))
        if token is None and not report.ok:
            raise StressFailed(_unreached(report))

    def _told(self, finding: Finding, already_replayed: bool) -> str:
        command = f"PYTHONHASHSEED={HASH_SEED} pytest -p swaplab.stress.pytest {shlex.quote(self.nodeid)}"
        text = finding.describe(f"{command} --stress-replay {shlex.quote(self._short(finding.token))}")
        if already_replayed or os.environ.get("PYTHONHASHSEED") == HASH_SEED or self._found_with_hash_seed(finding):
            return text
        return (
            f"{text}\nIt depends on the hash seed: with PYTHONHASHSEED={HASH_SEED} this run holds. (Sets of strings?)"
        )

    def _short(self, token: str) -> str:
        cache = self.config.cache if self.config.pluginmanager.hasplugin("cacheprovider") else None
        return token if cache is None else short(token, cache.mkdir("stress"))

    def _found_with_hash_seed(self, finding: Finding) -> bool:
        command = [sys.executable, "-m", "pytest", "-p", "swaplab.stress.pytest", self.nodeid]
        again = subprocess.run(
            [*command, "--stress-replay", finding.token],
            cwd=self.config.rootpath,
            env={**os.environ, "PYTHONHASHSEED": HASH_SEED},
            capture_output=True,
            check=False,
        )
        return again.returncode == pytest.ExitCode.TESTS_FAILED

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Print the finding, and no traceback of ours."""
        return str(excinfo.value) if isinstance(excinfo.value, StressFailed) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the scenario stands."""
        code = getattr(self.scenario.body, "__code__", None)
        return self.path, code and code.co_firstlineno - 1, self.name


def _unreached(report: Report) -> str:
    return f"{report}\nraise seeds, or change the scenario such that it gets there"
