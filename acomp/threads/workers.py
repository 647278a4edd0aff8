"""Worker threads that take runs of queued items, share them among the idle, and land a run in one loop callback.

`acomp.threads` compresses on them, and so do the emulated engines of real time. A thread's round trip costs more than a
page, so nothing here happens per item: whoever has work submits a `Batch` of items, a worker takes as much as is its
share of everything queued, of several batches or a slice of one, and tells the loop once. The loop's own thread can be
one of the workers. Knows nothing of requests, pages or codecs.
"""

import asyncio
import threading
from collections.abc import Sequence
from contextvars import Context
from functools import partial
from queue import SimpleQueue
from typing import Any

from ..call_each import call_each
from .lanes import Batch, Lane, Perform, Slice, WorkList


class NoWorkersError(RuntimeError):
    """There is nobody to do the work: the workers were stopped, or died, which the loop's handler was told of."""


class Workers:
    """`count` threads that work off a work list, for the running loop.

    Whoever submits wakes those asleep; a worker that comes back from a run looks for the next one by itself, so that it
    need not wait for the loop. With `loop_run` the loop's thread works too: as long as anything is queued it takes so
    many items, does them, and lets the loop have its turn. Otherwise it would have nothing to do until a run lands, and
    the threads nothing to do until it has seen to that.
    """

    def __init__(self, lanes: Sequence[Lane], count: int, max_run: int, name: str, loop_run: int = 0) -> None:
        assert 0 <= loop_run <= max_run
        self._loop = asyncio.get_running_loop()
        self._bell: SimpleQueue[None] = SimpleQueue()
        # Shared with the threads, under the lock. A sleeper waits for the bell; the hungry are those without a run,
        # asleep or on their way, and always the loop, which is back soon.
        self._lock = threading.Lock()
        self._work_list = WorkList(lanes, max_run)
        self._asleep = 0
        self._hungry = self._alive = count + bool(loop_run)
        self._stopping = False
        self._loop_run = loop_run
        self._loop_performs: dict[Lane, Perform] = {}
        self._loop_has_a_turn = False
        self._threads: list[threading.Thread] = []
        try:
            for number in range(count):
                thread = threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.stop(1.0)
            raise

    def __repr__(self) -> str:
        state = "stopped" if self._stopping else f"{self._alive} alive, {self._hungry} idle"
        loop = ", the loop among them" if self._loop_run and not self._stopping else ""
        return f"<Workers: {state}{loop}, {self._work_list.queued} items queued>"

    @property
    def at_work(self) -> bool:
        """Whether a worker is left to take what is submitted."""
        return self._alive > 0 and not self._stopping

    @property
    def running(self) -> int:
        """Workers that have a run."""
        return self._alive - self._hungry

    @property
    def busy(self) -> bool:
        """Whether anything is queued or running."""
        return self.running > 0 or self._work_list.queued > 0

    @property
    def _sharers(self) -> int:
        """How many workers share what is queued: those without a run; all of them if the loop's thread works too.

        The loop's thread has a run nearly always, and takes the next one at once: it needs a share in any case.
        """
        return self._alive if self._loop_run else self._hungry

    def submit(self, *batches: Batch) -> None:
        """Queue batches and wake sleeping workers. NoWorkersError when there is no worker left to take them."""
        if not self.at_work:
            raise NoWorkersError("no worker is left; open others")
        with self._lock:
            for batch in batches:
                self._work_list.put(batch)
            self._work_list.share_among(self._sharers)
            wake = min(self._asleep, self._work_list.queued)
            self._asleep -= wake
        for _ in range(wake):
            self._bell.put(None)
        self._give_turn()

    def stop(self, timeout_s: float) -> list[str]:
        """Tell the threads to end after the run they are at, and wait for all. Returns the names of those still alive.

        Items that no worker has begun fail before this returns. A run that ends later still lands, if the loop runs.
        """
        self._stopping = True
        with self._lock:
            unbegun = self._work_list.drain()
        try:
            _fail(unbegun)
        finally:
            for _ in self._threads:
                self._bell.put(None)
            deadline = self._loop.time() + timeout_s
            for thread in self._threads:
                thread.join(max(0.0, deadline - self._loop.time()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    # On the workers' threads.

    def _work(self) -> None:
        performs: dict[Lane, Perform] = {}
        run: list[Slice] = []
        try:
            while not self._stopping:
                run = self._take()
                if run:
                    results = _performed(run, performs)
                    self._give_back(run, hungry=1)
                    run = []
                    self._loop.call_soon_threadsafe(self._land, results)
                    del results  # nothing is kept while this thread waits
                else:
                    self._bell.get()
        except BaseException as error:
            self._give_back(run, hungry=0 if run else -1)
            self._tell_death(error, run)

    def _take(self) -> list[Slice]:
        """The next run; when there is none the caller counts as asleep and must wait for the bell."""
        with self._lock:
            run = self._work_list.take(self._sharers)
            if run:
                self._hungry -= 1
            else:
                self._asleep += 1
        return run

    def _give_back(self, run: list[Slice], hungry: int) -> None:
        """A run is done, and `hungry` more workers have none. Wakes a sleeper for a lane that was at its limit."""
        with self._lock:
            self._hungry += hungry
            if self._work_list.give_back(run) and self._asleep:
                self._asleep -= 1
                self._bell.put(None)

    def _tell_death(self, error: BaseException, run: list[Slice]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._buried, error, run)
        except RuntimeError:  # the loop was closed under us: there is nobody to tell
            return

    # On the loop's thread.

    def _give_turn(self) -> None:
        """Schedule a turn of the loop's thread, if it works here, none is scheduled yet, and something is queued.

        The turn runs in an empty context, as a thread does: it works for others than the task that scheduled it.
        """
        if self._loop_run and self._work_list.queued and not self._loop_has_a_turn:
            self._loop_has_a_turn = True
            self._loop.call_soon(self._take_turn, context=Context())

    def _take_turn(self) -> None:
        """Do one run on the loop's thread. Landing it schedules the next turn, behind the tasks that it wakes."""
        self._loop_has_a_turn = False
        run: list[Slice] = []
        try:
            with self._lock:
                run = self._work_list.take_some(self._loop_run)
            results = _performed(run, self._loop_performs)
        except BaseException as error:
            self._loop_run = 0
            self._give_back(run, hungry=-1)
            self._tell_death(error, run)
            if isinstance(error, Exception):
                return
            raise
        if run:  # else every lane with work is at its limit, until a worker's run has landed
            self._give_back(run, hungry=0)
            self._land(results)

    def _land(self, results: list[tuple[Batch, int, list[Any]]]) -> None:
        try:
            _tell(results)
        finally:
            self._give_turn()

    def _buried(self, error: BaseException, run: list[Slice]) -> None:
        """A worker died: its run has failed, and, if it was the last one, so has everything queued."""
        self._alive -= 1
        items = sum(end - first for _, first, end in run)
        left = (
            f"{self._alive} are left"
            if self._alive
            else "none is left: work fails until what they serve is opened anew"
        )
        message = f"a worker died, and the {items} items that it had have failed; {left}"
        failed = run if self._alive else [*run, *self._work_list.drain()]
        call_each(
            (
                partial(self._loop.call_exception_handler, {"message": message, "exception": error}),
                partial(_fail, failed),
                self._give_turn,
            )
        )


def _performed(run: list[Slice], performs: dict[Lane, Perform]) -> list[tuple[Batch, int, list[Any]]]:
    """Do a run: neighbours of one lane in one call."""
    results: list[tuple[Batch, int, list[Any]]] = []
    at = 0
    while at < len(run):
        lane = run[at].batch.lane
        if lane not in performs:
            performs[lane] = lane.make()
        parts = [part for part in run[at:] if part.batch.lane is lane]
        items = [item for batch, first, end in parts for item in batch.items[first:end]]
        outcomes = performs[lane](items)
        if len(outcomes) != len(items):
            raise RuntimeError(f"{len(items)} items had {len(outcomes)} outcomes; each needs one")
        start = 0
        for batch, first, end in parts:
            results.append((batch, first, outcomes[start : start + end - first]))
            start += end - first
        at += len(parts)
    return results


def _tell(results: list[tuple[Batch, int, list[Any]]]) -> None:
    call_each(partial(batch.landed, first, outcomes) for batch, first, outcomes in results)


def _fail(run: list[Slice]) -> None:
    call_each(partial(batch.failed, first, end - first) for batch, first, end in run)
