"""What the loop's queue and heap hold: callbacks to run soon, and timers.

Each is an `asyncio.Handle` to whoever gets it back, without the parts that only debug mode fills. (In debug mode the
loop makes those of `watched`.) A handle whose `_callback` is None was cancelled: that is all the loop asks.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol


class Scheduler(Protocol):
    """What an entry asks of the loop that it was made by."""

    now_ns: int
    slow_callback_duration: float
    _current_handle: Any

    def schedule(self, when_ns: int, handle: "Entry") -> None:
        """Enter a handle."""

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Run a callback in the next iteration."""

    def raise_refusal(self) -> None:
        """Raise what was refused in another thread, if anything was."""

    def _timer_handle_cancelled(self, handle: asyncio.Handle) -> None: ...


class Entry(asyncio.Handle):
    """Whatever can stand in the ready queue or in the heap."""

    __slots__ = ()

    _callback: Any
    _args: Any
    _context: Context
    _loop: Scheduler
    _source_traceback: Any


class SoonHandle(Entry):
    """A callback in the ready queue. One is made for each step of each task, so being small is what it is for."""

    __slots__ = ()

    # They hide the slots of asyncio.Handle, and save filling them.
    _repr: str | None = None
    _source_traceback = None

    def __init__(self, callback: object, args: tuple[Any, ...], context: Context, loop: Scheduler):
        self._callback = callback
        self._args = args
        self._context = context
        self._loop = loop

    @property
    def _cancelled(self) -> bool:  # type: ignore[override] # read-only, and derived
        return self._callback is None

    def cancel(self) -> None:
        """Never run the callback; without effect when it has run."""
        self._callback = self._args = None


class LastWord(SoonHandle):
    """Ends the run in which its turn comes, if the loop has something to tell."""

    __slots__ = ()

    def __init__(self, loop: Scheduler):
        super().__init__(loop.raise_refusal, (), Context(), loop)


class TimedHandle(SoonHandle, asyncio.TimerHandle):
    """A callback that is due at `when_ns`."""

    __slots__ = ("when_ns",)

    def __init__(self, when_ns: int, callback: object, args: tuple[Any, ...], context: Context, loop: Scheduler):
        self.when_ns = when_ns
        self._callback = callback
        self._args = args
        self._context = context
        self._loop = loop

    @property
    def _when(self) -> float:
        return self.when_ns / 1_000_000_000

    def cancel(self) -> None:
        """Never run the callback; without effect when it has run."""
        self._callback = self._args = None
        if self.when_ns > self._loop.now_ns:
            self._loop._timer_handle_cancelled(self)
