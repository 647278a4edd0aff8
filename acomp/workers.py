"""Worker threads that take runs of queued items, share them among the idle, and land a run in one loop callback.

`acomp.threads` compresses on them, and so do the emulated engines of real time. A thread's round trip costs more than a
page, so nothing here happens per item: whoever has work submits a `Batch` of items, a worker takes as much as is its
share of everything queued, of several batches or a slice of one, and tells the loop once. Knows nothing of requests,
pages or codecs.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Any, NamedTuple

Perform = Callable[[list[Any]], list[Any]]
"""Does the work of some items, on a worker's thread, and returns one outcome each, in order."""

NO_LIMIT = 1 << 30


class Lane:
    """One kind of work: a queue of its own, and `limit`, how many workers may be at it at once.

    `make()` is called once on each worker's thread that comes to this lane, and returns its `Perform`: state in there
    belongs to one thread.
    """

    __slots__ = ("limit", "make", "queue", "running")

    def __init__(self, make: Callable[[], Perform], limit: int = NO_LIMIT) -> None:
        self.make = make
        self.limit = limit
        self.queue: deque[Batch] = deque()
        self.running = 0


class Batch:
    """Items of one lane that were submitted together. Workers take slices of it, in order.

    `landed(first, outcomes)` is called on the loop's thread for each slice: items `first`, `first + 1`, ... have these
    outcomes. `failed(first, count)` is called instead when the worker died of it, or there is none to take it any more.
    """

    __slots__ = ("failed", "items", "landed", "lane", "taken")

    def __init__(
        self,
        lane: Lane,
        items: Sequence[Any],
        landed: Callable[[int, list[Any]], None],
        failed: Callable[[int, int], None],
    ) -> None:
        self.lane = lane
        self.items = items
        self.landed = landed
        self.failed = failed
        self.taken = 0


class Slice(NamedTuple):
    """Items `first` .. `end - 1` of a batch: what one worker does of it."""

    batch: Batch
    first: int
    end: int


class NoWorkersError(RuntimeError):
    """There is nobody to do the work: the workers were stopped, or died, which the loop's handler was told of."""


class Backlog:
    """What is queued in all lanes, and the policy by which it is shared out. No thread and no lock is in here.

    A run is at most `max_run` items and at most a fair share: what is queued, divided by those who have nothing to do.
    So 64 items and two idle workers are two runs of 32, a lone batch is split, and who comes alone takes all. Lanes
    take turns at being first.
    """

    def __init__(self, lanes: Sequence[Lane], max_run: int) -> None:
        self._lanes = deque(lanes)
        self._max_run = max_run
        self._share = 0
        self.queued = 0

    def put(self, batch: Batch) -> None:
        """Queue a batch."""
        batch.lane.queue.append(batch)
        self.queued += len(batch.items)

    def share_among(self, hungry: int) -> None:
        """What was put is for so many: one that is slow to come must not make the others' runs ever smaller."""
        self._share = -(-self.queued // hungry) if hungry else 0

    def take(self, hungry: int) -> list[Slice]:
        """The next run for one of `hungry` workers without one; empty when there is nothing it may do."""
        run: list[Slice] = []
        room = min(self._max_run, max(self._share, -(-self.queued // hungry)))
        self._lanes.rotate(-1)
        for lane in self._lanes:
            if room and lane.queue and lane.running < lane.limit:
                lane.running += 1
                room -= self._take_from(lane, room, run)
        return run

    def _take_from(self, lane: Lane, room: int, run: list[Slice]) -> int:
        taken = 0
        while lane.queue and taken < room:
            batch = lane.queue[0]
            first = batch.taken
            batch.taken = end = min(len(batch.items), first + room - taken)
            if end == len(batch.items):
                lane.queue.popleft()
            run.append(Slice(batch, first, end))
            taken += end - first
        self.queued -= taken
        return taken

    def give_back(self, run: Sequence[Slice]) -> bool:
        """A run is done, its lanes have room for another; whether one of them had kept somebody from its queue."""
        freed = False
        for lane in {part.batch.lane for part in run}:
            freed = freed or (bool(lane.queue) and lane.running == lane.limit)
            lane.running -= 1
        return freed

    def drain(self) -> list[Slice]:
        """Take everything, whatever the limits."""
        left = [Slice(batch, batch.taken, len(batch.items)) for lane in self._lanes for batch in lane.queue]
        for lane in self._lanes:
            lane.queue.clear()
        self.queued = 0
        return left


class Workers:
    """`count` threads that work off a backlog, for the running loop.

    Whoever submits wakes those asleep; a worker that comes back from a run looks for the next one by itself, so that it
    need not wait for the loop.
    """

    def __init__(self, lanes: Sequence[Lane], count: int, max_run: int, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._bell: SimpleQueue[None] = SimpleQueue()
        # Shared with the threads, under the lock. A sleeper waits for the bell; the hungry are those without a run,
        # asleep or on their way.
        self._lock = threading.Lock()
        self._backlog = Backlog(lanes, max_run)
        self._asleep = 0
        self._hungry = count
        self._stopping = False
        self._alive = count
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
        return f"<Workers: {self._alive} alive, {self._hungry} idle, {self._backlog.queued} items queued>"

    @property
    def at_work(self) -> bool:
        """Whether there is anybody who takes what is submitted."""
        return self._alive > 0 and not self._stopping

    @property
    def running(self) -> int:
        """Workers that have a run."""
        return self._alive - self._hungry

    def submit(self, *batches: Batch) -> None:
        """Queue batches and wake who sleeps. NoWorkersError when nobody is left who would take them."""
        if not self.at_work:
            raise NoWorkersError("no worker is left; open others")
        with self._lock:
            for batch in batches:
                self._backlog.put(batch)
            self._backlog.share_among(self._hungry)
            wake = min(self._asleep, self._backlog.queued)
            self._asleep -= wake
        for _ in range(wake):
            self._bell.put(None)

    def stop(self, timeout_s: float) -> list[str]:
        """Tell the threads to end with the run they are at; wait so long for all of them; the names of who did not.

        What no worker has begun fails, before this returns. A run that ends later still lands, while there is a loop.
        """
        self._stopping = True
        with self._lock:
            unbegun = self._backlog.drain()
        _fail(unbegun)
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
                    self._give_back(run)
                    run = []
                    self._loop.call_soon_threadsafe(_land, results)
                    del results  # nothing is kept while this thread waits
                else:
                    self._bell.get()
        except BaseException as error:
            self._tell_death(error, run)

    def _take(self) -> list[Slice]:
        """The next run; when there is none the caller counts as asleep and must wait for the bell."""
        with self._lock:
            run = self._backlog.take(self._hungry)
            if run:
                self._hungry -= 1
            else:
                self._asleep += 1
        return run

    def _give_back(self, run: list[Slice]) -> None:
        with self._lock:
            self._hungry += 1
            if self._backlog.give_back(run) and self._asleep:
                self._asleep -= 1
                self._bell.put(None)

    def _tell_death(self, error: BaseException, run: list[Slice]) -> None:
        if run:
            self._give_back(run)
        with self._lock:
            self._hungry -= 1
        try:
            self._loop.call_soon_threadsafe(self._buried, error, run)
        except RuntimeError:  # the loop was closed under us: there is nobody to tell
            return

    # On the loop's thread.

    def _buried(self, error: BaseException, run: list[Slice]) -> None:
        """A worker died: its run has failed, and, if it was the last one, so has everything queued."""
        self._alive -= 1
        items = sum(end - first for _, first, end in run)
        left = (
            f"{self._alive} are left"
            if self._alive
            else "none is left: work fails until what they serve is opened anew"
        )
        message = f"a worker thread died, and the {items} items that it had have failed; {left}"
        self._loop.call_exception_handler({"message": message, "exception": error})
        _fail(run if self._alive else [*run, *self._backlog.drain()])


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
        start = 0
        for batch, first, end in parts:
            results.append((batch, first, outcomes[start : start + end - first]))
            start += end - first
        at += len(parts)
    return results


def _land(results: list[tuple[Batch, int, list[Any]]]) -> None:
    with ExitStack() as stack:  # each is told, whatever another one raises
        for batch, first, outcomes in reversed(results):
            stack.callback(batch.landed, first, outcomes)


def _fail(run: list[Slice]) -> None:
    with ExitStack() as stack:
        for batch, first, end in reversed(run):
            stack.callback(batch.failed, first, end - first)
