"""Eight published bugs: each is found within 300 runs by the defaults, and no correct program is accused."""

import dataclasses

import pytest

from swaplab import stress
from swaplab.stress.zoo import BUGS

names = pytest.mark.parametrize("name", BUGS)


@names
def test_the_faulty_one_is_found_within_300_runs(name: str) -> None:
    report = stress.explore(BUGS[name].faulty)
    assert report.finding is not None and report.runs <= 300


@names
def test_its_token_replays_it(name: str) -> None:
    scenario = BUGS[name].faulty
    found = stress.explore(scenario).finding
    assert found is not None
    again = stress.explore(scenario, token=found.token)
    assert again.runs == 1 and again.finding is not None
    assert again.finding.run.trace_hash == found.run.trace_hash
    assert again.finding.run.broken == found.run.broken


@names
@pytest.mark.parametrize("policy", ["fifo", "shuffle", "pct"])
def test_the_correct_one_is_not_accused(name: str, policy: str) -> None:
    report = stress.explore(BUGS[name].correct, policy=policy)
    assert report.ok, report
    assert report.runs >= 400


@pytest.mark.slow
@names
def test_the_correct_one_is_not_accused_in_5000_runs(name: str) -> None:
    scenario = dataclasses.replace(BUGS[name].correct, sweep_seeds=5)
    report = stress.explore(scenario, seeds=range(2500))
    assert report.ok, report
    assert report.runs >= 5000
