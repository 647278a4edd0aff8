"""The campaigns find what they claim to cover: each safeguard that is switched off is noticed, and none that is on."""

import pytest

from swaplab import stress
from swaplab.campaigns import SCENARIOS
from tests.mutants.proof import MOST_RUNS, PAGE, Found, is_noticed, read, table
from tests.mutants.safeguards import SAFEGUARDS

FINDINGS = read()
BY_RULE = {safeguard.rule: safeguard for safeguard in SAFEGUARDS}


def test_each_safeguard_has_a_finding_within_1000_runs() -> None:
    assert [found.rule for found in FINDINGS] == [safeguard.rule for safeguard in SAFEGUARDS]
    assert len(FINDINGS) >= 20 and all(found.run <= MOST_RUNS for found in FINDINGS)
    assert {found.campaign for found in FINDINGS} == set(SCENARIOS)


def test_the_page_shows_what_was_found() -> None:
    assert table(FINDINGS) in PAGE.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("found", FINDINGS, ids=lambda found: found.rule.replace(" ", "-"))
def test_its_loss_is_noticed(found: Found) -> None:
    assert is_noticed(BY_RULE[found.rule], found.token)
    assert stress.explore(SCENARIOS[found.campaign], token=found.token).finding is None
