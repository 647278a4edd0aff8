"""The functions of the module `time`, made to tell virtual time while a loop runs, for code that asks them.

Only for loops that were asked to (`wall_clock=True`). Several may run at a time, one inside of another's
`run_in_executor` or in different threads: the innermost or latest is followed, and the real functions are back when the
last has stopped. A name that was bound while one ran (`from time import time`) tells real time from then on.
"""

import threading
import time
from collections.abc import Callable

NS_PER_S = 1_000_000_000
START_NS = 1_735_689_600 * NS_PER_S
"""2025-01-01T00:00:00Z, the time of day at which every virtual clock starts, in ns since 1970."""

STARTS_NS = {"time": START_NS, "monotonic": 0, "perf_counter": 0}
"""What follows virtual time, with what it tells at 0; each has a twin in integer ns."""

Clock = Callable[[], float]

_followed: list[Callable[[], int]] = []
_real: dict[str, Clock] = {name + unit: getattr(time, name + unit) for name in STARTS_NS for unit in ("", "_ns")}
_changing = threading.Lock()


def follow(now_ns: Callable[[], int]) -> None:
    """Let `time.time`, `monotonic`, `perf_counter` and their twins tell the time of the clock `now_ns`."""
    with _changing:
        if not _followed:  # not always the real ones: another tool may have replaced them
            _real.update({name: getattr(time, name) for name in VIRTUAL})
        _followed.append(now_ns)
        for name, clock in VIRTUAL.items():
            setattr(time, name, clock)


def unfollow(now_ns: Callable[[], int]) -> None:
    """Follow `now_ns` no more, if that was begun; the last one puts the functions back that were there before."""
    with _changing:
        if now_ns in _followed:
            _followed.remove(now_ns)
        if not _followed:
            for name, clock in VIRTUAL.items():
                if getattr(time, name) is clock:
                    setattr(time, name, _real[name])


def _virtual(name: str, start_ns: int, per_s: int | None) -> Clock:
    """The clock `name`, in seconds or, where `per_s` is None, in integer ns."""

    def clock() -> float:
        try:
            now_ns = start_ns + _followed[-1]()
        except IndexError:
            return _real[name]()
        return now_ns if per_s is None else now_ns / per_s

    clock.__name__ = clock.__qualname__ = name
    return clock


VIRTUAL: dict[str, Clock] = {
    name + unit: _virtual(name + unit, start_ns, per_s)
    for name, start_ns in STARTS_NS.items()
    for unit, per_s in (("", NS_PER_S), ("_ns", None))
}
"""What stands in the module `time` meanwhile."""
