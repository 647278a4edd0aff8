"""Fault plans: at which declared points of `acomp.fault` something fails, how often and when. A file, or Python's.

The words are those of the kernel's fault injection (`probability`, `interval`, `times`, and the n-th of `fail-nth`);
`at_ms` and `for_ms` say when. Differs from the kernel: a probability is 0 to 1 and not percent, and without a limit
`times` is left out and not -1.
"""

import json
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError

import iaa_emulator.driver.faults  # noqa: F401 (it declares points)
import zswap  # noqa: F401 (it declares the others)
from acomp import fault

from ..model.json_file import read_json

SCHEMA: Final = "swaplab.fault_plan/1"
NS_PER_MS: Final = 1_000_000


class PlanError(ValueError):
    """A fault plan that can not be used; the text is one line, with the remedy."""


class PointFault(BaseModel):
    """When one point fails: where all of this agrees. Asks are counted from 1, while the time is right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: float = Field(1.0, ge=0, le=1)
    interval: PositiveInt = 1
    """Only each so manieth ask may fail."""
    times: PositiveInt | None = None
    """So often at most."""
    nth: PositiveInt | None = None
    """Only this ask may fail."""
    at_ms: NonNegativeFloat = 0.0
    """From then on: milliseconds of loop time since the plan was installed."""
    for_ms: PositiveFloat | None = None
    """For so long; without it, to the end."""


class FaultPlan(BaseModel):
    """Faults by point. `decider` makes of it what `acomp.fault.installed` takes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["swaplab.fault_plan/1"] = Field(SCHEMA, alias="schema")
    swaplab: str = Field(default_factory=lambda: metadata.version("swaplab"))
    """The version that wrote it."""
    points: dict[str, PointFault]

    @classmethod
    def of(cls, points: Mapping[str, PointFault | float]) -> "FaultPlan":
        """A plan by point; a number is a probability.

        Raises:
            PlanError: There is no such point, or a number is out of range.
        """
        rules = {
            name: rule.model_dump() if isinstance(rule, PointFault) else {"probability": rule}
            for name, rule in points.items()
        }
        return cls.read({"schema": SCHEMA, "points": rules})

    @classmethod
    def load(cls, file: str | Path) -> "FaultPlan":
        """Read a plan from a file. PlanError for what can not be used."""
        try:
            return cls.read(read_json(Path(file)))
        except PlanError as error:
            raise PlanError(f"{file}: {error}") from None
        except (OSError, ValueError) as error:
            raise PlanError(f"{file}: {error}; name a fault plan in JSON") from None

    @classmethod
    def read(cls, content: Any) -> "FaultPlan":
        """A plan of what stands in a file.

        Raises:
            PlanError: It is no plan, of another version, or names a point that there is not; one line.
        """
        schema = content.get("schema") if isinstance(content, dict) else None
        if schema != SCHEMA:
            raise PlanError(f'this has the schema {schema!r}; a fault plan begins with "schema": "{SCHEMA}"')
        try:
            plan = cls.model_validate_json(json.dumps(content))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise PlanError(f"{where}: {first['msg']}; correct it") from None
        if unknown := sorted(set(plan.points) - set(fault.points)):
            raise PlanError(f"there is no point {unknown[0]!r}; there are {', '.join(sorted(fault.points))}")
        return plan

    def decider(
        self, random: Random, now_ns: Callable[[], int], strike: Callable[[str], bool] = lambda point: True
    ) -> fault.Decider:
        """Who decides by this plan from now on. Each point has a stream of random numbers split from `random`.

        `now_ns` tells the time, and `strike(point)` is asked last, whether the fault strikes.
        """
        began_ns = now_ns()
        points = {name: _Point(rule, Random(random.getrandbits(64))) for name, rule in self.points.items()}

        def decide(name: str) -> bool:
            point = points.get(name)
            return point is not None and point.fails(now_ns() - began_ns) and strike(name)

        return decide


class _Point:
    """A point under a plan: how often it was asked, and how often it has failed."""

    def __init__(self, rule: PointFault, random: Random) -> None:
        self._rule = rule
        self._random = random
        self._begins_ns = rule.at_ms * NS_PER_MS
        self._ends_ns = float("inf") if rule.for_ms is None else self._begins_ns + rule.for_ms * NS_PER_MS
        self._asked = self._failed = 0

    def fails(self, at_ns: int) -> bool:
        """Whether it fails now, so long after the plan was installed."""
        rule = self._rule
        if not self._begins_ns <= at_ns < self._ends_ns:
            return False
        self._asked += 1
        if self._asked % rule.interval or (rule.nth is not None and self._asked != rule.nth):
            return False
        if rule.times is not None and self._failed >= rule.times:
            return False
        if self._random.random() >= rule.probability:
            return False
        self._failed += 1
        return True
