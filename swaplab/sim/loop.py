"""The virtual loop: asyncio with a clock that jumps to the next event when nothing is ready.

In `schedule` everything gets in; here it comes out and runs. What has no time in it (exception handler, debug flag,
asynchronous generators, starting and stopping) is asyncio's own `BaseEventLoop`. The loop knows nothing of what runs on
it; `run` and the pytest plugin make loops, everybody else asks the running one.
"""

import asyncio
import concurrent.futures
import heapq
import itertools
import threading
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from .deadlock import who_waits, whose_turn
from .errors import DeadlockError, EventBoundError, TimeBoundError
from .refusals import Refusals
from .schedule import NEVER, Schedule
from .task import Generators, VirtualTask, in_order
from .watched import forget_the_loop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(Refusals, Schedule):
    """An asyncio event loop in virtual time; single-threaded and deterministic.

    `max_events` bounds how many events one run (`run_until_complete` or `run_forever`) may take, `max_time_ns` how far
    it may move the clock: EventBoundError and TimeBoundError. A run in which nothing can happen any more ends with
    DeadlockError. `events` counts what was taken from the ready queue or became due; it is compared with its bound
    once per iteration.
    """

    def __init__(self, *, max_events: int | None = None, max_time_ns: int | None = None):
        super().__init__()
        self.events = 0
        self.max_events = max_events
        self.max_time_ns = max_time_ns
        self._last_event = self._last_ns = NEVER
        self._threads_before: set[threading.Thread] = set()
        self.next_task_serial = itertools.count(1).__next__
        self._asyncgens = Generators()

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
        task = VirtualTask(coro, loop=self, name=name, context=context, **options)
        forget_the_loop(task)
        return task

    def run_in_executor(
        self, executor: concurrent.futures.Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call `func(*args)` now, in this thread, whatever the executor; the result arrives in the next iteration.

        As in a worker thread there is no running loop inside of `func`, and the context is a fresh one; all that it
        raises goes into the future. It takes no virtual time. It must not block on the loop
        (`run_coroutine_threadsafe(...).result()`): it would wait for itself.

        Raises:
            RuntimeError: The loop is closed, or `executor` is None after `shutdown_default_executor`.
        """
        self._check_closed()
        if executor is None:
            self._check_default_executor()
        if self._debug:
            self._check_callback(func, "run_in_executor")
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            outcome.set_result(Context().run(func, *args))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            asyncio._set_running_loop(running)
        try:
            return asyncio.wrap_future(outcome, loop=self)
        finally:
            del outcome  # the traceback of its error keeps this frame, which must not keep the error in turn

    def _run_once(self) -> None:
        """Run until stopped. (asyncio calls this in a loop that ends when the loop was stopped.)"""
        self._owner = threading.get_ident()
        self._threads_before = set(threading.enumerate())
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
                del handle  # it may be the last that knows of a task, and the next batch may be far away
            elif not self._stopping:
                self._advance()
                self._run_due()
            if self._stopping:
                self.raise_refusal()
                return
        self.raise_refusal()
        turn = whose_turn([*ready, *self.timers()])
        raise EventBoundError(self.max_events or 0, self.now_ns, turn, who_waits(in_order(asyncio.all_tasks(self))))

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
            self.raise_refusal()
            raise DeadlockError(self.now_ns, who_waits(in_order(asyncio.all_tasks(self))), self._threads())
        when_ns = timers[0][0]
        if when_ns > self._last_ns:
            raise TimeBoundError(self.max_time_ns or 0, when_ns)
        self.now_ns = when_ns

    def _threads(self) -> tuple[str, ...]:
        """Names of the threads that were started in this run and are alive, in the order of their start."""
        return tuple(thread.name for thread in threading.enumerate() if thread not in self._threads_before)
