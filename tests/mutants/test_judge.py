"""The gate of mutants can fail: for a rule that is not held, a row that does not apply, a test that is not there.

The rows are broken ones about a module that stays as it is; the table itself is run by `make mutants`.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

import acomp.wait
from acomp import CryptoWait, crypto_req_done
from tests.mutants.judge import complaints
from tests.mutants.mutate import mutated
from tests.mutants.operators import DoesNotApplyError, Drop, Negate, Replace
from tests.mutants.row import Row
from tests.mutants.table import TABLE

# One process judges for all of them.
pytestmark = pytest.mark.xdist_group("judge")

WAIT = "acomp/test_wait.py::TestCompletion::test_the_backlog_notice_is_ignored"


@pytest.fixture(scope="module")
def judged() -> list[str]:
    """What the gate says of a good row and some bad ones, in a process of its own."""
    rows = [
        Row("held", "acomp.wait", "crypto_req_done", Drop("return"), [WAIT]),
        Row("not held", "acomp.wait", "CryptoWait.__repr__", Negate("_done"), [WAIT]),
        Row("gone", "acomp.wait", "crypto_req_done", Drop("nothing"), [WAIT]),
        Row("untested", "acomp.wait", "crypto_req_done", Drop("return"), [WAIT + "_at_all"]),
    ]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(complaints, rows).result()


@pytest.mark.slow
def test_each_bad_row_is_a_complaint_and_the_good_one_is_none(judged: list[str]) -> None:
    assert judged == [
        f"there is no test {WAIT}_at_all",
        f"not held: {WAIT} passes although this is broken",
        "gone: the row does not apply: crypto_req_done has 0 statements about nothing, not 1",
        f"untested: {WAIT}_at_all passes although this is broken",
    ]


async def test_everybody_sees_a_mutant_and_it_goes_again() -> None:
    wait = CryptoWait()
    with mutated("acomp.wait", "crypto_req_done", Drop("_done")):
        crypto_req_done(wait, 0)
        acomp.wait.crypto_req_done(wait, 0)
        assert not wait.done
    crypto_req_done(wait, 0)
    assert wait.done


def test_a_property_can_be_mutated() -> None:
    wait = CryptoWait()
    with mutated("acomp.wait", "CryptoWait.done", Drop("return")):
        assert repr(wait.done) == "None"
    assert repr(wait.done) == "False"


@pytest.mark.parametrize(
    ("module", "function"),
    [("acomp.wait", "CryptoWait.nothing"), ("acomp.wait", "nothing"), ("acomp.request", "RequestBase.complete")],
)
def test_a_function_that_is_not_there_or_twice_is_refused(module: str, function: str) -> None:
    with pytest.raises(DoesNotApplyError, match=r"defines .* [02] times"), mutated(module, function, Drop("return")):
        pass


def test_a_mutant_that_only_breaks_down_is_refused() -> None:
    mutant = mutated("acomp.wait", "crypto_req_done", Replace("err", by="mistake", nth=2))
    with pytest.raises(DoesNotApplyError, match=r"acomp\.wait has no mistake: that alone"), mutant:
        pass


def test_a_failing_test_takes_the_mutant_away() -> None:
    with pytest.raises(ZeroDivisionError), mutated("acomp.wait", "CryptoWait.reinit", Drop("_done")):
        raise ZeroDivisionError
    wait = CryptoWait()
    crypto_req_done(wait, 0)
    wait.reinit()
    assert not wait.done


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.rule)
def test_every_row_applies_and_names_tests(row: Row) -> None:
    assert row.tests
    with mutated(row.module, row.function, row.operator):
        pass


def test_rules_and_mutants_are_told_apart() -> None:
    assert len({row.rule for row in TABLE}) == len(TABLE)
    assert len({(row.module, row.function, row.operator) for row in TABLE}) == len(TABLE)
