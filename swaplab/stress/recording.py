"""A run, event by event: who ran, where it stood afterwards and what it waits for. `timeline` makes pictures of it.

Recorded when a run that is known to fail is repeated once more: looking into frames takes its time.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from swaplab.sim.deadlock import who_waits

from .case import Case
from .loop import OURS, StressLoop
from .run import Run, run
from .scenario import Scenario
from .world import World, described, identity_of

SCENARIO = "the scenario"
"""The name of the task that every run begins with."""
MOST_STEPS = 5_000
"""Of a run that is longer the last ones are kept."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A task: what the trace names it by, its name, in which event it was made and after which it was over (or 0)."""

    who: int | str
    name: str
    born: int
    over: int = 0
    end: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One event: its number from 1, when it was, who ran, what can be said of where it stands now, and who awaits that.

    `cancelled` are those whom it has cancelled.
    """

    number: int
    ns: int
    who: int | str
    where: str
    callers: tuple[str, ...] = ()
    cancelled: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """The tasks of a run in the order of their making, and its events."""

    lanes: tuple[Lane, ...]
    steps: tuple[Step, ...]
    cancelled: int | str = 0
    """What the trace names the task by that was cancelled; 0 if none was."""

    def name_of(self, who: int | str | None) -> str:
        """The name of a task; of other callbacks their own."""
        return next((lane.name for lane in self.lanes if lane.who == who), str(who))


def record(scenario: Scenario, case: Case) -> tuple[Run, Recording]:
    """Make a run and record it."""
    recorder = _Recorder()
    became = run(scenario, *case, watch=recorder)
    return became, Recording(tuple(recorder.lanes.values()), tuple(recorder.steps[-MOST_STEPS:]), recorder.target())


class _Recorder:
    def __init__(self) -> None:
        self.lanes: dict[int | str, Lane] = {}
        self.steps: list[Step] = []
        self._alive: dict[int | str, asyncio.Task[Any]] = {}
        self._cancelling: Counter[int | str] = Counter()
        self._world: World | None = None

    def event(self, world: World, loop: StressLoop) -> None:
        """Note what the event was that has just been. Called before the world counts it."""
        self._world = world
        number = len(world.ran) + 1
        for task in loop.tasks[len(self.lanes) :]:
            who = identity_of(task)
            self._alive[who] = task
            # The scenario's own is made before the first event, all others during one.
            self.lanes[who] = Lane(who, task.get_name(), 0 if task.get_name() == SCENARIO else number)
        ran = loop.last_event
        assert ran is not None, "an event has just been"
        stands = self._stands(ran, self._alive[ran], number) if ran in self._alive else ("", ())
        self.steps.append(Step(number, loop.now_ns, ran, *stands, self._cancelled_since()))

    def cancelled(self) -> None:
        """We have cancelled somebody, and with it whatever that waits for: this is nobody's else."""
        self._cancelled_since()

    def _cancelled_since(self) -> tuple[int | str, ...]:
        """Who was asked to end since the last call. (Who has ended can not be.)"""
        before = self._cancelling
        self._cancelling = Counter({who: asked for who, task in self._alive.items() if (asked := task.cancelling())})
        return tuple(self._cancelling - before)

    def target(self) -> int | str:
        """Who was cancelled by us."""
        targets = () if self._world is None else self._world.targets
        return next((identity_of(target.task) for target in targets if target.cancelled), 0)

    def _stands(self, who: int | str, task: asyncio.Task[Any], number: int) -> tuple[str, tuple[str, ...]]:
        """Where a task stands that has just run, and who awaits that; or how it ended."""
        if not task.done():
            (waiting,) = who_waits([task], OURS)
            return f"in {waiting.where} for {waiting.awaits}", waiting.callers
        if task.cancelled():
            end = "cancelled"
        else:
            error = getattr(task, "_exception", None)  # for to ask in public is to have seen it
            end = "returned" if error is None else f"raised {described(error)}"
        self.lanes[who] = replace(self.lanes[who], over=number, end=end)
        del self._alive[who]
        return end, ()
