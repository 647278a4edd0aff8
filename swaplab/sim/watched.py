"""Debug mode: handles that remember where they were made, and tell when one callback holds up the loop.

How long a callback takes is real time, the only use of it in virtual time, and only for the log.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

from .handle import Entry
from .sleep import Sleep

logger = logging.getLogger("asyncio")

LOOP_FILES = {str(Path(__file__).with_name(name)) for name in ("loop.py", "schedule.py", "task.py")}


def forget_the_loop(made: Any) -> None:
    """Let the traceback of where a handle or a task was made, if it has one, end with whoever called the loop."""
    origin = made._source_traceback
    while origin and origin[-1].filename in LOOP_FILES:
        del origin[-1]


class Watched(Entry):
    """Any handle whose run is timed."""

    __slots__ = ()

    def _run(self) -> None:
        loop = self._loop
        # asyncio's own messages name the handle under which a future or a task was made.
        loop._current_handle = self
        began = time.monotonic()
        try:
            super()._run()
            took = time.monotonic() - began
            if took >= loop.slow_callback_duration:
                logger.warning("Executing %r took %.3f seconds", self, took)
        finally:
            loop._current_handle = None
            del self  # as Handle._run does: a traceback may keep this frame, which must not keep the task in turn


class WatchedHandle(Watched):
    """A callback to run soon, in debug mode."""

    __slots__ = ()


class WatchedTimer(Watched, asyncio.TimerHandle):
    """A timer, in debug mode."""

    __slots__ = ()


class WatchedSleep(Watched, Sleep):
    """A sleeping task, in debug mode."""

    __slots__ = ()
