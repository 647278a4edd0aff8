"""The functions of the module `time`, made to tell virtual time while a loop runs, for code that asks them.

Only for loops that were asked to (`wall_clock=True`). Others replace these functions too (mocks, freezegun), and may
begin within a run and end after it, or the other way round; runs may stand within each other or in several threads. So
each run puts clocks of its own there, each remembers what it replaced, and nobody ever puts back a clock whose run is
over: what lies beneath it is put back instead. A clock that somebody kept (`from time import time` in a run) tells the
time of the latest run that goes on, and when there is none, what the module would tell.
"""

import threading
import time
from collections.abc import Callable

NS_PER_S = 1_000_000_000
START_NS = 1_735_689_600 * NS_PER_S
"""2025-01-01T00:00:00Z, the time of day at which every virtual clock starts, in ns since 1970."""

STARTS_NS = {"time": START_NS, "monotonic": 0, "perf_counter": 0}
"""What follows virtual time, with what it tells at 0; each has a twin in integer ns."""

_changing = threading.RLock()


class WallClock:
    """What the module `time` tells during one run; `now_ns` is the run's clock, and None when it is over."""

    def __init__(self, now_ns: Callable[[], int]):
        self.now_ns: Callable[[], int] | None = now_ns
        self._clocks = {name + unit: Clock(self, name, unit) for name in STARTS_NS for unit in ("", "_ns")}

    def start(self) -> None:
        """Let `time.time`, `monotonic`, `perf_counter` and their twins tell the time of this run."""
        with _changing:
            for name, clock in self._clocks.items():
                clock.beneath = _alive(getattr(time, name))
                setattr(time, name, clock)
            _running.append(self)

    def stop(self) -> None:
        """Put back what was there before, except where another tool has replaced it since. May be called twice."""
        with _changing:
            self.now_ns = None
            if self in _running:
                _running.remove(self)
            for name in self._clocks:
                setattr(time, name, _alive(getattr(time, name)))
                for other in _running:  # they began later, and must not keep this one
                    other._clocks[name].beneath = _alive(other._clocks[name].beneath)


class Clock:
    """One function of the module `time` during one run; an object, for a class may hold it as it may the real one."""

    __module__ = "time"  # where pickle finds what `__reduce__` names
    beneath: Callable[[], float]

    def __init__(self, run: WallClock, name: str, unit: str):
        self.run = run
        self.__name__ = self.__qualname__ = name + unit
        self._start_ns = STARTS_NS[name]
        self._in_ns = bool(unit)

    def __call__(self) -> float:
        """Tell the time of its run, or of whatever took the place of that."""
        clock = self.run.now_ns or next((run.now_ns for run in reversed(_running) if run.now_ns), None)
        if clock is None:
            return _alive(self)()
        now_ns = self._start_ns + clock()
        return now_ns if self._in_ns else now_ns / NS_PER_S

    def __repr__(self) -> str:
        return f"<virtual function {self.__name__}>"

    def __reduce__(self) -> str:
        return self.__name__


_running: list[WallClock] = []


def _alive(function: Callable[[], float]) -> Callable[[], float]:
    """`function`, unless it is the clock of a run that is over: then what lies beneath."""
    while isinstance(function, Clock) and function.run.now_ns is None:
        function = function.beneath
    return function
