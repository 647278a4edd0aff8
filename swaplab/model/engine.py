"""Engines at modelled times: the accelerator of the paper machine, on a virtual loop.

A job arrives at its device's queue a pipeline latency after the moment of its submission (`submitted_ns`: loop time
plus what the submitting task owes by then), is taken in order of arrival by the first free engine, and lands a service
time later. Bytes are real: every distinct page is compressed once.

Arrival order is exact although a chain is submitted at one instant of the loop: what arrives before time t has been
submitted once the clock stands at t minus the pipeline latency, and only then are arrivals up to t assigned. Nothing
that arrives later than t can land before t plus the service time, so nobody need look more often than that.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace

from acomp import fault
from iaa_emulator.hardware import silicon
from iaa_emulator.hardware.descriptor import COMPRESS, CompletionRecord
from iaa_emulator.hardware.device import Device
from iaa_emulator.hardware.job import Job, JobBatch, land

from ..sim.loop import VirtualLoop

Compress = Callable[[bytes], silicon.Outcome]
"""What the device makes of a page, padded as the testbed says; remembered, because pages come again and again."""


_EXPIRED = silicon.Outcome(CompletionRecord(), b"")
"""Of a job that was given up meanwhile; nobody looks at it."""

NEVER = 1 << 62
"""A time that no run gets to."""


@dataclass(frozen=True, slots=True)
class EngineModel:
    """What a device can do: `pipeline_ns` from submission to its queue, `service_ns` per job on one of its `engines`.

    The engines are those that compress, and serve everything else too; those of the configuration do not count.
    """

    pipeline_ns: int
    service_ns: int
    engines: int


class _Together:
    """Jobs of one waiter: as nobody looks before the last of them has landed, they land in one event."""

    __slots__ = ("end_ns", "jobs")

    def __init__(self) -> None:
        self.end_ns = 0
        self.jobs: list[Job] = []


class ModelledEngine:
    """The engines of a platform at modelled times. `busy_ns` by device name is what utilisation is computed from."""

    def __init__(self, model: EngineModel, compress: Compress) -> None:
        self._pipeline_ns = model.pipeline_ns
        self._service_ns = model.service_ns
        self._engines = model.engines
        self._compress = compress
        self._arrivals: list[tuple[int, int, Job]] = []
        self._serial = 0
        self._looks_at_ns = NEVER
        self._free_at_ns: dict[Device, list[int]] = {}  # when each engine of a device will be free, a heap
        self._together: dict[JobBatch, _Together] = {}
        self._loop: VirtualLoop | None = None
        self.busy_ns: dict[str, int] = {}

    def start(self, devices: Sequence[Device]) -> None:
        """Take over the engines of `devices`; only on a virtual loop (TypeError elsewhere)."""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise TypeError("a modelled engine needs virtual time; run the program with swaplab.sim.run")
        self._loop = loop
        self._free_at_ns = {device: [0] * self._engines for device in devices}
        self.busy_ns = {device.name: 0 for device in devices}

    def submit(self, job: Job) -> None:
        """The job will arrive a pipeline latency after the submitting task has got to it."""
        assert self._loop is not None
        self._serial += 1
        arrival_ns = max(job.submitted_ns, self._loop.now_ns) + self._pipeline_ns
        heappush(self._arrivals, (arrival_ns, self._serial, job))
        if arrival_ns + self._service_ns - 1 < self._looks_at_ns:
            self._look_at(arrival_ns + self._service_ns - 1)

    def stop(self) -> None:
        """Nothing runs outside of the loop."""

    def _assign(self) -> None:
        """Everything that arrives up to a pipeline latency from now is known: give it to the engines, in order."""
        assert self._loop is not None
        if self._looks_at_ns != self._loop.now_ns:
            return  # an earlier arrival came in between, and was looked at
        self._looks_at_ns = NEVER
        known_ns = self._loop.now_ns + self._pipeline_ns
        arrivals, service_ns = self._arrivals, self._service_ns
        while arrivals and arrivals[0][0] <= known_ns:
            arrival_ns, _, job = heappop(arrivals)
            device = job.wq.device
            free_at_ns = self._free_at_ns[device]
            begins_ns = free_at_ns[0]  # at the earliest
            end_ns = (begins_ns if begins_ns > arrival_ns else arrival_ns) + service_ns
            heapreplace(free_at_ns, end_ns)
            self.busy_ns[device.name] += service_ns
            self._land_at(end_ns, job)
        if arrivals:
            self._look_at(arrivals[0][0] + service_ns - 1)

    def _look_at(self, when_ns: int) -> None:
        """Look then at the latest. A task that owes much when it submits arrives after others that submit later."""
        assert self._loop is not None
        self._looks_at_ns = when_ns
        self._loop.call_at_ns(when_ns, self._assign)

    def _land_at(self, end_ns: int, job: Job) -> None:
        """Land the job at its end; with the others of its waiter, unless each one's landing matters.

        It does when descriptors are scarce, and when a fault may lose one, which would keep the others waiting.
        """
        assert self._loop is not None
        batch = job.batch
        if batch.future is None or fault.decider is not None or job.wq.scarce:
            self._loop.call_at_ns(end_ns, self._land_alone, job)
            return
        together = self._together.get(batch)
        if together is None:
            together = self._together[batch] = _Together()
        together.jobs.append(job)
        if end_ns > together.end_ns:
            together.end_ns = end_ns
        if len(together.jobs) == len(batch.jobs):
            self._land_all(batch, together)

    def _land_all(self, batch: JobBatch, together: _Together) -> None:
        """The waiter misses no others than these: land them at the last one's end."""
        assert self._loop is not None
        del self._together[batch]
        self._loop.call_at_ns(together.end_ns, self._land, together.jobs)

    def _land_alone(self, job: Job) -> None:
        self._land((job,))
        batch = job.batch
        together = self._together.get(batch)
        if together is not None and len(together.jobs) == len(batch.jobs):
            self._land_all(batch, together)

    def _land(self, jobs: Sequence[Job]) -> None:
        land(jobs, [*map(self._outcome, jobs)])

    def _outcome(self, job: Job) -> silicon.Outcome:
        if job.source is None:
            return _EXPIRED
        if job.batch.opcode is COMPRESS:
            outcome = self._compress(job.source)
            if len(outcome.output) <= job.limit:
                return outcome
        return silicon.perform(job.opcode, job.source, job.limit, job.operation_flags)
