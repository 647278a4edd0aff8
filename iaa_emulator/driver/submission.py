"""Getting a descriptor, submitting it, and what a landing gives back (docs/kernel.md#descriptors).

The driver asks for slots and begins jobs here. Knows queues, jobs and the engine, but not what a request is for.
"""

from errno import EAGAIN, EIO, ENXIO
from functools import partial
from typing import Final

from acomp import AcompReq, acomp_request_get, acomp_request_put, cpu, fault, trace

from ..errors import DescriptorDeadlockError
from ..hardware.descriptor import DecompressFlag, Opcode
from ..hardware.device import WorkQueue
from ..hardware.engine import Engine
from ..hardware.job import Job, Landing, call_out
from . import faults
from .completion import spoil
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

    def begin(
        self,
        req: AcompReq,
        opcode: Opcode,
        wq: WorkQueue,
        slot: int,
        landing: Landing | None,
        verifies: bytes | None = None,
    ) -> Job | int:
        """Fill the descriptor `slot` and submit it: the job, a part of `landing`, or an error with the slot given back.

        `verifies`: a compressed page to be checked instead of the request's own work; no call is counted then.
        """
        if not wq.bound or fault.decider is not None:
            code = self._acceptance(wq)
            if code:
                wq.release(slot)
                return code
        if verifies is None:
            job = Job(req, wq, slot, opcode, req.source(), req.dlen, landing, self._landed)
            req.path = "hardware"
            self._stats.called(wq, opcode)
        else:
            job = Job(req, wq, slot, opcode, verifies, req.slen, landing, self._landed)
            job.operation_flags |= DecompressFlag.SUPPRESS_OUTPUT
        if landing is not None:
            landing.missing += 1
        acomp_request_get(req)
        self._in_flight.add(job)
        cpu.charge("iaa.submit")
        if trace.sink is not None:
            trace.emit("iaa.queued", request=req.serial, device=wq.device.name, wq=wq.name, slot=slot)
        if fault.decider is None or not fault.should_fail(faults.LOST_COMPLETION):
            self._engine.submit(job)
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

    def _landed(self, job: Job) -> None:
        """A job has landed or was expired: everything is given back before anybody who waits for it is told."""
        if fault.decider is not None:
            spoil(job)
        self._in_flight.remove(job)
        if trace.sink is not None:
            status = None if job.record is None else int(job.record.status)
            names = {"request": job.req.serial, "device": job.device.name, "wq": job.wq.name, "status": status}
            call_out(partial(trace.emit, "iaa.landed", **names))
        if self._bounded:
            job.release_slot()
        call_out(acomp_request_put, job.req)
        job.source = None
        landing = job.landing
        if landing is not None:
            landing.missing -= 1
            if not landing.missing:
                landing.complete()
        if job.callback is not None:
            job.callback(job)
