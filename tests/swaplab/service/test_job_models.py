"""What a job may be is what the laboratory has."""

from typing import get_args

from swaplab.cli.scenarios import GROUPS, chosen
from swaplab.service.job_models import Scenario


def test_its_scenarios_are_those_of_the_command() -> None:
    every = chosen(["all", "campaigns", "zoo"])
    assert set(get_args(Scenario)) == {*GROUPS, *every}
