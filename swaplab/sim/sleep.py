"""A task asleep: what a simulation does all the time, in one hop instead of two.

`asyncio.sleep` sets a timer, which completes a future, which makes the task ready. Here what the task awaits is itself
the entry in the heap: when it is due, the task goes on. The loop makes them; programs call `sleep_ns`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any

from .handle import Entry, Scheduler


class Sleep(Entry):
    """Heap entry and awaitable in one, to be awaited once, by one task.

    It offers a task what the task asks of a future (blocking flag, loop, add_done_callback, cancel, result), and the
    loop what it asks of a handle. `sleep_ns` wraps it in a coroutine, so nobody else takes it for a future.
    """

    __slots__ = ("_asyncio_future_blocking", "_delay_ns")

    # They hide the slots of asyncio.Handle, and save filling them.
    _cancelled = False
    _args = None
    _source_traceback = None

    def __init__(self, delay_ns: int, loop: Scheduler):
        self._asyncio_future_blocking = True
        self._delay_ns = delay_ns
        self._loop = loop

    def __repr__(self) -> str:
        return f"<sleep of {self._delay_ns} ns>"

    def __await__(self) -> Generator["Sleep"]:
        yield self

    def add_done_callback(self, wake: Callable[["Sleep"], object], *, context: Context) -> None:
        """Set the timer. The task calls this once it was handed this object, with its own wake-up."""
        loop = self._loop
        self._callback = wake
        self._context = context
        loop.schedule(loop.now_ns + self._delay_ns, self)

    def result(self) -> None:
        """What the woken task asks for, and there is nothing to tell."""

    def cancel(self, msg: object = None) -> bool:  # type: ignore[override] # as a future does
        """Wake the task with CancelledError in the next iteration; False when that was asked for before."""
        callback, self._callback = self._callback, None
        if callback is None:
            return False
        self._loop.call_soon(callback, Interrupted(msg), context=self._context)
        self._loop._timer_handle_cancelled(self)
        return True


class Interrupted:
    """What a task is woken with in place of its `Sleep` when that was cancelled."""

    __slots__ = ("_message",)

    def __init__(self, message: object):
        self._message = () if message is None else (message,)

    def result(self) -> None:
        """Raise CancelledError, as a cancelled future does."""
        raise asyncio.CancelledError(*self._message)


def sleep_ns(delay_ns: int) -> Coroutine[Any, Any, None]:
    """Sleep `delay_ns` nanoseconds (an int, >= 0) on the running loop; 0 lets the others run once.

    On a virtual loop this takes half the time of `asyncio.sleep` and is exact; any other loop gets `asyncio.sleep`.
    ValueError for a negative delay there.
    """
    loop = asyncio.get_running_loop()
    virtual: Callable[[int], Coroutine[Any, Any, None]] | None = getattr(loop, "sleep_ns", None)
    return asyncio.sleep(delay_ns / 1_000_000_000) if virtual is None else virtual(delay_ns)
