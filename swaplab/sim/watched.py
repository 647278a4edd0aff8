"""Debug mode: handles that remember where they were made, and tell when one callback holds up the loop.

How long a callback takes is real time, the only use of it in virtual time, and only for the log. (The function is bound
here, where a run with a virtual wall clock does not reach it.)
"""

import asyncio
import logging
from collections.abc import Generator, Iterable
from pathlib import Path
from time import monotonic
from typing import Any

from .handle import Entry
from .internals import Internals

logger = logging.getLogger("asyncio")

LOOP_FILES = {str(Path(__file__).with_name(name)) for name in ("loop.py", "schedule.py", "task.py")}


def forget_the_loop(made: Any) -> None:
    """Cut the loop's own frames off the traceback of where a handle or a task was made, if it has one."""
    origin = made._source_traceback
    while origin and origin[-1].filename in LOOP_FILES:
        del origin[-1]


def watched(loop: Internals, handles: Iterable[Entry]) -> Generator[Entry]:
    """Pass `handles` on, to be run one by one, and log those that take long until the next is asked for."""
    try:
        began = monotonic()
        for handle in handles:
            # asyncio's own messages name the handle under which a future or a task was made.
            loop._current_handle = handle
            yield handle  # nothing is called before it, so no signal handler that raises takes the handle away
            took = monotonic() - began
            if took >= loop.slow_callback_duration:
                logger.warning("Executing %r took %.3f seconds", handle, took)
            began = monotonic()
    finally:
        loop._current_handle = None


class WatchedHandle(Entry):
    """A callback to run soon, in debug mode."""

    __slots__ = ()


class WatchedTimer(Entry, asyncio.TimerHandle):
    """A timer, in debug mode."""

    __slots__ = ()
