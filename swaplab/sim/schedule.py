"""What is due, and when: the clock, the ready queue and the heap, and every way to enter them.

What happens is ordered by (time, serial): the heap holds what is due later than now, the ready queue what is due now,
in the order in which it was asked for. A timer for now or the past therefore joins the ready queue at once; the stock
loop would run it after the callbacks of the next iteration.

Half of the virtual loop, and only there to be inherited by it: the other half, `loop`, takes things out again.
"""

import asyncio
import heapq
import itertools
import sys
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from operator import attrgetter, index
from typing import Any, TypeVarTuple

from .errors import INLINE, RefusedError
from .handle import Entry, LastWord, SoonHandle, TimedHandle
from .internals import Internals
from .sleep import Sleep
from .watched import WatchedHandle, WatchedTimer, forget_the_loop

Ts = TypeVarTuple("Ts")

NS_PER_S = 1_000_000_000
NEVER = sys.maxsize
"""A time in ns that no run reaches: 292 years."""
NEVER_S = NEVER // NS_PER_S
"""The same in whole seconds."""

MIN_CANCELLED = 100
"""Cancelled timers stay in the heap until they are due, or until they are more than this and more than half of it."""


class Schedule(Internals):
    """The virtual clock `now_ns`, what is due now (`_ready`, inherited) and what is due later (`_timers`)."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._timers: list[tuple[int, int, Entry]] = []
        self._timers_cancelled = 0
        self._next_serial = itertools.count().__next__
        self._owner = threading.get_ident()
        self._refused: str | None = None
        super().__init__()

    def time_ns(self) -> int:
        """Virtual time in integer nanoseconds, from 0."""
        return self.now_ns

    def _seconds(self) -> float:
        return self.now_ns / NS_PER_S

    def _replace_time(self, value: Any) -> None:
        """Note that `loop.time` was set, as mocks do; what they put back at their end is our own again."""
        vars(self).pop("_seconds", None)
        if value != self._seconds:
            vars(self)["_seconds"] = value
        self._look_after()

    def _restore_time(self) -> None:
        vars(self).pop("_seconds", None)
        self._look_after()

    time: Callable[[], float] = property(  # type: ignore[assignment] # a method; but nobody replaces it unseen
        attrgetter("_seconds"),
        _replace_time,
        _restore_time,
        "Virtual time in seconds: `time_ns` rounded to a float, which is exact to the nanosecond for 52 days.",
    )

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run `callback(*args)` in the next iteration, after what was asked for before."""
        if self._careful or callback is None:
            return self._watched_soon(callback, args, context)
        handle = SoonHandle(callback, args, copy_context() if context is None else context, self)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """`call_soon`, for the loop's own thread. RefusedError from any other, whose timing nothing could repeat.

        The run ends with the same error at its next event, whatever the other thread does with it: somebody waits for
        that call, and must not take a timeout or a deadlock for the reason why it does not come.
        """
        if threading.get_ident() != self._owner:
            self._check_closed()
            self._refused = f"a call from another thread ({threading.current_thread().name!r})"
            self._ready.appendleft(LastWord(self))
            raise RefusedError(self._refused, INLINE)
        return self.call_soon(callback, *args, context=context)

    def raise_refusal(self) -> None:
        """Raise the refusal that another thread has met, if one has and nobody in this thread was told."""
        what, self._refused = self._refused, None
        if what is not None:
            raise RefusedError(what, INLINE)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` at `when` seconds, rounded half-even to nanoseconds; beyond 9.2e9 s is never.

        What is later than `time()` never comes now: a time that rounds to this very nanosecond means the next one, so
        that `if loop.time() < when: loop.call_at(when, ...)` gets on however often it asks.
        """
        when_ns = _ns(when)
        if when_ns <= self.now_ns and when > self.time():
            when_ns = self.now_ns + 1
        return self._call_at(when_ns, callback, args, context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` in `delay` seconds, rounded half-even to nanoseconds; beyond 9.2e9 s is never.

        A delay above 0 is a nanosecond at least: time moves on for whoever waits, as it does on a real clock.
        """
        delay_ns = _ns(delay) or (1 if delay > 0 else 0)
        return self._call_at(self.now_ns + delay_ns, callback, args, context)

    def call_at_ns(
        self, when_ns: int, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` at `when_ns`, an integer; as soon as possible if that is now or past."""
        return self._call_at(index(when_ns), callback, args, context)

    async def sleep_ns(self, delay_ns: int) -> None:
        """Suspend the task for `delay_ns`, an integer >= 0 (else ValueError). 0 lets the others run once."""
        if delay_ns < 0:
            raise ValueError(f"can not sleep {delay_ns} ns: time does not run backwards")
        if self._careful:
            self._check_time()
        await Sleep(index(delay_ns), self)

    def schedule(self, when_ns: int, handle: Entry) -> None:
        """Enter a handle: into the heap if it is due later than now, else at the end of the ready queue."""
        if when_ns > self.now_ns:
            heapq.heappush(self._timers, (when_ns, self._next_serial(), handle))
        else:
            self._ready.append(handle)

    def timers(self) -> list[asyncio.Handle]:
        """Handles that are due later and were not cancelled, sleeping tasks included, in the order of their turn."""
        return [handle for _, _, handle in sorted(self._timers) if handle._callback is not None]

    def _call_at(
        self, when_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.TimerHandle:
        timer: TimedHandle | WatchedTimer
        if self._careful or callback is None:
            timer = self._watched_timer(when_ns, callback, args, context)
        else:
            timer = TimedHandle(when_ns, callback, args, copy_context() if context is None else context, self)
        if when_ns > self.now_ns:
            if when_ns < NEVER:
                heapq.heappush(self._timers, (when_ns, self._next_serial(), timer))
        else:
            self._ready.append(timer)
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.Handle) -> None:
        """Take the cancelled timers out of the heap once they are many, so that timeouts do not pile up."""
        self._timers_cancelled += 1
        if self._timers_cancelled > MIN_CANCELLED and 2 * self._timers_cancelled > len(self._timers):
            self._timers[:] = [entry for entry in self._timers if entry[2]._callback is not None]
            heapq.heapify(self._timers)
            self._timers_cancelled = 0

    def close(self) -> None:
        """Drop everything that is still scheduled; whatever is asked for later raises RuntimeError."""
        super().close()
        self._timers.clear()
        self._look_after()

    def set_debug(self, enabled: bool) -> None:
        """Switch debug mode: origins of handles and coroutines, thread and type checks, slow callbacks in the log."""
        super().set_debug(enabled)
        self._look_after()

    def _look_after(self) -> None:
        """Find out whether every call must be looked at: in debug mode, when closed, when `time` is not ours."""
        self._careful = self._debug or self._closed or self._time_is_foreign()

    def _time_is_foreign(self) -> bool:
        return type(self).time is not Schedule.time or "_seconds" in vars(self)

    def _check_time(self) -> None:
        if self._time_is_foreign():
            raise TypeError(
                f"loop.time() of this {type(self).__name__} was replaced, and the timers of virtual time would not "
                "follow it: leave it alone, and sleep for as long as the clock should move"
            )

    # `_callback` is None in a cancelled handle, so None as a callback is looked at too, and refused as in debug mode.
    def _watched_soon(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.Handle:
        self._check_careful(callback, "call_soon")
        handle = WatchedHandle(callback, args, self, context)
        forget_the_loop(handle)
        self._ready.append(handle)
        return handle

    def _watched_timer(
        self, when_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> WatchedTimer:
        self._check_careful(callback, "call_at")
        self._check_time()
        timer = WatchedTimer(when_ns / NS_PER_S, callback, args, self, context)
        forget_the_loop(timer)
        return timer

    def _check_careful(self, callback: object, method: str) -> None:
        self._check_closed()
        self._check_thread()
        self._check_callback(callback, method)


def _ns(seconds: float) -> int:
    """Round half-even to nanoseconds; what is beyond virtual time is NEVER, and what is long past as good as now.

    ValueError for not a number, TypeError for no number.
    """
    if -NEVER_S < seconds < NEVER_S:
        return round(seconds * NS_PER_S)
    if seconds >= NEVER_S:
        return NEVER
    if seconds <= -NEVER_S:
        return -NEVER
    raise ValueError("not a number is not a time; use math.inf for never")
