"""The batches in flight of one driver, oldest first, and the watchdog that gives up on what never lands.

One timer for all of them: the timeout is the same for every batch, so they expire in the order of submission.
"""

import asyncio
from collections.abc import Callable, Iterator

from ..hardware.device import WorkQueue
from ..hardware.job import Job, JobBatch

CLOCK_RESOLUTION_S = 1e-6
"""How much too early a loop may call a timer, having rounded its time; asking again would change nothing."""
LATE_S = 0.002
"""A timer that is later than this tells of a loop that was busy, or stood still, when jobs were due."""
GRACE_S = 0.25
"""How much longer such jobs have, once (a timeout at most): to be heard of, or to be done by engines on the loop."""


class InFlight:
    """Batches between submission and landing. `timed_out(job)` is told of each job that is given up, before it ends."""

    def __init__(self, timeout_s: float, timed_out: Callable[[Job], None]) -> None:
        self.timeout_s = timeout_s
        self._timed_out = timed_out
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batches: dict[JobBatch, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        self._watchers: list[asyncio.Future[None]] = []
        self._spared: set[JobBatch] = set()  # those that were put off once

    def __len__(self) -> int:
        return sum(len(batch.jobs) for batch in self._batches)

    def __iter__(self) -> Iterator[Job]:
        return iter([job for batch in self._batches for job in batch.jobs])

    def add(self, batch: JobBatch) -> None:
        """A batch is about to have jobs in flight: from now on they have `timeout_s` seconds of loop time."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        batch.deadline = self._loop.time() + self.timeout_s
        self._batches[batch] = None
        if self._timer is None:
            self._timer = self._look_at(batch.deadline)

    def renew(self, batch: JobBatch) -> None:
        """A batch that has waited submits more: its jobs, those before included, have their time from now on."""
        if batch in self._batches:
            del self._batches[batch]  # it goes to the end, for they expire in order
            self._spared.discard(batch)
            self.add(batch)

    def landed(self, batch: JobBatch) -> None:
        """A job of the batch has ended."""
        if not batch.jobs:
            del self._batches[batch]
            if self._spared:
                self._spared.discard(batch)
        while self._watchers:
            watcher = self._watchers.pop()
            if not watcher.done():
                watcher.set_result(None)

    async def drain(self, wq: WorkQueue | None = None) -> None:
        """Wait until nothing is in flight (on `wq`): `timeout_s` at most, since every job ends by then."""
        while any(wq is None or job.wq is wq for job in self):
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    def stop_watching(self) -> None:
        """Cancel the watchdog's timer; nothing may be in flight."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, when: float) -> asyncio.TimerHandle:
        self._looks_at = when
        return asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        """Give up on what is due; whatever happens, look again when the oldest of the others is.

        A watchdog that comes late puts the batches that it finds due off for a moment, once each: what has landed
        meanwhile may not have been heard of, and engines on the loop's own thread were as late as the loop. The batches
        behind them wait as long, at most.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + CLOCK_RESOLUTION_S
        is_late = due - self._looks_at > LATE_S
        try:
            for batch in list(self._batches):
                if batch.deadline > due:
                    break
                if is_late and batch not in self._spared:
                    self._spared.add(batch)
                    batch.deadline = due + min(GRACE_S, self.timeout_s)
                    continue
                for job in list(batch.jobs):
                    if not job.landed:  # else the end of another one has ended it
                        self._timed_out(job)
                        job.expire()
        finally:
            oldest = next(iter(self._batches), None)
            self._timer = None if oldest is None else self._look_at(oldest.deadline)
