"""For tests of what runs on a platform: an engine whose jobs land when the test says so, and what must hold at rest."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence

from acomp import trace

from .hardware.device import Device, Group
from .hardware.job import Job
from .hardware.silicon import perform
from .platform import Platform


class SteppedEngine:
    """Jobs land by `step`, or by themselves one per pass of the loop while `auto` is true. Equal runs are equal.

    Each group works on as many jobs at once as it has compress engines, in the order of submission; a step lands the
    job that was started first. The bytes are real.
    """

    def __init__(self, auto: bool = False) -> None:
        self.running: list[Job] = []
        self.queued: dict[Group, deque[Job]] = {}
        self._auto = auto
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking = False

    def __repr__(self) -> str:
        mode = "auto" if self._auto else "stepped"
        return f"<SteppedEngine {mode}: {len(self.running)} running, {len(self.jobs) - len(self.running)} queued>"

    @property
    def jobs(self) -> list[Job]:
        """Everything that has not landed: what runs in the order of starts, then what is queued, group by group."""
        return self.running + [job for queue in self.queued.values() for job in queue]

    @property
    def auto(self) -> bool:
        """Whether jobs land by themselves. Setting it to True lands the waiting ones, one per pass of the loop."""
        return self._auto

    @auto.setter
    def auto(self, value: bool) -> None:
        self._auto = value
        self._tick_soon()

    def start(self, devices: Sequence[Device]) -> None:
        """See `Engine.start`."""
        self._loop = asyncio.get_running_loop()
        self.queued = {wq.group: deque() for device in devices for wq in device.work_queues}

    def submit(self, job: Job) -> None:
        """See `Engine.submit`."""
        self.queued[job.wq.group].append(job)
        self._start_next(job.wq.group)
        self._tick_soon()

    def stop(self) -> None:
        """See `Engine.stop`. What has not landed never will."""
        self.running = []
        self.queued = {}
        self._auto = False

    def step(self, n: int = 1) -> int:
        """Land the `n` jobs that were started first; returns how many there were."""
        for landed in range(n):
            if not self.running:
                return landed
            self.land(self.running[0])
        return n

    def step_all(self) -> int:
        """Land every job, those included that a landing's callback submits; returns how many landed."""
        landed = 0
        while self.step():
            landed += 1
        return landed

    def land(self, job: Job) -> None:
        """Land this job out of turn. ValueError when no engine runs it yet."""
        if job not in self.running:
            raise ValueError(f"no engine runs {job!r}; running are {self.running}")
        self.running.remove(job)
        if not job.landed:
            job.land(*perform(job.opcode, job.source, job.limit, job.operation_flags))
        self._start_next(job.wq.group)

    def _start_next(self, group: Group) -> None:
        queue = self.queued.get(group, deque())
        while queue and sum(1 for job in self.running if job.wq.group is group) < group.compress_engines:
            job = queue.popleft()
            self.running.append(job)
            if trace.sink is not None:
                trace.emit("iaa.start", **job.names)

    def _tick_soon(self) -> None:
        if self._auto and not self._ticking and self.running:
            assert self._loop is not None
            self._ticking = True
            self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._ticking = False
        if self._auto and self.step():  # else nothing has changed, and asking at every turn would stop virtual time
            self._tick_soon()


def not_at_rest(platform: Platform) -> Iterator[str]:
    """What does not hold although nothing is under way, each with the number that it has in docs/invariants.md.

    I1 and I2: every descriptor is free, no job is in flight, nobody waits. I14: sums over queues, those removed
    included, and requests by the way that they took.
    """
    driver = platform.driver
    for device in platform.devices:
        for wq in device.work_queues:
            if wq.in_flight:
                yield f"I1: {wq!r} has descriptors in flight"
            if wq.waiting:
                yield f"I2: somebody waits for a descriptor of {wq!r}"
    if len(driver.in_flight):
        yield f"I2: jobs are in flight: {list(driver.in_flight)}"
    book, totals = driver.stats.book, driver.stats.totals
    queues = [wq.stats for device in driver.devices for wq in device.bound_queues] + [book.retired]
    for total, parts in (
        (totals.total_comp_calls, [stats.comp_calls for stats in queues]),
        (totals.total_decomp_calls, [stats.decomp_calls for stats in queues]),
        (totals.total_comp_bytes_out, [stats.comp_bytes for stats in queues]),
    ):
        if total != sum(parts):
            yield f"I14: {total} in all is not the sum of {parts}"
    for counts in (book.compress, book.decompress):
        if counts.requests != counts.hardware + counts.software + counts.failed:
            yield f"I14: {counts} do not add up"
