"""`make conformance` judges as it says: a suite of our own with one test of each kind."""

from pathlib import Path

import pytest

from conformance.suite import LISTS, Ran, Suite, read_suites, run

SUITE = """
import asyncio, time
import pytest

def on_a_loop(main):
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()

async def signals():
    asyncio.get_running_loop().add_signal_handler(1, print)

class TestAll:
    def test_sleeps(self):
        on_a_loop(asyncio.sleep(3600))

    def test_needs_no_loop(self): ...
    def test_refused(self): on_a_loop(signals())
    def test_refused_unlisted(self): on_a_loop(signals())
    def test_refused_no_more(self): ...
    def test_refused_otherwise(self): assert not "a refusal"
    def test_differs(self): assert on_a_loop(asyncio.sleep(0, 1)) == 2
    def test_differs_no_more(self): ...
    def test_broken(self): assert not "good"
    def test_endless(self):
        while True: time.sleep(1)

    @pytest.mark.skip(reason="not here")
    def test_skipped(self): ...

    @pytest.mark.xfail(strict=True)
    def test_fails_as_its_author_says(self): assert 0
"""
IN = "foreign_suite.TestAll."


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    (tmp_path / "foreign_suite.py").write_text(SUITE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    suite = Suite(
        "pytest",
        "foreign_suite",
        refused={f"{IN}test_refused": "a", f"{IN}test_refused_no_more": "b", f"{IN}test_refused_otherwise": "c"},
        differs={f"{IN}test_differs*": "d"},
        left_out={f"{IN}test_endless": "e", "foreign_suite.Nothing.*": "f"},
    )
    return run(suite)


@pytest.mark.slow
def test_every_kind_is_counted_and_every_surprise_is_a_fault(ran: Ran) -> None:
    assert ran.counted == {
        "tests": 11,
        "on a virtual loop": 4,
        "passed": 3,
        "refused": 1,
        "differs": 1,
        "skipped": 1,
        "left out": 1,
    }
    faults = {fault.splitlines()[0].partition(": ")[0].removeprefix(IN): fault for fault in ran.faults}
    assert set(faults) == {
        "test_refused_unlisted",
        "test_refused_no_more",
        "test_refused_otherwise",
        "test_differs_no_more",
        "test_broken",
        "foreign_suite",
    }
    assert "does not list it" in faults["test_refused_unlisted"]
    assert "it passes, and suites.toml expects that it does not: b" in faults["test_refused_no_more"]
    assert "foreign_suite.Nothing.*" in faults["foreign_suite"]
    alone = f'Alone: make conformance CONFORMANCE="foreign_suite --only {IN}test_broken"'
    assert faults["test_broken"].splitlines()[-1] == alone, "which suite, which test, and how to run it"


def test_a_suite_that_does_not_get_to_its_end_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign_exit.py").write_text("import os\n\ndef test_gone(): os._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = run(Suite("pytest", "foreign_exit"))
    assert not ended.counted
    first, *_, last = ended.faults[0].splitlines()
    assert first == "foreign_exit: it did not get to its end"
    assert last == 'Alone: make conformance CONFORMANCE="foreign_exit"'


@pytest.mark.slow
def test_one_test_runs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign_suite.py").write_text(SUITE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    suite = Suite("pytest", "foreign_suite", refused={"*.test_refused": "a"}, left_out={"*.test_endless": "b"})
    ran = run(suite, f"{IN}test_broken")
    assert (ran.counted["tests"], len(ran.faults)) == (1, 1), "and nothing is said of what the lists expect elsewhere"
    nothing = run(suite, f"{IN}test_misspelt")
    assert [fault.splitlines()[0] for fault in nothing.faults] == ["foreign_suite: no test ran"]


def test_every_exception_has_its_reason() -> None:
    _, suites = read_suites()
    assert len({suite.module for suite in suites}) == len(suites)
    reasons = [reason for suite in suites for kind in LISTS for reason in getattr(suite, kind).values()]
    assert len(reasons) > 20
    assert all(reason.strip() for reason in reasons)
