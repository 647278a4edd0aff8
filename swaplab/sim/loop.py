"""The virtual loop: asyncio with a clock that jumps to the next event when nothing is ready.

What happens is ordered by (time, serial): the heap holds what is due later than now, the ready queue what is due now,
in the order in which it was asked for. A timer for now or the past therefore joins the ready queue at once; the stock
loop would run it after the callbacks of the next iteration. Everything that has no time in it (exception handler, debug
flag, asynchronous generators, starting and stopping) is asyncio's own `BaseEventLoop`.

It knows nothing of what runs on it. `run` and the pytest plugin make loops; everybody else asks the running one.
"""

import asyncio
import heapq
import itertools
import math
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from operator import index
from typing import Any, TypeVar, TypeVarTuple

from .deadlock import who_waits
from .errors import DeadlockError, EventBoundError, RefusedError, TimeBoundError
from .handle import Entry, SoonHandle, TimedHandle
from .internals import Internals
from .refusals import Refusals
from .sleep import Sleep
from .task import Generators, VirtualTask, in_order
from .watched import WatchedHandle, WatchedSleep, WatchedTimer

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NS_PER_S = 1_000_000_000
NEVER = sys.maxsize
"""A time in ns that no run reaches: 292 years."""

MIN_CANCELLED = 100
"""Cancelled timers stay in the heap until they are due, or until they are more than this and more than half of it."""


class VirtualLoop(Refusals, Internals):
    """An asyncio event loop in virtual time; single-threaded and deterministic.

    `max_events` bounds how many callbacks one run (`run_until_complete` or `run_forever`) may execute, `max_time_ns`
    how far it may move the clock: EventBoundError and TimeBoundError. A run in which nothing can happen any more ends
    with DeadlockError. `now_ns` is the clock, `events` counts the callbacks executed; both only ever grow.
    """

    def __init__(self, *, max_events: int | None = None, max_time_ns: int | None = None):
        self.now_ns = 0
        self.events = 0
        self.max_events = max_events
        self.max_time_ns = max_time_ns
        self._last_event = self._last_ns = NEVER
        self._timers: list[tuple[int, int, Entry]] = []
        self._timers_cancelled = 0
        self._next_serial = itertools.count().__next__
        self.next_task_serial = itertools.count(1).__next__
        self._owner = threading.get_ident()
        super().__init__()
        self._asyncgens = Generators()

    # The clock

    def time_ns(self) -> int:
        """Virtual time in integer nanoseconds, from 0."""
        return self.now_ns

    def time(self) -> float:
        """Virtual time in seconds: `time_ns` rounded to a float, which is exact to the nanosecond for 52 days."""
        return self.now_ns / NS_PER_S

    # Asking for something to happen

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run `callback(*args)` in the next iteration, after what was asked for before."""
        if self._careful:
            return self._watched_soon(callback, args, context)
        handle = SoonHandle(callback, args, copy_context() if context is None else context, self)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """`call_soon`, for the loop's own thread. RefusedError from any other, whose timing nothing could repeat."""
        if threading.get_ident() != self._owner:
            raise RefusedError("a call from another thread", "do the work in run_in_executor, which runs it inline")
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` at `when` seconds, rounded half-even to nanoseconds; infinity is never."""
        return self._call_at(_ns(when), callback, args, context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` in `delay` seconds, rounded half-even to nanoseconds; infinity is never."""
        return self._call_at(self.now_ns + _ns(delay), callback, args, context)

    def call_at_ns(
        self, when_ns: int, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback(*args)` at `when_ns`, an integer; as soon as possible if that is now or past."""
        return self._call_at(index(when_ns), callback, args, context)

    async def sleep_ns(self, delay_ns: int) -> None:
        """Suspend the task for `delay_ns`, an integer >= 0 (else ValueError). 0 lets the others run once."""
        if delay_ns < 0:
            raise ValueError(f"can not sleep {delay_ns} ns: time does not run backwards")
        await (WatchedSleep if self._debug else Sleep)(index(delay_ns), self)

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
        if self._careful:
            timer = self._watched_timer(when_ns, callback, args, context)
        else:
            timer = TimedHandle(when_ns, callback, args, copy_context() if context is None else context, self)
        if when_ns > self.now_ns:
            if when_ns < NEVER:
                heapq.heappush(self._timers, (when_ns, self._next_serial(), timer))
        else:
            self._ready.append(timer)
        return timer

    # Tasks, and work that elsewhere would go to a thread

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Make a task; see `VirtualTask`."""
        if self.get_task_factory() is not None:
            return super().create_task(coro, name=name, context=context, **options)
        self._check_closed()
        return VirtualTask(coro, loop=self, name=name, context=context, **options)

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Call `func(*args)` now, in this thread, whatever the executor; the result arrives in the next iteration.

        As in a worker thread there is no running loop inside of `func`. It takes no virtual time. It must not block on
        the loop (`run_coroutine_threadsafe(...).result()`): it would wait for itself.
        """
        self._check_closed()
        if self._debug:
            self._check_callback(func, "run_in_executor")
        future: asyncio.Future[T] = self.create_future()
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            result = func(*args)
        except Exception as error:
            self.call_soon(_unless_done, future, future.set_exception, error)
        else:
            self.call_soon(_unless_done, future, future.set_result, result)
        finally:
            asyncio._set_running_loop(running)
        return future

    # Running

    def _run_once(self) -> None:
        """Run until stopped. (asyncio calls this in a loop that ends when the loop was stopped.)"""
        self._owner = threading.get_ident()
        self._last_event = NEVER if self.max_events is None else self.events + self.max_events
        self._last_ns = NEVER if self.max_time_ns is None else self.now_ns + self.max_time_ns
        ready = self._ready
        self._run_due()  # what an exception may have left of this moment's timers in an earlier run
        while self.events < self._last_event:
            batch = len(ready)
            if batch:
                self.events += batch
                for _ in range(batch):
                    handle = ready.popleft()
                    if handle._callback is not None:
                        handle._run()
            elif not self._stopping:
                self._advance()
                self._run_due()
            if self._stopping:
                return
        raise EventBoundError(self.max_events or 0, self.now_ns)

    def _run_due(self) -> None:
        """Run the timers of this very moment: they were asked for before anything in the ready queue was."""
        timers, now = self._timers, self.now_ns
        while timers and timers[0][0] == now:
            handle = heapq.heappop(timers)[2]
            if handle._callback is not None:
                self.events += 1
                handle._run()

    def _advance(self) -> None:
        """Set the clock to the next timer."""
        timers = self._timers
        while timers and timers[0][2]._callback is None:
            heapq.heappop(timers)  # nobody waits for it, so time does not pass for it
        if not timers:
            raise DeadlockError(self.now_ns, who_waits(in_order(asyncio.all_tasks(self))))
        when_ns = timers[0][0]
        if when_ns > self._last_ns:
            raise TimeBoundError(self.max_time_ns or 0, when_ns)
        self.now_ns = when_ns

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
        self._careful = True

    # Debug mode

    def set_debug(self, enabled: bool) -> None:
        """Switch debug mode: origins of handles and coroutines, thread and type checks, slow callbacks in the log."""
        super().set_debug(enabled)
        self._careful = enabled or self._closed

    def _watched_soon(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.Handle:
        self._check_careful(callback, "call_soon")
        handle = WatchedHandle(callback, args, self, context)
        handle.made_outside(2)
        self._ready.append(handle)
        return handle

    def _watched_timer(
        self, when_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> WatchedTimer:
        self._check_careful(callback, "call_at")
        timer = WatchedTimer(when_ns / NS_PER_S, callback, args, self, context)
        timer.made_outside(3)
        return timer

    def _check_careful(self, callback: object, method: str) -> None:
        self._check_closed()
        self._check_thread()
        self._check_callback(callback, method)


def _ns(seconds: float) -> int:
    """Round half-even to nanoseconds; NEVER for infinity. TypeError and ValueError for what is no time."""
    if seconds == math.inf:
        return NEVER
    if seconds != seconds:
        raise ValueError("not a number is not a time")
    return round(seconds * NS_PER_S)


def _unless_done(future: asyncio.Future[Any], settle: Callable[[Any], None], outcome: Any) -> None:
    """Settle a future that may have been cancelled in the meantime."""
    if not future.done():
        settle(outcome)
