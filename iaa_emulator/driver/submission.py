"""Getting a descriptor, submitting it, and what a landing gives back (docs/kernel.md#descriptors).

The driver asks for slots and begins jobs here. Knows queues, jobs and the engine, but not what a request is for.
"""

from errno import EAGAIN, EIO, ENXIO
from functools import partial
from typing import Any, Final

from acomp import AcompReq, cpu, fault, trace

from ..errors import DescriptorDeadlockError
from ..hardware.descriptor import DECOMPRESS, DecompressFlag, Opcode
from ..hardware.device import WorkQueue
from ..hardware.engine import Engine
from ..hardware.job import Job, JobBatch, call_out
from . import faults
from .completion import spoil
from .in_flight import InFlight

ALLOC_ATTEMPTS: Final = {Opcode.COMPRESS: 1000, Opcode.DECOMPRESS: 500}
"""Attempts to get a descriptor, each followed by a pause; verify jobs decompress."""


class Submission:
    """The way of a job from a free descriptor to its landing, for one driver.

    `bounded` is patch 10: allocation gives up after attempts x `alloc_pause_ns` of loop time, and a descriptor is free
    again when its job has landed. Without it, allocation waits until somebody polls.
    Differs from the kernel: with patch 10 the kernel, too, frees a polled job's descriptor in the poll operation only;
    then chains that each hold some and wait for more stop each other.
    """

    def __init__(self, engine: Engine, in_flight: InFlight, *, bounded: bool, alloc_pause_ns: int) -> None:
        self._engine = engine
        self._in_flight = in_flight
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

    async def wait_for_slot(self, req: AcompReq, wq: WorkQueue, opcode: Opcode) -> int:
        """A descriptor of `wq` when it is our turn, or -EAGAIN; without patch 10 DescriptorDeadlockError instead."""
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

        `source` and `limit` are the request's own, or those of its unit number `unit`. The caller counts the call.
        """
        if not wq.bound or fault.decider is not None:
            code = self._acceptance(wq)
            if code:
                wq.release(slot)
                return code
        job = Job(batch, req, wq, slot, source, limit, unit)
        if not batch.jobs:
            self._in_flight.add(batch)
        batch.jobs[job] = None
        cpu.charge("iaa.submit")
        if trace.sink is not None:
            trace.emit("iaa.queued", **job.names, slot=slot)
        if fault.decider is None or not fault.should_fail(faults.LOST_COMPLETION):
            self._engine.submit(job)
        return job

    def begin_check(self, checked: Job, slot: int) -> Job | int:
        """Decompress the output of a compression on the same queue, without an output. (Such jobs are not counted.)"""
        check = JobBatch(DECOMPRESS, self._landed, DecompressFlag.SUPPRESS_OUTPUT)
        limit = checked.req.slen
        return self.begin(check, checked.req, checked.wq, slot, checked.output, limit, checked.unit)

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

    def _landed(self, job: Job) -> None:
        """A job has landed or was expired: everything is given back before anybody who waits for it is told."""
        batch = job.batch
        if fault.decider is not None:
            spoil(job)
        del batch.jobs[job]
        self._in_flight.landed(batch)
        if trace.sink is not None:
            status = None if job.record is None else int(job.record.status)
            call_out(partial(trace.emit, "iaa.landed", **job.names, status=status))
        if self._bounded:
            job.release_slot()
        job.source = None
        if not batch.jobs:
            batch.complete()
        if batch.callback is not None:
            batch.callback(job)
