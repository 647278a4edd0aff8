"""What is queued for workers, and the policy by which it is shared out. No thread and no lock is in here.

Whoever has work makes a `Batch` of items for a `Lane`; who is free takes a run of slices from the work. `workers`
holds the lock, and does the work.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Perform = Callable[[list[Any]], list[Any]]
"""Does the work of some items, on a worker's thread or the loop's, and returns one outcome each, in order."""

NO_LIMIT = 1 << 30


class Lane:
    """One kind of work: a queue of its own, and `limit`, how many workers may be at it at once.

    `make()` is called once on each thread that comes to this lane, and returns its `Perform`: state in there belongs to
    that thread. `weigh(items)` is how much the heaviest of some items counts, at least 1. `speed` is how many of its
    items take as long as one of the slowest lane.
    """

    __slots__ = ("limit", "make", "queue", "running", "speed", "weigh")

    def __init__(
        self,
        make: Callable[[], Perform],
        limit: int = NO_LIMIT,
        weigh: Callable[[Sequence[Any]], int] = lambda items: 1,
        speed: int = 1,
    ) -> None:
        self.make = make
        self.speed = speed
        self.limit = limit
        self.weigh = weigh
        self.queue: deque[Batch] = deque()
        self.running = 0


class Batch:
    """Items of one lane that were submitted together. Workers take slices of it, in order.

    `landed(first, outcomes)` is called on the loop's thread for each slice: items `first`, `first + 1`, ... have these
    outcomes. `failed(first, count)` is called instead when the worker died of it, or there is none to take it any more.
    """

    __slots__ = ("failed", "items", "landed", "lane", "taken", "weight")

    def __init__(
        self,
        lane: Lane,
        items: Sequence[Any],
        landed: Callable[[int, list[Any]], None],
        failed: Callable[[int, int], None],
    ) -> None:
        assert items, "a batch has items"
        self.lane = lane
        self.items = items
        self.landed = landed
        self.failed = failed
        self.taken = 0
        self.weight = lane.weigh(items)


class Slice(NamedTuple):
    """Items `first` .. `end - 1` of a batch: what one worker does of it."""

    batch: Batch
    first: int
    end: int


class WorkList:
    """What is queued in all lanes, and who gets how much of it.

    A run is at most `max_run` items and at most a fair share: what is queued, divided by the workers that share it. So
    64 items and two idle workers are two runs of 32, a lone batch is split, and a single idle worker takes all. A run
    ends where a batch ends: the next one is not cut if a run of its own can hold it, since whoever waits for a batch
    waits for its last part. An item counts with the weight of the heaviest in its batch, and one that is too heavy for
    a run is a run. Lanes take turns at being first.
    """

    def __init__(self, lanes: Sequence[Lane], max_run: int) -> None:
        self._lanes = deque(lanes)
        self._max_run = max_run
        self._share = 0
        self.queued = 0

    def put(self, batch: Batch) -> None:
        """Queue a batch."""
        batch.lane.queue.append(batch)
        self.queued += len(batch.items) * batch.weight

    def share_among(self, sharers: int) -> None:
        """Fix the fair share of what is queued now. While a worker is slow to come, the others' runs keep that size."""
        self._share = -(-self.queued // sharers) if sharers else 0

    def take(self, sharers: int) -> list[Slice]:
        """The next run for one of `sharers` workers; empty when no lane below its limit has work."""
        return self._take(min(self._max_run, max(self._share, -(-self.queued // sharers))))

    def take_some(self, count: int) -> list[Slice]:
        """A run that takes as long as `count` items of the slowest lane, or one heavier item; else as `take`."""
        return self._take(count, as_long_as=True)

    def _take(self, count: int, as_long_as: bool = False) -> list[Slice]:
        run: list[Slice] = []
        self._lanes.rotate(-1)
        for lane in self._lanes:
            if count <= 0:
                break
            speed = lane.speed if as_long_as else 1
            if lane.queue and lane.running < lane.limit and (taken := self._take_from(lane, count * speed, run)):
                lane.running += 1
                count -= -(-taken // speed)
        self.queued -= sum((end - first) * batch.weight for batch, first, end in run)
        return run

    def _take_from(self, lane: Lane, room: int, run: list[Slice]) -> int:
        taken = 0
        while lane.queue:
            batch = lane.queue[0]
            nr = (room - taken) // batch.weight or int(not run)
            left = len(batch.items) - batch.taken
            if nr <= 0 or (run and nr < left <= room // batch.weight):
                break
            first = batch.taken
            batch.taken = end = min(len(batch.items), first + nr)
            if end == len(batch.items):
                lane.queue.popleft()
            run.append(Slice(batch, first, end))
            taken += (end - first) * batch.weight
        return taken

    def give_back(self, run: Sequence[Slice]) -> bool:
        """A run is done. True if one of its lanes was at its limit with work queued: a worker may wait for that."""
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
