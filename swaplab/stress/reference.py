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
    qualname: str
    options: tuple[Any, ...]

    def scenario(self) -> Scenario:
        """Find it.

        Raises:
            ValueError: It is not there.
        """
        try:
            found = _inside(import_module(self.module), self.qualname)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"a worker process does not find {self.module}:{self.qualname}: {error}") from error
        if not isinstance(found, Scenario):
            raise ValueError(f"{self.module}:{self.qualname} is no scenario, but {type(found).__qualname__}")
        found.body.__module__ = self.module  # a worker's main module has another name
        return Scenario(found.body, *self.options)


def refer_to(scenario: Scenario) -> Reference:
    """Say where workers find a scenario.

    Raises:
        ValueError: They would not find it.
    """
    body = scenario.body
    module = sys.modules.get(body.__module__)
    try:
        found = _inside(module, body.__qualname__)
    except AttributeError:
        found = None
    main_file = getattr(module, "__file__", None)
    if not isinstance(found, Scenario) or found.body is not body:
        raise ValueError(
            f"{scenario.name} can not be found by this name in a worker process: define it at the top of its module, "
            "or take jobs=1"
        )
    if body.__module__ == "__main__" and not (main_file and Path(main_file).is_file()):
        raise ValueError(
            f"{scenario.name} is in no file that a worker process can read: save it in one, or take jobs=1"
        )
    return Reference(
        body.__module__, body.__qualname__, tuple(getattr(scenario, one.name) for one in fields(scenario)[1:])
    )


def _inside(module: object, qualname: str) -> object:
    return reduce(getattr, qualname.split("."), module)
