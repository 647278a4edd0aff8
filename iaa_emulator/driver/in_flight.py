"""The jobs in flight of one driver, oldest first, and the watchdog that gives up on what never lands.

One timer for all of them: the timeout is the same for every job, so they expire in the order of submission.
"""

import asyncio
from collections.abc import Callable, Iterator

from ..hardware.device import WorkQueue
from ..hardware.job import Job

CLOCK_RESOLUTION_S = 1e-6
"""How much too early a loop may call a timer, having rounded its time; asking again would change nothing."""
LATE_S = 0.002
"""A timer that is later than this tells of a loop that was busy, or stood still, when jobs were due."""
GRACE_S = 0.25
"""How much longer such jobs have, once (a timeout at most): to be heard of, or to be done by engines on the loop."""


class InFlight:
    """Jobs between submission and landing. `timed_out(job)` is called for each that is given up, before it ends."""

    def __init__(self, timeout_s: float, timed_out: Callable[[Job], None]) -> None:
        self.timeout_s = timeout_s
        self._timed_out = timed_out
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: dict[Job, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        self._watchers: list[asyncio.Future[None]] = []
        self._spared: set[Job] = set()  # those that were put off once

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs))

    def add(self, job: Job) -> None:
        """A job was submitted: from now on it has `timeout_s` seconds of loop time."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        job.deadline = self._loop.time() + self.timeout_s
        self._jobs[job] = None
        if self._timer is None:
            self._timer = self._look_at(job.deadline)

    def remove(self, job: Job) -> None:
        """A job has ended."""
        del self._jobs[job]
        if self._spared:
            self._spared.discard(job)
        while self._watchers:
            watcher = self._watchers.pop()
            if not watcher.done():
                watcher.set_result(None)

    async def drain(self, wq: WorkQueue | None = None) -> None:
        """Wait until nothing is in flight (on `wq`): `timeout_s` at most, since every job ends by then."""
        while any(wq is None or job.wq is wq for job in self._jobs):
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

        A watchdog that comes late puts the jobs that it finds due off for a moment, once each: what has landed
        meanwhile may not have been heard of, and engines on the loop's own thread were as late as the loop. The jobs
        behind them wait as long, at most.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + CLOCK_RESOLUTION_S
        is_late = due - self._looks_at > LATE_S
        try:
            for job in self:
                if job.deadline > due:
                    break
                if is_late and job not in self._spared:
                    self._spared.add(job)
                    job.deadline = due + min(GRACE_S, self.timeout_s)
                    continue
                self._timed_out(job)
                job.expire()
        finally:
            oldest = next(iter(self._jobs), None)
            self._timer = None if oldest is None else self._look_at(oldest.deadline)
