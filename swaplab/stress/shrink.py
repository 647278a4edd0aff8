"""Shrinking: as much as possible is left out of a run that fails, as long as the same thing still does not hold.

What is tried follows from the run that failed alone, and so does the result. The number of tries is bounded.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from .case import Case
from .run import Run, run
from .scenario import Scenario

MOST_TRIES = 400
MOST_EVENTS = 100
"""The earliest so many events are tried as those after which to cancel."""
MOMENTS = 6
"""So many are tried between two events of who is cancelled, when a run has become another one."""
JITTERS_MS = (0, 0.1, 1, 5, 10, 20, 50, 100)

Way = Callable[[Scenario, Run], Iterator[Case]]
"""One way of making a run smaller: yields what might do, the smallest first."""


def shrink(scenario: Scenario, failed: Run) -> tuple[Run, int]:
    """Return the smallest run that was found in which the same thing does not hold, and how many were tried."""
    tries = 0
    before = None
    while before != failed.case:
        before = failed.case
        for way in (_order, _nobody_cancelled, _clients, _faults, _jitter, _cancelled_once, _cancelled_early):
            smaller: Run | None = failed
            while smaller is not None:
                failed, smaller = smaller, None
                for case in way(scenario, failed):
                    if tries == MOST_TRIES:
                        return failed, tries
                    tries += 1
                    became = run(scenario, *case)
                    if fails_alike(failed, became):
                        smaller = became
                        break
    return failed, tries


def fails_alike(one: Run, other: Run) -> bool:
    """Whether what did not hold first in `one` does not hold in `other` either."""
    return _kind(one.broken[0]) in map(_kind, other.broken)


def _kind(broken: str) -> str:
    """What did not hold, without numbers, and without the names of all the tasks that are left over."""
    return re.sub(r"(?<=left over: task ').*", "", re.sub(r"\d+", "#", broken))


def _order(_: Scenario, failed: Run) -> Iterator[Case]:
    if failed.policy != "fifo":
        yield failed.case._replace(policy="fifo")


def _nobody_cancelled(_: Scenario, failed: Run) -> Iterator[Case]:
    if failed.cancel is not None:
        yield failed.case._replace(cancel=None)


def _clients(scenario: Scenario, failed: Run) -> Iterator[Case]:
    """Leave out one client more, but never the one that is cancelled."""
    for number in reversed(failed.clients):
        if failed.cancel is None or number != failed.cancel.target:
            fewer = tuple(sorted({*failed.reductions.without, number}))
            yield from _at_that_time(scenario, failed, _reduced(failed, without=fewer))


def _faults(scenario: Scenario, failed: Run) -> Iterator[Case]:
    """Let no fault strike, or one less.

    First those that did are held fast: what else is left out later must bring no others.
    """
    if failed.is_faulty and failed.reductions.strikes is None:
        yield _reduced(failed, strikes=failed.strikes)
    if failed.strikes:
        yield from _at_that_time(scenario, failed, _reduced(failed, strikes=()))
    if len(failed.strikes) > 1:
        for left_out in reversed(failed.strikes):
            kept = tuple(strike for strike in failed.strikes if strike != left_out)
            yield from _at_that_time(scenario, failed, _reduced(failed, strikes=kept))


def _jitter(scenario: Scenario, failed: Run) -> Iterator[Case]:
    reduced_ms = failed.reductions.jitter_ms
    now_ms = scenario.jitter_ms if reduced_ms is None else reduced_ms
    for jitter_ms in JITTERS_MS:
        if jitter_ms < now_ms:
            yield from _at_that_time(scenario, failed, _reduced(failed, jitter_ms=jitter_ms))


def _cancelled_once(_: Scenario, failed: Run) -> Iterator[Case]:
    if failed.cancel is not None and failed.cancel.times > 1:
        yield failed.case._replace(cancel=failed.cancel._replace(times=1))


def _cancelled_early(_: Scenario, failed: Run) -> Iterator[Case]:
    if failed.cancel is not None:
        for k in range(1, min(failed.cancel.k, MOST_EVENTS)):
            yield failed.case._replace(cancel=failed.cancel._replace(k=k))


def _reduced(failed: Run, **what: object) -> Case:
    return failed.case._replace(reductions=replace(failed.reductions, **what))  # type: ignore[arg-type]


def _at_that_time(scenario: Scenario, failed: Run, case: Case) -> Iterator[Case]:
    """Make a cancellation come when its target has had as many events of its own as it had when it failed.

    What is left out changes the events of all others, and so the number of the one after which to cancel.
    """
    yield case
    cancel = case.cancel
    if cancel is None:
        return
    who, _ = failed.made[cancel.target]
    had = failed.ran[: failed.cancelled_after].count(who)
    undisturbed = run(scenario, *case._replace(cancel=None))
    if cancel.target not in undisturbed.made:
        return
    who, born = undisturbed.made[cancel.target]
    own = [born, *(number for number, ran in enumerate(undisturbed.ran, 1) if ran == who)]
    if had + 1 < len(own):
        between = range(own[had], own[had + 1])
        for moment in [*reversed(between[-MOMENTS // 2 :]), *between[: MOMENTS // 2]]:
            if moment > born:
                yield case._replace(cancel=cancel._replace(k=moment - born))
