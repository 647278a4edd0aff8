"""Getting a descriptor, submitting it, and what a landing gives back (docs/kernel.md#descriptors).

The driver asks for slots and begins jobs here. Knows queues, jobs and the engine, but not what a request is for.
"""

from collections.abc import Sequence
from errno import EAGAIN, EIO, ENXIO
from functools import partial
from typing import Any, Final

from acomp import AcompReq, acomp_request_put, cpu, fault, trace

from ..errors import DescriptorDeadlockError
from ..hardware.descriptor import DECOMPRESS, DecompressFlag, Opcode
from ..hardware.device import WorkQueue
from ..hardware.engine import Engine
from ..hardware.job import Ending, Job, JobBatch, call_out
from . import faults
from .completion import spoiled
from .in_flight import InFlight
from .statistics import Statistics

ALLOC_ATTEMPTS: Final = {Opcode.COMPRESS: 1000, Opcode.DECOMPRESS: 500}
"""Attempts to get a descriptor, each followed by a pause; verify jobs decompress."""


class Submission:
    """The way of a job from a free descriptor to its landing, for one driver.

    `bounded` is patch 10: allocation gives up after attempts x `alloc_pause_ns` of loop time, and a descriptor is free
    again when its job has landed. Without it, allocation waits until somebody polls.
    Differs from the kernel: with patch 10 the kernel, too, frees a polled job's descriptor in the poll operation only;
    then chains that each hold some and wait for more stop each other.
    """

    def __init__(
        self, engine: Engine, in_flight: InFlight, stats: Statistics, *, bounded: bool, alloc_pause_ns: int
    ) -> None:
        self._engine = engine
        self._in_flight = in_flight
        self._stats = stats
        self._bounded = bounded
        self._alloc_pause_ns = alloc_pause_ns

    def denied(self) -> bool:
        """Whether a fault decider wants this request to find no descriptor in time."""
        return fault.decider is not None and fault.should_fail(faults.ALLOC_DESCRIPTOR)

    async def slot(self, req: AcompReq, wq: WorkQueue, opcode: Opcode) -> int:
        """A descriptor of `wq`, at once if there is a free one, or a negative errno."""
        if self.denied():
            return -EAGAIN
        slot = wq.take()
        return slot if slot >= 0 else await self.wait_for_slot(req, wq, opcode)

    async def wait_for_slot(self, req: AcompReq, wq: WorkQueue, opcode: Opcode, batch: JobBatch | None = None) -> int:
        """A descriptor of `wq` when it is our turn, or -EAGAIN; without patch 10 DescriptorDeadlockError instead.

        The jobs of `batch` that were begun before have their whole time again after the wait.
        """
        if batch is not None:
            self.account(batch)
        slot = await self._wait(req, wq, opcode)
        if batch is not None:
            self._in_flight.renew(batch)
        return slot

    async def _wait(self, req: AcompReq, wq: WorkQueue, opcode: Opcode) -> int:
        attempts = ALLOC_ATTEMPTS[opcode]
        began_ns = cpu.now_ns()
        bound_s = attempts * self._alloc_pause_ns / 1e9 if self._bounded else self._in_flight.timeout_s
        slot = await wq.wait(bound_s)
        if trace.sink is not None:
            made = (cpu.now_ns() - began_ns) // max(self._alloc_pause_ns, 1) + 1
            made = attempts if slot == -EAGAIN else min(attempts, made)
            trace.emit("iaa.retry", request=req.serial, wq=wq.name, attempts=made, got=slot >= 0)
        if slot == -EAGAIN and not self._bounded:
            raise DescriptorDeadlockError(
                f"no descriptor of {wq!r} came free within {self._in_flight.timeout_s} s: without patch 10 chains that"
                " hold some and wait for more stop each other. Use patch 10, more devices, or larger queues"
            )
        return slot

    def batch(self, opcode: Opcode) -> JobBatch:
        """A batch for jobs that go down together and are waited for as one."""
        return JobBatch(opcode, self._landed)

    def begin(
        self, batch: JobBatch, req: AcompReq, wq: WorkQueue, slot: int, source: Any, limit: int, unit: int | None = None
    ) -> Job | int:
        """Fill the descriptor `slot` and submit it: a job of `batch`, or an error with the slot given back.

        `source` and `limit` are the request's own, or those of its unit number `unit`. Whoever has begun jobs calls
        `account` before anything suspends.
        """
        if not wq.bound or fault.decider is not None:
            code = self._acceptance(wq)
            if code:
                wq.release(slot)
                return code
        if not batch.jobs:
            self._in_flight.add(batch)
        if not batch.begun:
            batch.reached_ns, batch.submit_ns = cpu.reached_ns(), cpu.cost_ns("iaa.submit")
        job = Job(batch, req, wq, slot, source, limit, unit)
        batch.reached_ns += batch.submit_ns
        job.submitted_ns = batch.reached_ns
        batch.jobs[job] = None
        batch.begun.append(job)
        if trace.sink is not None:
            trace.emit("iaa.queued", **job.names, slot=slot)
        if fault.decider is None or not fault.should_fail(faults.LOST_COMPLETION):
            self._engine.submit(job)
        return job

    def account(self, batch: JobBatch, counted: bool = True) -> None:
        """The task owes what it took to submit the jobs begun since the last time; they are calls, if `counted`."""
        begun = batch.begun
        if begun:
            cpu.charge("iaa.submit", len(begun))
            if counted:
                self._stats.called(batch.opcode, begun)
            batch.begun = []

    def begin_check(self, checked: Job, slot: int) -> Job | int:
        """Decompress the output of a compression on the same queue, without an output. (Such jobs are not counted.)"""
        check = JobBatch(DECOMPRESS, self._landed, DecompressFlag.SUPPRESS_OUTPUT)
        limit = checked.req.slen
        job = self.begin(check, checked.req, checked.wq, slot, checked.output, limit, checked.unit)
        self.account(check, counted=False)
        return job

    def _acceptance(self, wq: WorkQueue) -> int:
        """What the device says to a submission: 0, -ENXIO for a removed queue, -EIO, or -EAGAIN from a shared one."""
        if not wq.bound:
            return -ENXIO
        if fault.decider is None:
            return 0
        if fault.should_fail(faults.SUBMIT):
            return -EIO
        if wq.shared:
            for _ in range(wq.config.enqcmds_retries + 1):
                if not fault.should_fail(faults.ENQUEUE_REFUSED):
                    return 0
            return -EAGAIN
        return 0

    def _landed(self, batch: JobBatch, jobs: Sequence[Job], endings: Sequence[Ending]) -> None:
        """Jobs have landed or were expired: everything is given back before anybody who waits for them is told."""
        if fault.decider is not None:
            endings = [*map(spoiled, jobs, endings)]
        ended, abandoned = [], []
        in_flight, keeps_slots = batch.jobs, not self._bounded
        for job, ending in zip(jobs, endings, strict=True):
            was_abandoned = job.state == "abandoned"
            if job.end(ending, keeps_slots):
                del in_flight[job]
                job.source = None
                ended.append(job)
                if was_abandoned:
                    abandoned.append(job)
            elif trace.sink is not None:
                call_out(partial(trace.emit, "iaa.landed_again", **job.names))
        if not ended:
            return
        self._in_flight.landed(batch)
        if trace.sink is not None:
            for job in ended:
                status = None if job.record is None else int(job.record.status)
                call_out(partial(trace.emit, "iaa.landed", **job.names, status=status))
        if not in_flight:
            batch.complete()
        if batch.callback is not None:
            for job in ended:
                batch.callback(job)
        for job in abandoned:
            call_out(acomp_request_put, job.req)
