"""Engines at modelled times: the accelerator of the paper machine, on a virtual loop.

A job arrives at its device's queue a pipeline latency after the moment of its submission (loop time plus what the
submitting task owes by then), is taken in order of arrival by the first free engine, and lands a service time later.
Bytes are real: every distinct page is compressed once.

Arrival order is exact although a chain is submitted at one instant of the loop: whatever will arrive before time t has
been submitted once the clock stands at t minus the pipeline latency, and only then are arrivals up to t assigned.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from isal import isal_zlib

from acomp import cpu
from iaa_emulator import silicon
from iaa_emulator.descriptor import CompletionRecord, Opcode, Status
from iaa_emulator.device import Device
from iaa_emulator.job import Job

from .loop import VirtualLoop

Compress = Callable[[Any], bytes]
"""The stream of a page, padded as the testbed says; remembered, because the same pages come again and again."""


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """Integer nanoseconds: `pipeline_ns` from submission to the queue, `service_ns` per job on one engine."""

    pipeline_ns: int
    service_ns: int


class _Queue:
    """One device: jobs on their way to it, and when each of its engines will be free."""

    __slots__ = ("arrivals", "free_at_ns", "serial", "woken_at_ns")

    def __init__(self, engines: int) -> None:
        self.arrivals: list[tuple[int, int, Job]] = []
        self.free_at_ns = [0] * engines
        self.serial = 0
        self.woken_at_ns = -1


class ModelledEngine:
    """The engines of a platform at modelled times. `busy_ns` by device name is what utilisation is computed from."""

    def __init__(self, times: EngineTimes, compress: Compress) -> None:
        self._times = times
        self._compress = compress
        self._queues: dict[str, _Queue] = {}
        self._loop: VirtualLoop | None = None
        self.busy_ns: dict[str, int] = {}

    def start(self, devices: Sequence[Device]) -> None:
        """Take over the queues of `devices`; only on a virtual loop (TypeError elsewhere)."""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise TypeError("a modelled engine needs virtual time; run the program with swaplab.sim.run")
        self._loop = loop
        self._queues = {device.name: _Queue(device.compress_engines) for device in devices}
        self.busy_ns = dict.fromkeys(self._queues, 0)

    def submit(self, job: Job) -> None:
        """The job will arrive a pipeline latency after what the submitting task owes by now."""
        assert self._loop is not None
        queue = self._queues[job.device.name]
        queue.serial += 1
        submitted_ns = self._loop.now_ns + cpu.owed_ns()
        heapq.heappush(queue.arrivals, (submitted_ns + self._times.pipeline_ns, queue.serial, job))
        if queue.woken_at_ns < 0:
            queue.woken_at_ns = submitted_ns
            self._loop.call_at_ns(submitted_ns, self._assign, queue)

    def stop(self) -> None:
        """Nothing runs outside of the loop."""

    def _assign(self, queue: _Queue) -> None:
        """Everything that arrives up to a pipeline latency from now is known: give it to the engines, in order."""
        assert self._loop is not None
        known_ns = self._loop.now_ns + self._times.pipeline_ns
        arrivals, free_at_ns, service_ns = queue.arrivals, queue.free_at_ns, self._times.service_ns
        while arrivals and arrivals[0][0] <= known_ns:
            arrival_ns, _, job = heapq.heappop(arrivals)
            end_ns = max(arrival_ns, free_at_ns[0]) + service_ns
            heapq.heapreplace(free_at_ns, end_ns)
            self.busy_ns[job.device.name] += service_ns
            self._loop.call_at_ns(end_ns, self._land, job)
        queue.woken_at_ns = -1
        if arrivals:
            queue.woken_at_ns = arrivals[0][0] - self._times.pipeline_ns
            self._loop.call_at_ns(queue.woken_at_ns, self._assign, queue)

    def _land(self, job: Job) -> None:
        if job.landed:
            return
        if job.opcode != Opcode.COMPRESS:
            job.land(*silicon.perform(job.opcode, job.source, job.limit, job.operation_flags))
            return
        source = job.source
        output = self._compress(source)
        if len(output) > job.limit:
            job.land(*silicon.perform(job.opcode, source, job.limit, job.operation_flags))
            return
        job.land(CompletionRecord(Status.SUCCESS, 0, len(source), len(output), isal_zlib.crc32(source)), output)
