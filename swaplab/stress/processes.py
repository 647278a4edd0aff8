"""Explorations in worker processes: they make runs ahead of the plans, in batches, and the plans take what they want.

So what is found is what one process alone would have found, in the same order. All of them have PYTHONHASHSEED=0, as
the command has that repeats a finding. A scenario goes to them by its name.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from swaplab.process_died import ProcessDiedError
from swaplab.sim import RefusedError
from swaplab.worker_processes import in_processes

from .case import Case
from .examine import examine
from .exploration import Exploration
from .plan import Name, Plan, begun, following, others, sweep_one
from .reference import Reference, refer_to
from .report import Finding, NotReproducibleError, Report
from .run import Run, run
from .scenario import Scenario

HASH_SEED = {"PYTHONHASHSEED": "0"}
SEEDS = 8
EVENTS = 4
"""Seeds, and events of a sweep, in a batch."""

REMEDY = 'take fewer jobs, and call explore below `if __name__ == "__main__"` where a script does'


@dataclass(frozen=True, slots=True)
class Others:
    """Some seeds, each undisturbed and cancelled once."""

    seeds: range


@dataclass(frozen=True, slots=True)
class Swept:
    """A part of the sweep of a seed: cancelled after these events."""

    seed: int
    ks: range


@dataclass(frozen=True, slots=True)
class Failed:
    """A run that failed, and the number that it had, to be examined; made smaller if `smaller`."""

    run: Run
    run_number: int
    smaller: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """A run that a token names."""

    case: Case


Request = tuple[Reference, str | None, Others | Swept | Failed | Replay]
Ran = Callable[[int], object]


def work(request: Request) -> Any:
    """What a worker does with a request. Traces of runs that held are of no use to anybody."""
    threading.excepthook = _told_already
    reference, policy, what = request
    scenario = reference.scenario()
    match what:
        case Others(seeds):
            return _made(scenario, policy, others(seeds, scenario.cancel))
        case Swept(seed, ks):
            return _made(scenario, policy, sweep_one(seed, ks))
        case Failed(failed, run_number, smaller):
            return _examined(scenario, failed, run_number, smaller)
        case Replay(case):
            became = run(scenario, *case)
            return became, _examined(scenario, became, 1, smaller=False) if became.broken else None


def _told_already(raised: threading.ExceptHookArgs) -> None:
    """What a thread asks for in vain ends the run, which tells it."""
    if not issubclass(raised.exc_type, RefusedError):
        threading.__excepthook__(raised)


def _made(scenario: Scenario, policy: str | None, plan: Plan) -> list[tuple[Name, Run]]:
    """The runs of a plan, up to the first that failed."""
    made = []
    name = begun(plan)
    while name is not None:
        seed, cancel = name
        became = run(scenario, seed, cancel, policy)
        made.append((name, became if became.broken else replace(became, times_ns=(), ran=())))
        name = None if became.broken else following(plan, became)
    return made


def _examined(scenario: Scenario, failed: Run, run_number: int, smaller: bool) -> Finding | NotReproducibleError:
    try:
        return examine(scenario, failed, run_number, smaller=smaller)
    except NotReproducibleError as error:
        return error


class _Ahead:
    """An exploration, and the runs that were made ahead of it."""

    def __init__(self, exploration: Exploration) -> None:
        self.exploration = exploration
        self.reference = refer_to(exploration.scenario)
        self._known: dict[Name, Run] = {}
        self._ended: set[int] = set()

    def batches(self) -> Iterator[Others | Swept]:
        """What is to be made next, about in the order in which it is wanted."""
        asked, swept = self.exploration, self.exploration.scenario.sweep_seeds
        streams = [self._sweeps(asked.seeds[:swept]), self._others(asked.seeds[swept:])]
        while streams and asked.wanted is not None:
            for stream in list(streams):
                batch = next(stream, None)
                if batch is None:
                    streams.remove(stream)
                else:
                    yield batch

    def _sweeps(self, seeds: range) -> Iterator[Others | Swept]:
        for seed in seeds:
            if not self.exploration.scenario.cancel:
                yield Swept(seed, range(0))
                continue
            for first in count(1, EVENTS):
                if seed in self._ended:
                    break
                yield Swept(seed, range(first, first + EVENTS))

    def _others(self, seeds: range) -> Iterator[Others | Swept]:
        for first in range(0, len(seeds), SEEDS):
            yield Others(seeds[first : first + SEEDS])

    def take(self, batch: Others | Swept, made: Sequence[tuple[Name, Run]]) -> int:
        """Let the exploration have what it wants; return how many more seeds are through."""
        asked, before = self.exploration, self.exploration.report.seeds
        if isinstance(batch, Swept) and not any(
            became.cancelled and cancel is not None and cancel.k == batch.ks[-1] for (_, cancel), became in made
        ):
            self._ended.add(batch.seed)
        if asked.wanted is None:
            return 0
        self._known.update(made)
        while asked.wanted in self._known:
            asked.take(self._known.pop(asked.wanted))
        return asked.report.seeds - before


def explore_in_processes(
    explorations: Sequence[Exploration], jobs: int, *, smaller: bool, ran: Ran = lambda seeds: None
) -> None:
    """Bring explorations to their ends. `ran` is told how many seeds more are through.

    Raises:
        ProcessDiedError: A worker was ended from outside.
        ValueError: Workers would not find a scenario.
    """
    ahead = [_Ahead(exploration) for exploration in explorations]
    requests = (
        ((one, batch), (one.reference, one.exploration.policy, batch)) for one in ahead for batch in one.batches()
    )
    with in_processes(work, requests, jobs, environment=HASH_SEED) as answers:
        for (one, batch), made in answers:
            ran(one.take(batch, _alive(made)))
            if all(exploration.wanted is None for exploration in explorations):
                break
    failed = [one for one in ahead if one.exploration.failed is not None]
    questions = ((one, _question(one, smaller)) for one in failed)
    with in_processes(work, questions, min(jobs, len(failed) or 1), environment=HASH_SEED) as answers:
        for one, found in answers:
            _note(one.exploration.report, _alive(found))
    for exploration in explorations:
        if exploration.wanted is not None:
            seed, cancel = exploration.wanted
            exploration.report.not_reproducible = (
                f"not reproducible: {exploration.scenario.name} with seed {seed}, {cancel or 'nobody'} cancelled, goes "
                "another way in another process. Usual cause: state that outlives a run"
            )


def replay_in_process(scenario: Scenario, case: Case) -> Report:
    """Make one run in a worker process, and say what became of it.

    Raises:
        ProcessDiedError: The worker was ended from outside.
        ValueError: It would not find the scenario.
    """
    report = Report(scenario.name, replayed=True)
    with in_processes(work, [(report, (refer_to(scenario), None, Replay(case)))], 1, environment=HASH_SEED) as answers:
        for _, answer in answers:
            became, found = _alive(answer)
            report.add(became)
            _note(report, found)
    return report


def _question(one: _Ahead, smaller: bool) -> Request:
    failed = one.exploration.failed
    assert failed is not None, "only these are examined"
    return one.reference, None, Failed(failed, one.exploration.report.runs, smaller)


def _note(report: Report, found: Finding | NotReproducibleError | None) -> None:
    if isinstance(found, NotReproducibleError):
        report.not_reproducible = str(found)
    else:
        report.finding = found


def _alive(answer: Any) -> Any:
    if isinstance(answer, ProcessDiedError):
        raise ProcessDiedError(REMEDY)
    return answer
