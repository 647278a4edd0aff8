"""The campaigns themselves: a short one of each scenario, and what they have to cover."""

import re
from pathlib import Path

import pytest

from swaplab import stress
from swaplab.campaigns import PLANS, SCENARIOS
from swaplab.stress.run import run

ROOT = Path(__file__).parents[3]
DECLARED = re.compile(r'declare\(\s*"([^"]+)"')


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_short_campaign_holds_and_reaches_every_state_of_interest(name: str) -> None:
    report = stress.explore(SCENARIOS[name], seeds=range(50))
    assert report.ok, str(report)


def test_every_point_that_can_fail_is_in_a_plan() -> None:
    sources = [
        file for package in ("acomp", "iaa_emulator", "zswap", "swaplab") for file in (ROOT / package).rglob("*.py")
    ]
    declared = {point for file in sources for point in DECLARED.findall(file.read_text())}
    assert len(declared) > 15
    assert declared - {point for plan in PLANS for point in plan.points} == set()


@pytest.mark.slow
def test_every_fault_of_a_plan_strikes_somewhere() -> None:
    """Seeds are shared out among the campaigns; some 200 are enough."""
    missing = {point for plan in PLANS for point in plan.points}
    missing |= {f"a job is {how}" for how in ("lost", "late", "twice", "corrupted", "overflow")}
    scenarios = list(SCENARIOS.values())
    for seed in range(1000):
        missing -= {note.what for note in run(scenarios[seed % len(scenarios)], seed).faults}
        if not missing:
            break
    assert not missing


def test_nobody_imports_the_campaigns_by_importing_the_tool() -> None:
    assert not [file for file in (ROOT / "swaplab/stress").rglob("*.py") if "import campaigns" in file.read_text()]
