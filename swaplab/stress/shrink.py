"""Shrinking: as much as possible is left out of a run that fails, as long as the same thing still does not hold.

What is tried follows from the run that failed alone, and so does the result. The number of tries is bounded.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from .case import Case
from .run import Run, run
from .scenario import Scenario

MOST_TRIES = 400
MOST_EVENTS = 40
"""The earliest so many events are tried as those after which to cancel."""
NEARBY = 3
"""Without a client there are fewer events: the cancellation may have to come up to so many earlier."""
JITTERS_MS = (0, 0.1, 1, 5, 10, 20, 50, 100)

Way = Callable[[Run], Iterator[Case]]
"""One way of making a run smaller: yields what might do, the smallest first."""


def shrink(scenario: Scenario, failed: Run) -> tuple[Run, int]:
    """Return the smallest run that was found in which the same thing does not hold, and how many were tried."""
    tries = 0
    before = None
    while before != failed.case:
        before = failed.case
        for way in (_order, _nobody_cancelled, _clients, _faults, _jitter(scenario), _cancelled_once, _cancelled_early):
            smaller: Run | None = failed
            while smaller is not None:
                failed, smaller = smaller, None
                for case in way(failed):
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


def _order(failed: Run) -> Iterator[Case]:
    if failed.policy != "fifo":
        yield failed.case._replace(policy="fifo")


def _nobody_cancelled(failed: Run) -> Iterator[Case]:
    if failed.cancel is not None:
        yield failed.case._replace(cancel=None)


def _clients(failed: Run) -> Iterator[Case]:
    """Leave out one client more, but never the one that is cancelled."""
    for number in reversed(failed.clients):
        if failed.cancel is None or number != failed.cancel.target:
            fewer = _reduced(failed, without=tuple(sorted({*failed.reductions.without, number})))
            yield fewer
            if failed.cancel is not None:
                last = failed.cancel.k
                yield from _cancelled_after(fewer, range(last - 1, max(last - 1 - NEARBY, 0), -1))


def _faults(failed: Run) -> Iterator[Case]:
    """Let no fault strike, whenever the cancellation has to come then; or one less.

    First those that did are held fast: what else is left out later must bring no others.
    """
    if failed.is_faulty and failed.reductions.strikes is None:
        yield _reduced(failed, strikes=failed.strikes)
    if failed.strikes:
        none = _reduced(failed, strikes=())
        yield none
        yield from _cancelled_after(none, range(1, MOST_EVENTS))
    if len(failed.strikes) > 1:
        for left_out in reversed(failed.strikes):
            yield _reduced(failed, strikes=tuple(strike for strike in failed.strikes if strike != left_out))


def _jitter(scenario: Scenario) -> Way:
    def less(failed: Run) -> Iterator[Case]:
        reduced_ms = failed.reductions.jitter_ms
        now_ms = scenario.jitter_ms if reduced_ms is None else reduced_ms
        if now_ms:
            yield from _cancelled_after(_reduced(failed, jitter_ms=0), range(1, MOST_EVENTS))
        for jitter_ms in JITTERS_MS:
            if jitter_ms < now_ms:
                yield _reduced(failed, jitter_ms=jitter_ms)

    return less


def _cancelled_once(failed: Run) -> Iterator[Case]:
    if failed.cancel is not None and failed.cancel.times > 1:
        yield failed.case._replace(cancel=failed.cancel._replace(times=1))


def _cancelled_early(failed: Run) -> Iterator[Case]:
    if failed.cancel is not None:
        yield from _cancelled_after(failed.case, range(1, min(failed.cancel.k, MOST_EVENTS)))


def _cancelled_after(case: Case, ks: Iterable[int]) -> Iterator[Case]:
    if case.cancel is not None:
        for k in ks:
            yield case._replace(cancel=case.cancel._replace(k=k))


def _reduced(failed: Run, **what: object) -> Case:
    return failed.case._replace(reductions=replace(failed.reductions, **what))  # type: ignore[arg-type]
