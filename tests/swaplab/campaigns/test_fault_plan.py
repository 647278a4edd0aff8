"""Fault plans: when a point fails, what a file holds, and what is refused."""

from pathlib import Path
from random import Random

import pytest

from acomp import fault
from swaplab.campaigns import FaultPlan, PlanError, PointFault

SUBMIT = "iaa.submit"


def failures(rule: PointFault | float, asks: int = 12, step_ns: int = 0) -> list[int]:
    """Which of so many asks fail, `step_ns` after each other."""
    now_ns = 5_000_000

    def now() -> int:
        return now_ns

    decide = FaultPlan.of({SUBMIT: rule}).decider(Random(1), now)
    failed = []
    for ask in range(1, asks + 1):
        if decide(SUBMIT):
            failed.append(ask)
        now_ns += step_ns
    return failed


@pytest.mark.parametrize(
    ("rule", "failed"),
    [
        (0.0, []),
        (1.0, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (PointFault(interval=5), [5, 10]),
        (PointFault(times=2), [1, 2]),
        (PointFault(nth=3), [3]),
        (PointFault(interval=2, times=3), [2, 4, 6]),
    ],
)
def test_the_words_of_the_kernel(rule: PointFault | float, failed: list[int]) -> None:
    assert failures(rule) == failed


def test_a_probability_is_one_and_the_same_seed_the_same() -> None:
    failed = failures(0.5, asks=1000)
    assert 400 < len(failed) < 600
    assert failed == failures(0.5, asks=1000)


def test_a_schedule_counts_from_when_the_plan_was_installed() -> None:
    assert failures(PointFault(at_ms=3, for_ms=2), asks=8, step_ns=1_000_000) == [4, 5]
    assert failures(PointFault(at_ms=3, nth=2), asks=8, step_ns=1_000_000) == [5]


def test_other_points_do_not_fail_and_draw_nothing() -> None:
    plan = FaultPlan.of({SUBMIT: 0.5, "iaa.watchdog": 0.5})
    struck: list[str] = []

    def strike(point: str) -> bool:
        struck.append(point)
        return True

    one, other = (plan.decider(Random(3), lambda: 0, strike) for _ in range(2))
    assert not one("zswap.swapon")
    for _ in range(5):
        other("iaa.watchdog")
    assert [one(SUBMIT) for _ in range(50)] == [other(SUBMIT) for _ in range(50)]
    assert set(struck) == {SUBMIT, "iaa.watchdog"}


def test_a_plan_is_written_and_read_again(tmp_path: Path) -> None:
    plan = FaultPlan.of({SUBMIT: PointFault(probability=0.25, times=3, at_ms=1), "iaa.watchdog": 0.5})
    file = tmp_path / "plan.json"
    file.write_text(plan.model_dump_json())
    assert FaultPlan.load(file) == plan
    assert '"schema":"swaplab.fault_plan/1"' in file.read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "fault plan begins with"),
        ({"schema": "swaplab.fault_plan/2", "points": {}}, "swaplab.fault_plan/1"),
        ({"schema": "swaplab.fault_plan/1"}, "points: Field required"),
        ({"schema": "swaplab.fault_plan/1", "points": {"iaa.submti": {}}}, "no point 'iaa.submti'; there are acomp."),
        ({"schema": "swaplab.fault_plan/1", "points": {SUBMIT: {"often": 1}}}, "points.iaa.submit.often: Extra"),
        ({"schema": "swaplab.fault_plan/1", "points": {SUBMIT: {"probability": 2}}}, "less than or equal to 1"),
        ({"schema": "swaplab.fault_plan/1", "points": {SUBMIT: {"nth": 0}}}, "greater than 0"),
    ],
)
def test_what_can_not_be_used_is_told_in_one_line(content: object, said: str) -> None:
    with pytest.raises(PlanError) as refused:
        FaultPlan.read(content)
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[" * 5000, ""])
def test_a_file_that_is_no_plan_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    for name in (file, tmp_path / "none.json"):
        with pytest.raises(PlanError) as refused:
            FaultPlan.load(name)
        assert str(refused.value).startswith(f"{name}: ") and "\n" not in str(refused.value)


def test_it_decides_where_the_packages_ask() -> None:
    with fault.installed(FaultPlan.of({SUBMIT: PointFault(nth=2)}).decider(Random(0), lambda: 0)):
        assert [fault.should_fail(SUBMIT) for _ in range(3)] == [False, True, False]
