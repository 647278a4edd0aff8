"""Debug mode: handles that remember where they were made, and tell when one callback holds up the loop.

How long a callback takes is real time, the only use of it in virtual time, and only for the log.
"""

import asyncio
import logging
import time

from .handle import Entry
from .sleep import Sleep

logger = logging.getLogger("asyncio")


class Watched(Entry):
    """Any handle whose run is timed."""

    __slots__ = ()

    def made_outside(self, frames: int) -> None:
        """Forget the innermost `frames` of where it was made: the loop's own say nothing."""
        if self._source_traceback:
            del self._source_traceback[-frames:]

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


class WatchedHandle(Watched):
    """A callback to run soon, in debug mode."""

    __slots__ = ()


class WatchedTimer(Watched, asyncio.TimerHandle):
    """A timer, in debug mode."""

    __slots__ = ()


class WatchedSleep(Watched, Sleep):
    """A sleeping task, in debug mode."""

    __slots__ = ()
