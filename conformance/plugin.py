"""A pytest plugin: every event loop is virtual, and a report says what became of each test.

The suite's lists arrive as JSON in `CONFORMANCE_LISTS`, the report goes to the file that `CONFORMANCE_REPORT` names. If
`CONFORMANCE_ONLY` names a test, no other is run.
"""

import gc
import json
import os
import signal
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from .loops import make_all_loops_virtual, make_the_loops_of_cpython_virtual, watch

LISTS: dict[str, dict[str, str]] = json.loads(os.environ["CONFORMANCE_LISTS"])
"""For `refused`, `differs` and `left_out`: patterns of tests, each with its reason."""


def name_of(item: pytest.Item) -> str:
    """`module.Class.test`, the module without its packages."""
    path = item.nodeid.split("::")[1:]
    return ".".join([item.module.__name__.rpartition(".")[2], *path])  # type: ignore[attr-defined]


def listed(kind: str, name: str) -> str | None:
    """The pattern of the list `kind` that `name` is meant by."""
    return next((pattern for pattern in LISTS[kind] if fnmatchcase(name, pattern)), None)


class Report:
    """What became of the tests, and of the one that runs.

    An outcome is `passed`, `refused`, `differs`, `skipped` or `failed`; `failures` has the reasons of the last kind.
    """

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self.virtual: list[str] = []
        self.left_out: list[str] = []
        self.matched: set[str] = set()
        self.problem: str | None = None
        self.skipped = False

    def begin(self) -> None:
        """Forget the test before."""
        watch.ran = watch.refused = False
        self.problem, self.skipped = None, False

    def end(self, name: str) -> None:
        """Judge the test that ends by its lists."""
        refusal, difference = listed("refused", name), listed("differs", name)
        self.matched |= {pattern for pattern in (refusal, difference) if pattern is not None}
        if watch.ran:
            self.virtual.append(name)
        if self.problem is None and self.skipped:
            self.outcomes[name] = "skipped"
        elif self.problem is None and refusal is None and difference is None:
            self.outcomes[name] = "passed"
        elif self.problem is None:
            expected = {**LISTS["refused"], **LISTS["differs"]}[refusal or difference or ""]
            self._fail(name, f"it passes, and suites.toml expects that it does not: {expected}")
        elif refusal is not None and watch.refused:
            self.outcomes[name] = "refused"
        elif difference is not None:
            self.outcomes[name] = "differs"
        else:
            self._fail(name, ("refused, and suites.toml does not list it: " if watch.refused else "") + self.problem)

    def _fail(self, name: str, reason: str) -> None:
        self.outcomes[name] = "failed"
        self.failures[name] = reason


REPORT = Report()


def pytest_configure() -> None:
    """Come before any test is imported."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell started in the background ignores it
    make_all_loops_virtual()
    if os.environ["CONFORMANCE_CPYTHON"] == "1":
        make_the_loops_of_cpython_virtual()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is listed as such."""
    only = os.environ.get("CONFORMANCE_ONLY")
    if only:
        config.hook.pytest_deselected(items=[item for item in items if name_of(item) != only])
        items[:] = [item for item in items if name_of(item) == only]
    out = {item: pattern for item in items if (pattern := listed("left_out", name_of(item))) is not None}
    REPORT.matched |= set(out.values())
    REPORT.left_out = [name_of(item) for item in out]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=list(out))
    gc.collect()
    gc.freeze()  # tests that collect garbage a hundred times over should not look at pytest's each time


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch one test from its set-up to its tear-down."""
    REPORT.begin()
    result = yield
    REPORT.end(name_of(item))
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the first problem of the test that runs. A failure that its own author expects is as good as a pass."""
    if report.failed and REPORT.problem is None:
        REPORT.problem = report.longreprtext.strip()
    REPORT.skipped |= report.skipped and not hasattr(report, "wasxfail")


def pytest_sessionfinish() -> None:
    """Write the report."""
    patterns = [pattern for kind in ("left_out", "refused", "differs") for pattern in LISTS[kind]]
    found = {
        "outcomes": REPORT.outcomes,
        "failures": REPORT.failures,
        "virtual": REPORT.virtual,
        "left_out": REPORT.left_out,
        "unmatched": [pattern for pattern in patterns if pattern not in REPORT.matched],
    }
    Path(os.environ["CONFORMANCE_REPORT"]).write_text(json.dumps(found), encoding="utf-8")
