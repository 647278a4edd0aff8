"""Virtual time: asyncio programs that take no time, always in the same order.

`run(main())` instead of `asyncio.run(main())` is all it takes. The clock counts integer nanoseconds and jumps to the
next event when nothing is ready; events at one time happen in the order in which they were asked for. Threads, sockets,
processes and signals are refused by name. `pytest -p swaplab.sim.pytest` brings it to tests.

One hazard of asyncio stays: a set of *plain futures or coroutines* (`asyncio.as_completed`, the sets of `asyncio.wait`)
is ordered by address. Give these functions tasks, which are ordered here, or go through a list of your own.
"""

from .deadlock import Waiting
from .errors import BoundReachedError, DeadlockError, EventBoundError, RefusedError, SimError, TimeBoundError
from .loop import VirtualLoop
from .runner import run
from .sleep import sleep_ns

__all__ = [
    "run",
    "sleep_ns",
    "VirtualLoop",
    "SimError",
    "DeadlockError",
    "Waiting",
    "BoundReachedError",
    "EventBoundError",
    "TimeBoundError",
    "RefusedError",
]
