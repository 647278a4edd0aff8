"""The iaa_crypto driver: takes requests from acomp, finds each a queue and a descriptor, and tells what became of it.

Called by acomp through the methods of its algorithm, `deflate-iaa`; `batch` drives chains with its submit and poll
operations, `binding` gives it queues and takes them away. It never knows what kind of engine runs the jobs.
Source: kernel-facts 6.6 to 6.10, 7, 9.
"""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EAGAIN, ECANCELED, EINPROGRESS, EINVAL, EIO, ENODEV, ENXIO
from typing import Final, NamedTuple

from acomp import (
    CRYPTO_ACOMP_REQ_POLL,
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    AcompAlg,
    AcompReq,
    Code,
    CryptoAcomp,
    acomp_is_reqchain,
    cpu,
    fault,
    trace,
)

from ..hardware.descriptor import COMPRESS, DECOMPRESS, SUCCESS, Opcode
from ..hardware.device import Device
from ..hardware.engine import Engine
from ..hardware.job import Job, Landing
from ..hardware.topology import Topology
from ..hardware.work_queue import WorkQueue
from .attributes import Attributes
from .batch import run_chain
from .completion import read_record
from .features import DriverFeatures
from .in_flight import InFlight
from .inflate import SoftwareInflate
from .interrupt import InterruptHandler
from .mapping import WqTables
from .statistics import Statistics
from .submission import Submission

IAA_ALG_PRIORITY: Final = 300
IAA_CRYPTO_MAX_BATCH_SIZE: Final = 8


class Modes(NamedTuple):
    """What a transform remembers from when it was made (kernel-facts 6.3). Chains follow the attributes instead."""

    async_mode: bool
    use_irq: bool
    verify_compress: bool


class Driver:
    """One loaded iaa_crypto module.

    `enabled`: whether it uses devices; set by the first queue bound, cleared by the last removed or a job that never
    landed. `devices`: those with a bound queue, in the order in which they were first probed.
    """

    def __init__(
        self,
        topology: Topology,
        features: DriverFeatures,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        *,
        completion_timeout_s: float,
        alloc_pause_ns: int,
        batch_size: int = IAA_CRYPTO_MAX_BATCH_SIZE,
    ) -> None:
        self.topology = topology
        self.features = features
        self.engine = engine
        self.attributes = Attributes(features, lambda: self.enabled)
        self.devices: list[Device] = []
        self.stats = Statistics(self.devices)
        self.enabled = False
        self.tables = WqTables(topology, by_package=8 in features)
        self.in_flight = InFlight(completion_timeout_s, self._timed_out)
        self._submission = Submission(
            engine, self.in_flight, self.stats, bounded=10 in features, alloc_pause_ns=alloc_pause_ns
        )
        self.interrupts = InterruptHandler(self)
        self.algorithm = self._algorithm(batch_size, loop)
        self._software = SoftwareInflate(serialised=11 in features)
        self._gates_on_poll = 3 in features
        self._bounded = 10 in features

    def _algorithm(self, batch_size: int, loop: asyncio.AbstractEventLoop) -> AcompAlg:
        batches = 4 in self.features
        return AcompAlg(
            cra_name="deflate",
            cra_driver_name="deflate-iaa",
            cra_priority=IAA_ALG_PRIORITY,
            cra_flags=CRYPTO_ALG_ASYNC | (CRYPTO_ALG_REQ_CHAIN if batches else 0),
            compress=self._entry(COMPRESS, batches),
            decompress=self._entry(DECOMPRESS, batches),
            get_batch_size=(lambda: batch_size) if batches else None,
            init=self._init_tfm,
            loop=loop,
        )

    def _entry(self, opcode: Opcode, batches: bool) -> Callable[[AcompReq], Code]:
        """The method of one direction: chains go to the batch wrapper (patch 4), all else is a single request."""

        def method(req: AcompReq) -> Code:
            if batches and acomp_is_reqchain(req):
                return run_chain(self, req, opcode)
            return self.request(req, opcode)

        return method

    def _init_tfm(self, tfm: CryptoAcomp) -> None:
        attributes = self.attributes
        tfm.ctx = Modes(attributes.async_mode, attributes.use_irq, attributes.verify_compress)

    # Single requests, which are also the operations of a chain.

    def request(self, req: AcompReq, opcode: Opcode, landing: Landing | None = None, here: int | None = None) -> Code:
        """One request: a final code, -EINPROGRESS, or an awaitable that ends in a final code.

        Asynchronous only in a mode that is, and with POLL set (patch 3). Then a runner waits for the `landing` of its
        chain and polls, or, without one, the completion function is called when the job has landed. Otherwise it is
        waited for, and no completion is called. `here` is the current cpu, if the caller knows it already.
        Differs from the kernel: an output to be allocated is refused (-EINVAL; there it is freed before the return),
        and a disabled driver still decompresses, in software.
        """
        if not self.enabled or req.src is None or not req.slen or req.dst is None:
            return self._turned_down(req, opcode)
        modes: Modes = req.tfm.ctx
        if not modes.async_mode or (self._gates_on_poll and not req.flags & CRYPTO_ACOMP_REQ_POLL):
            return self._run(req, opcode, modes.verify_compress)
        wq = self._choose(opcode, cpu.current_cpu() if here is None else here)
        if wq is None:
            return self._failed(req, opcode, -ENODEV)
        if fault.decider is not None and self._submission.denied():
            return self._failed(req, opcode, -EAGAIN)
        slot = wq.take()
        if slot < 0:
            return self._submit_when_free(req, opcode, wq, landing)
        return self._submit(req, opcode, wq, slot, landing)

    def poll(self, req: AcompReq) -> Code:
        """Look once whether the job of `req` has landed: -EAGAIN, or its final code (patch 4, kernel-facts 7).

        Differs from the kernel: -ETIMEDOUT when it never landed; a verification that found no descriptor is -EIO, since
        -EAGAIN would read as "not finished" (kernel-facts-2 B10).
        """
        job = req.base.data
        if type(job) is not Job or not job.landed:
            return -EAGAIN
        code = self._reap(job, compress=True)
        if not code and self.attributes.verify_compress and job.opcode is COMPRESS:
            return self._verify_polled(job)
        if job.slot_held:
            job.release_slot()
        req.base.data = job.data
        self.stats.ended(req, job.opcode, code)
        return code

    def abandon(self, req: AcompReq) -> None:
        """The chain of `req` was cancelled: its job keeps descriptor and buffers until it has landed."""
        job = req.base.data
        if isinstance(job, Job):
            job.abandon()
            req.base.data = job.data
            self.stats.ended(req, job.opcode, -ECANCELED)

    # The synchronous path.

    async def _run(self, req: AcompReq, opcode: Opcode, verify: bool) -> int:
        wq = self._choose(opcode, cpu.current_cpu())
        code: int = -ENODEV if wq is None else 0
        try:
            if wq is not None:
                slot = await self._submission.slot(req, wq, opcode)
                code = slot if slot < 0 else await self._run_on(req, opcode, wq, slot, verify)
        except BaseException:
            self.stats.ended(req, opcode, -ECANCELED)
            raise
        if code and opcode == DECOMPRESS and self._recovers(code):
            return await self._fall_back(req, code)
        await cpu.settle()
        return self._ended(req, opcode, code)

    async def _run_on(self, req: AcompReq, opcode: Opcode, wq: WorkQueue, slot: int, verify: bool) -> int:
        landing = Landing()
        job = self._submission.begin(req, opcode, wq, slot, landing)
        if isinstance(job, int):
            return job
        try:
            await cpu.settle(until=landing.awaited())
            code = self._reap(job, compress=opcode == COMPRESS)
            if not code and verify and opcode == COMPRESS:
                job.release_slot()
                code = await self.verify(job)
        finally:
            job.abandon()  # nobody looks at it any more, whether it has landed or we were cancelled
        return code

    def _recovers(self, code: int) -> bool:
        """Whether software inflate follows: without patch 10 only after a bad stream (or when the device has gone)."""
        return self._bounded or code in (-EINVAL, -ENODEV, -ENXIO)

    # The asynchronous path.

    def _submit(self, req: AcompReq, opcode: Opcode, wq: WorkQueue, slot: int, landing: Landing | None) -> Code:
        job = self._submission.begin(req, opcode, wq, slot, landing)
        if isinstance(job, int):
            return self._failed(req, opcode, job)
        job.data = req.base.data
        req.base.data = job
        if landing is None:
            job.callback = self.interrupts.landed
        return -EINPROGRESS

    async def _submit_when_free(self, req: AcompReq, opcode: Opcode, wq: WorkQueue, landing: Landing | None) -> int:
        try:
            slot = await self._submission.wait_for_slot(req, wq, opcode)
        except BaseException:
            self.stats.ended(req, opcode, -ECANCELED)
            raise
        code = self._failed(req, opcode, slot) if slot < 0 else self._submit(req, opcode, wq, slot, landing)
        return code if isinstance(code, int) else await code

    def _turned_down(self, req: AcompReq, opcode: Opcode) -> Code:
        """What a disabled driver answers, and what anybody gets who asks for nothing."""
        if not self.enabled and opcode is COMPRESS:
            return self._ended(req, opcode, -ENODEV)
        if req.src is None or not req.slen or req.dst is None:
            return self._ended(req, opcode, -EINVAL)
        return self._fall_back(req, -ENODEV)

    def _failed(self, req: AcompReq, opcode: Opcode, code: int) -> Code:
        """A request that the device did not get: final, except that a decompression goes to software (patch 10)."""
        if opcode == DECOMPRESS and self._recovers(code):
            return self._fall_back(req, code)
        return self._ended(req, opcode, code)

    async def _verify_polled(self, job: Job) -> int:
        code = await self.verify(job)
        job.release_slot()
        job.req.base.data = job.data
        return self._ended(job.req, job.opcode, -EIO if code == -EAGAIN else code)

    # What both paths do.

    def _choose(self, opcode: Opcode, here: int) -> WorkQueue | None:
        return self.tables.next_for_compress(here) if opcode is COMPRESS else self.tables.next_local(here)

    def _timed_out(self, job: Job) -> None:
        """The hardware is broken: the whole driver is disabled, until all queues were removed and bound again."""
        self.enabled = False
        if trace.sink is not None:
            trace.emit("iaa.disabled", request=job.req.serial, device=job.device.name, wq=job.wq.name)

    def _reap(self, job: Job, compress: bool) -> int:
        """Read the record of a landed job and, after success, hand its output to the request."""
        record = job.record
        code = (
            0 if record is not None and record.status == SUCCESS else read_record(record, compress, self.stats.totals)
        )
        cpu.charge("iaa.reap")
        if code:
            return code
        req, opcode = job.req, job.opcode
        self.stats.moved(job.wq, opcode, len(job.output) if opcode is COMPRESS else req.slen)
        req.deliver(job.output)
        return 0

    def reap_alone(self, job: Job) -> int:
        """Like `poll` for a job that nobody polls: its code, with the result delivered."""
        return self._reap(job, compress=job.opcode == COMPRESS)

    async def verify(self, job: Job) -> int:
        """Decompress the output of `job` on the same queue, without output, and compare CRCs (kernel-facts 6.8).

        0; -EINVAL where they differ; -EAGAIN without a descriptor; else what the second job failed with.
        """
        slot = await self._submission.slot(job.req, job.wq, DECOMPRESS)
        if slot < 0:
            return slot
        landing = Landing()
        check = self._submission.begin(job.req, DECOMPRESS, job.wq, slot, landing, verifies=job.output)
        if isinstance(check, int):
            return check
        try:
            await cpu.settle(until=landing.awaited())
        finally:
            check.abandon()
        code = read_record(check.record, False, self.stats.totals)
        if code:
            return code
        assert check.record is not None and job.record is not None
        return 0 if check.record.crc == job.record.crc else -EINVAL

    def _fall_back(self, req: AcompReq, cause: int) -> Awaitable[int]:
        if trace.sink is not None:
            trace.emit("iaa.fallback", request=req.serial, cause=cause)
        return self.inflate(req)

    async def inflate(self, req: AcompReq) -> int:
        """Software inflate of `req`, counted; its code is the request's."""
        code = -EINVAL
        try:
            code = await self._software.run(req)
            self.stats.inflated(req.slen, code)
            await cpu.settle()
        finally:
            self._ended(req, DECOMPRESS, code)
        return code

    def _ended(self, req: AcompReq, opcode: Opcode, code: int) -> int:
        self.stats.ended(req, opcode, code)
        return code
