"""Scenarios by name, for other processes: a function can not be sent to one, but is found there again."""

import sys
from dataclasses import dataclass, fields
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

from .scenario import Scenario


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a scenario is found again: its module and its name in there; and its options, which may be others there."""

    module: str
    name: str
    options: tuple[Any, ...]

    def scenario(self) -> Scenario:
        """Find it.

        Raises:
            ValueError: It is not there.
        """
        try:
            found = _inside(import_module(self.module), self.name)
        except ImportError as error:
            raise ValueError(f"a worker process can not import {self.module}: {error}") from error
        if not isinstance(found, Scenario):
            raise ValueError(f"a worker process finds no scenario {self.name} in {self.module}: define it in any case")
        found.body.__module__ = self.module  # a worker's main module has another name
        return Scenario(found.body, *self.options)


def refer_to(scenario: Scenario) -> Reference:
    """Say where workers find a scenario.

    Raises:
        ValueError: They would not find it.
    """
    module = sys.modules.get(scenario.body.__module__)
    name = _name_in(module, scenario)
    if name is None:
        raise ValueError(
            f"{scenario.name} can not be found by this name in a worker process: define it at the top of its module, "
            "or take jobs=1"
        )
    file = getattr(module, "__file__", None)
    if scenario.body.__module__ == "__main__" and not (file and Path(file).is_file()):
        raise ValueError(
            f"{scenario.name} is in no file that a worker process can read: save it in one, or take jobs=1"
        )
    options = tuple(getattr(scenario, one.name) for one in fields(scenario) if one.name != "body")
    return Reference(scenario.body.__module__, name, options)


def _name_in(module: object, scenario: Scenario) -> str | None:
    """The name under which a module has the scenario: its own, or another."""
    names = [scenario.body.__qualname__, *getattr(module, "__dict__", ())]
    return next((name for name in names if _is_body(_inside(module, name), scenario)), None)


def _is_body(found: object, scenario: Scenario) -> bool:
    return isinstance(found, Scenario) and found.body is scenario.body


def _inside(module: object, qualname: str) -> object:
    """What a module has under a dotted name; None if it has no such thing."""
    return reduce(lambda found, name: getattr(found, name, None), qualname.split("."), module)
