"""How far the exploration of one scenario has come: it says which run is wanted next, and counts what became of it."""

from .plan import Name, begun, following, plan
from .report import Report
from .run import Run
from .scenario import Scenario

ONE_STEP = 2
"""Events of a run whose scenario returns in its first step: the step, and the end of the loop."""


class Exploration:
    """The runs of a plan until the first that fails. Who makes them is no business of its own."""

    def __init__(self, scenario: Scenario, seeds: range, policy: str | None) -> None:
        self.scenario = scenario
        self.seeds = seeds
        self.policy = policy
        self.report = Report(scenario.name)
        self.failed: Run | None = None
        self._plan = plan(scenario, seeds)
        self.wanted: Name | None = begun(self._plan)

    def take(self, became: Run) -> None:
        """Count what became of the run that is wanted."""
        self.report.add(became)
        if became.events <= ONE_STEP and not became.broken:
            self.report.unsuitable = "it never suspends, so there is nothing to disturb: let it await something"
            self.wanted = None
        elif became.broken:
            self.failed, self.wanted = became, None
        else:
            self.wanted = following(self._plan, became)
