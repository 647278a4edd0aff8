"""`run`: a whole program in virtual time, as `asyncio.run` is one in real time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .errors import SimError
from .loop import VirtualLoop

T = TypeVar("T")


def run(
    main: Coroutine[Any, Any, T],
    *,
    debug: bool | None = None,
    max_events: int | None = None,
    max_time_ns: int | None = None,
    wall_clock: bool = False,
) -> T:
    """Run `main` on a fresh virtual loop and return its result; tasks it left behind are cancelled, as in asyncio.run.

    `max_events` and `max_time_ns` bound the run (EventBoundError, TimeBoundError), and the clean-up after it once more.
    DeadlockError when everybody waits for ever, RuntimeError inside of a running loop. What `main` ends with is never
    covered by a deadlock or a bound of the clean-up, which are told in a note.

    With `wall_clock` also `time.time`, `time.monotonic`, `time.perf_counter` and their twins in ns tell virtual time
    while the loop runs, to all threads: `time.time` from 2025-01-01T00:00:00Z, the others from 0. Out of reach are
    names that were bound before (`from time import time`), `datetime.now()`, `time.localtime()` and what else asks the
    machine in C. `time.sleep` still sleeps for real, and virtual time does not notice.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("swaplab.sim.run() cannot be called from a running event loop: await the coroutine there")

    def make_loop() -> VirtualLoop:
        return VirtualLoop(max_events=max_events, max_time_ns=max_time_ns, wall_clock=wall_clock)

    with asyncio.Runner(debug=debug, loop_factory=make_loop) as runner:
        try:
            return runner.run(main)
        except BaseException as error:
            try:
                runner.close()
            except SimError as second:
                error.add_note(f"cleaning up after it failed: {type(second).__name__}: {second}")
            raise
