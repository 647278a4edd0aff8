"""The virtual loop: asyncio with a clock that jumps to the next event when nothing is ready.

In `schedule` everything gets in; here it comes out and runs. What has no time in it (exception handler, debug flag,
asynchronous generators, starting and stopping) is asyncio's own `BaseEventLoop`. The loop knows nothing of what runs on
it; `run` and the pytest plugin make loops, everybody else asks the running one.
"""

import asyncio
import concurrent.futures
import heapq
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context
from itertools import count, repeat
from typing import Any, TypeVar, TypeVarTuple

from .deadlock import who_waits, whose_turn
from .errors import DeadlockError, EventBoundError, TimeBoundError
from .handle import Entry, LastWord
from .internals import format_callback
from .interrupts import ends_a_run, is_stranded, whose
from .refusals import Refusals
from .schedule import NEVER, Schedule
from .task import Generators, VirtualTask, identity, in_order
from .wall_clock import WallClock
from .watched import forget_the_loop, watched

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(Refusals, Schedule):
    """An asyncio event loop in virtual time; single-threaded and deterministic.

    `max_events` bounds how many events one run (`run_until_complete` or `run_forever`) may take, `max_time_ns` how far
    it may move the clock: EventBoundError and TimeBoundError. A run in which nothing can happen any more ends with
    DeadlockError. `events` counts what was taken from the ready queue or became due; it is compared with its bound
    once per iteration. With `wall_clock` the functions of the module `time` tell virtual time while the loop runs; see
    `run`.

    `after_event(loop)` is called after each event, outside of any task. There `last_event` says what has just run and
    `ready_events()` what will, `bring_forward` changes the order, and `task.cancel()` cancels between two events. What
    it raises ends the run.
    """

    def __init__(
        self,
        *,
        max_events: int | None = None,
        max_time_ns: int | None = None,
        wall_clock: bool = False,
        after_event: Callable[["VirtualLoop"], object] | None = None,
    ) -> None:
        super().__init__()
        self.wall_clock = wall_clock
        self.after_event = after_event
        self.last_event: int | str | None = None
        self.events = 0
        self.max_events = max_events
        self.max_time_ns = max_time_ns
        self._last_event = self._last_ns = NEVER
        self._threads_before: set[threading.Thread] = set()
        self._next_task_serial = count(1).__next__
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
        task = VirtualTask(coro, self._next_task_serial(), loop=self, name=name, context=context, **options)
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

    def run_forever(self) -> None:
        """Run until `stop()` is called."""
        if not self.wall_clock:
            return super().run_forever()
        clock = WallClock(self.time_ns)
        try:
            clock.start()
            return super().run_forever()
        finally:
            try:
                clock.stop()
            finally:
                clock.stop()  # a signal handler that raises may have broken off the first

    def _run_once(self) -> None:
        """Run until stopped. (asyncio calls this in a loop that ends when the loop was stopped.)"""
        self._owner = threading.get_ident()
        self._threads_before = set(threading.enumerate())
        self._last_event = NEVER if self.max_events is None else self.events + self.max_events
        self._last_ns = NEVER - 1 if self.max_time_ns is None else min(self.now_ns + self.max_time_ns, NEVER - 1)
        self._look_after()
        ready = self._ready
        self._put_due_first()  # what an exception may have left of this moment in an earlier run
        while self.events < self._last_event:
            batch = len(ready)
            if batch:
                self.events += batch
                # Taken in C: a signal handler that raises does so between lines, and would take a handle with it.
                handles = map(deque.popleft, repeat(ready, batch))
                watch = self._debug or self.after_event is not None
                for handle in self._watched(handles) if watch else handles:
                    if handle._callback is not None:
                        try:
                            if handle._args is None:  # it is asleep
                                handle._context.run(handle._callback, handle)
                            else:
                                handle._context.run(handle._callback, *handle._args)
                        except BaseException as error:
                            self._failed(handle, error)
                del handle  # it may be the last that knows of a task, and the next batch may be far away
            elif not self._stopping:
                self._advance()
                if self._debug or self.after_event is not None:
                    self._put_due_first()  # which are then watched as everything else is
                else:
                    self._run_due()
            if self._stopping:
                self.raise_refusal()
                return
        self.raise_refusal()
        turn = whose_turn([*ready, *self.timers()])
        raise EventBoundError(self.max_events or 0, self.now_ns, turn, who_waits(in_order(asyncio.all_tasks(self))))

    def _watched(self, handles: Iterable[Entry]) -> Generator[Entry]:
        """Pass `handles` on to be run, and look at what each has done: for debug mode, and for `after_event`."""
        for handle in watched(self, handles) if self._debug else handles:
            if self.after_event is None or handle._callback is None:
                yield handle  # cancelled: it is no event, but the loop wants to see it
                continue
            try:
                event = identity(handle)  # asked first, for it may cancel itself
            except BaseException:  # of a signal handler, when the handle had been taken out
                self._ready.appendleft(handle)
                raise
            yield handle
            if self.after_event is not None:
                self.last_event = event
                self.after_event(self)

    def ready_events(self) -> list[int | str]:
        """Say what is ready, in the order of its turn: serial numbers of tasks, and names of other callbacks."""
        return [identity(handle) for handle in self._ready if handle._callback is not None]

    def bring_forward(self, index: int) -> None:
        """Let number `index` of `ready_events()` be next; the others keep their order. For `after_event` only.

        IndexError if there are not so many.
        """
        alive = [handle for handle in self._ready if handle._callback is not None]
        chosen = alive[index]
        self._ready.remove(chosen)
        self._ready.appendleft(chosen)

    def _run_due(self) -> None:
        """Run the timers of this very moment: they were asked for before anything in the ready queue was."""
        timers, now = self._timers, self.now_ns
        while timers and timers[0][0] == now:
            due = timers[0]
            try:
                heapq.heappop(timers)
            except BaseException:  # of a signal handler, when the timer had been taken out
                heapq.heappush(timers, due)
                raise
            handle = due[2]
            if handle._callback is not None:
                self.events += 1
                try:
                    if handle._args is None:  # it is asleep
                        handle._context.run(handle._callback, handle)
                    else:
                        handle._context.run(handle._callback, *handle._args)
                except BaseException as error:
                    self._failed(handle, error)

    def _put_due_first(self) -> None:
        """Leave the timers of this very moment to the ready queue: what `_run_due` does where speed does not matter."""
        timers, ready = self._timers, self._ready
        there = len(ready)
        while timers and timers[0][0] == self.now_ns:
            if timers[0][2]._callback is not None:
                ready += (timers[0][2],)  # no call, for a signal handler that raises after one would leave it in both
            heapq.heappop(timers)
        ready.rotate(len(ready) - there)

    def _advance(self) -> None:
        """Set the clock to the next timer."""
        timers = self._timers
        while timers and timers[0][2]._callback is None:
            heapq.heappop(timers)  # nobody waits for it, so time does not pass for it
        if not timers or timers[0][0] >= NEVER:
            self.raise_refusal()
            raise DeadlockError(self.now_ns, who_waits(in_order(asyncio.all_tasks(self))), self._threads())
        when_ns = timers[0][0]
        if when_ns > self._last_ns:
            raise TimeBoundError(self.max_time_ns or 0, when_ns)
        self.now_ns = when_ns

    def _failed(self, handle: Entry, error: BaseException) -> None:
        """Raise what the run ends with; what else a callback raised is told to the exception handler."""
        if type(handle) is LastWord or ends_a_run(error):
            self._break_off(handle)
            raise error
        self._report(handle, error)

    def _report(self, handle: Entry, error: BaseException) -> None:
        """Tell the exception handler of what a callback raised, in the words of asyncio."""
        source = format_callback(handle._callback, handle._args)
        context = {"message": f"Exception in callback {source}", "exception": error, "handle": handle}
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        self.call_exception_handler(context)

    def _break_off(self, handle: Entry) -> None:
        """Leave the queue such that another run, for cleaning up at least, loses nobody.

        A task that was about to ask for its next step when it was hit would never get any: it gets this one again.
        """
        self._current_handle = None
        task = whose(handle)
        if task is not None and is_stranded(task, [*self._ready, *self.timers()]):
            self._ready.appendleft(handle)

    def _threads(self) -> tuple[str, ...]:
        """Names of the threads that were started in this run and are alive, in the order of their start."""
        return tuple(thread.name for thread in threading.enumerate() if thread not in self._threads_before)
