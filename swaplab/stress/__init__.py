"""Stress: a coroutine is run under many seeds and cancelled at every event, and each failure can be replayed.

`@scenario` makes a `Scenario` of an `async def` that takes a `World`; `explore` runs it many times in virtual time and
returns a `Report`. It knows `swaplab.sim` and nothing else of this repository. docs/stress.md tells how to use it.
"""

from .case import Cancel
from .explore import explore
from .report import Finding, NotReproducibleError, Report
from .scenario import Scenario, scenario
from .token import TokenError
from .world import InjectedFault, World

__all__ = [
    "scenario",
    "Scenario",
    "World",
    "InjectedFault",
    "explore",
    "Report",
    "Finding",
    "Cancel",
    "NotReproducibleError",
    "TokenError",
]
