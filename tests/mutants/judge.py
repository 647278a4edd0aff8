"""A pytest plugin that runs the table instead of the tests: each row's tests, sound and mutated.

It lets pytest collect the files that the rows name, and then runs the tests as pytest would, fixtures and the checks of
`tests/conftest.py` included: once as they are, row by row under the mutant, and once more at the end, since a mutant
that does not go away again would make every later row look held.

A test that can run in virtual time does, for there what waits for ever is an error at once.
"""

import gc
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import pytest

from tests.mutants.mutate import mutated
from tests.mutants.operators import DoesNotApplyError
from tests.mutants.row import Row

TESTS = Path(__file__).parents[1]

PATIENCE_S = 20
"""Under a mutant a test that needs real threads may wait for ever, and has failed, too."""


def complaints(rows: Sequence[Row]) -> list[str]:
    """What is wrong with these rows, a line each; nothing when every rule is held by every test that it names."""
    judge = Judge(rows)
    files = sorted({str(TESTS / file) for row in rows for file in row.files()})
    # A mutated run leaves things behind that only the collector finds, in a test that has nothing to do with them.
    quiet = ["-p", "no:unraisableexception", "-p", "no:threadexception", "-p", "no:cacheprovider"]
    output = StringIO()
    status = 0
    try:
        with redirect_stdout(output), redirect_stderr(output):
            status = pytest.main([*quiet, "-q", f"--timeout={PATIENCE_S}", *files], plugins=[judge])
    except AssertionError:
        if not judge.has_run:
            raise
        # Else a mutated run that had to be ended left something to the end of the session; every row was judged.
    if not judge.has_run:
        return [f"pytest could not collect the tests (status {int(status)}):", output.getvalue()]
    return judge.complaints


class Judge:
    """Goes through the rows in the place of pytest's own loop over the tests."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.complaints: list[str] = []
        self.has_run = False
        self._cases: dict[str, list[pytest.Item]] = {}
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A case fails by itself, or by what it leaves behind."""
        self._failed = self._failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the table; True says that no other loop is wanted."""
        if session.testsfailed:
            return False  # not all could be collected, and pytest says what
        for test in sorted({test for row in self.rows for test in row.tests}):
            self._cases[test] = cases(test, session.items)
            if not self._cases[test]:
                self.complaints.append(f"there is no test {test}")
        self._check_sound("sound")
        for row in self.rows:
            self._try(row)
        self._check_sound("as before once every mutant has gone")
        self.has_run = True
        return True

    def _check_sound(self, when: str) -> None:
        self.complaints += [
            f"{test} fails, with the product {when}" for test, found in self._cases.items() if self._any_fails(found)
        ]

    def _try(self, row: Row) -> None:
        try:
            with mutated(row.module, row.function, row.operator):
                self.complaints += [
                    f"{row.rule}: {test} passes although this is broken"
                    for test in row.tests
                    if not self._any_fails(self._cases[test])
                ]
        except DoesNotApplyError as reason:
            self.complaints.append(f"{row.rule}: the row does not apply: {reason}")
        gc.collect()

    def _any_fails(self, found: Iterable[pytest.Item]) -> bool:
        self._failed = False
        for item in found:
            try:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            except (pytest.fail.Exception, AssertionError):  # its patience was at an end while it was taken down
                self._failed = True
                with suppress(Exception):
                    item.session._setupstate.teardown_exact(None)
            if self._failed:
                return True
        return False


def cases(test: str, items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The items that a row means by `test`, each on one loop: virtual time where that is possible, else the first."""
    name, _, part = test.removesuffix("]").partition("[")
    found: dict[str, pytest.Item] = {}
    for item in items:
        function, _, parameters = item.nodeid.partition("[")
        if not function.endswith(f"tests/{name}") or part not in parameters:
            continue
        loop, _, rest = parameters.removesuffix("]").partition("-")
        if loop in ("stock", "uvloop", "virtual"):
            parameters = rest
        if parameters not in found or loop == "virtual":
            found[parameters] = item
    return list(found.values())
