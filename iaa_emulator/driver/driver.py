"""The iaa_crypto driver: takes requests, finds each a queue and a descriptor, and tells what became of it.

`algorithm` is how acomp gets in, single requests and chains alike; `binding` holds the queues, `reaping` what becomes
of jobs that have landed. It never knows what kind of engine runs the jobs.
"""

import asyncio
from collections.abc import Sequence
from errno import EAGAIN, ECANCELED, EINPROGRESS, EINVAL, ENODEV

from acomp import CRYPTO_ACOMP_REQ_POLL, AcompReq, Code, cpu, fault, trace

from ..hardware.descriptor import COMPRESS, Opcode
from ..hardware.device import Device, WorkQueue
from ..hardware.engine import Engine
from ..hardware.job import LANDED, Job, JobBatch
from ..hardware.topology import Topology
from .attributes import Attributes, Modes
from .binding import Binding
from .features import DriverFeatures
from .in_flight import InFlight
from .inflate import SoftwareInflate
from .mapping import WqTables
from .notice import LandingNotice
from .reaping import Reaping
from .statistics import Statistics
from .submission import Submission


class Driver:
    """One loaded iaa_crypto module. `binding` is what it has of the machine; the rest is what it does with it."""

    def __init__(
        self,
        topology: Topology,
        features: DriverFeatures,
        engine: Engine,
        *,
        completion_timeout_s: float,
        alloc_pause_ns: int,
    ) -> None:
        self.features = features
        self.engine = engine
        self.attributes = Attributes(features, lambda: self.binding.enabled)
        self.stats = Statistics(lambda: self.binding.devices)
        self.binding = Binding(topology, features, self.attributes, self.stats)
        self.in_flight = InFlight(completion_timeout_s, self._timed_out)
        bounded = 10 in features
        self.submission = Submission(engine, self.in_flight, self.stats, bounded=bounded, alloc_pause_ns=alloc_pause_ns)
        software = SoftwareInflate(serialised=11 in features)
        self.reaping = Reaping(self.submission, self.stats, software, bounded=bounded)
        self.notice = LandingNotice(self.reaping)
        self._gates_on_poll = 3 in features

    @property
    def enabled(self) -> bool:
        """Whether it uses devices: from the first queue bound to the last removed, or to a job that never landed."""
        return self.binding.enabled

    @property
    def devices(self) -> Sequence[Device]:
        """Devices with a bound queue, in the order in which they were first probed."""
        return self.binding.devices

    @property
    def tables(self) -> WqTables:
        """Which queue a cpu's next job goes to."""
        return self.binding.tables

    # Single requests, which are also the operations of a chain.

    def request(self, req: AcompReq, opcode: Opcode, batch: JobBatch | None = None, here: int | None = None) -> Code:
        """One request: a final code, -EINPROGRESS, or an awaitable that ends in a final code. By turns:

        1. A disabled driver, or a request without input or output: -ENODEV, -EINVAL, or software inflate.
        2. A transform whose mode is synchronous, or (patch 3) a request without POLL: an awaitable that submits, waits
           and reads the result. No completion is called.
        3. No queue for this cpu: -ENODEV. No descriptor, if a fault decider says so: -EAGAIN.
        4. A queue whose descriptors are all taken: an awaitable that waits for one and then goes on as in 5.
        5. Submitted: -EINPROGRESS. A runner waits for the `batch` of its chain and polls; without one, the completion
           function is called when the job has landed.

        `here` is the current cpu, if the caller knows it already. Differs from the kernel: an output to be allocated
        is refused (-EINVAL; there it is freed before the return), and a disabled driver still decompresses, in
        software.
        """
        if not self.binding.enabled or req.src is None or not req.slen or req.dst is None:
            return self._turned_down(req, opcode)
        modes: Modes = req.tfm.ctx
        if not modes.async_mode or (self._gates_on_poll and not req.flags & CRYPTO_ACOMP_REQ_POLL):
            return self._run(req, opcode, modes.verify_compress)
        wq = self.choose(opcode, cpu.current_cpu() if here is None else here)
        if wq is None:
            return self._failed(req, opcode, -ENODEV)
        if fault.decider is not None and self.submission.denied():
            return self._failed(req, opcode, -EAGAIN)
        slot = wq.take()
        if slot < 0:
            return self._submit_when_free(req, opcode, wq, batch)
        return self._submit(req, opcode, wq, slot, batch)

    def poll(self, req: AcompReq) -> Code:
        """Look once whether the job of `req` has landed: -EAGAIN, or its final code (patch 4).

        What was seen is counted when its batch is, by `Reaping.count`.
        Differs from the kernel: -ETIMEDOUT when it never landed, where the kernel would poll for ever.
        """
        job = req.base.data
        if type(job) is not Job or job.state not in LANDED:
            return -EAGAIN
        code = self.reaping.read(job)
        job.batch.seen.append(job)
        if not code:
            req.deliver(job.output)
        if not code and self.attributes.verify_compress and job.opcode is COMPRESS:
            return self.reaping.verify_polled(job)
        if job.state == "landed":
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

    def choose(self, opcode: Opcode, here: int) -> WorkQueue | None:
        """The queue of the next job that a task on the cpu `here` submits; None where there is none."""
        tables = self.binding.tables
        return tables.next_for_compress(here) if opcode is COMPRESS else tables.next_local(here)

    def _turned_down(self, req: AcompReq, opcode: Opcode) -> Code:
        """What a disabled driver answers, and the answer to a request without input or output."""
        if not self.enabled and opcode is COMPRESS:
            return self.reaping.ended(req, opcode, -ENODEV)
        if req.src is None or not req.slen or req.dst is None:
            return self.reaping.ended(req, opcode, -EINVAL)
        return self.reaping.fall_back(req, -ENODEV)

    def _failed(self, req: AcompReq, opcode: Opcode, code: int) -> Code:
        """A request that the device did not get: final, except that a decompression goes to software (patch 10)."""
        if self.reaping.recovers(opcode, code):
            return self.reaping.fall_back(req, code)
        return self.reaping.ended(req, opcode, code)

    # The synchronous path.

    async def _run(self, req: AcompReq, opcode: Opcode, verify: bool) -> int:
        wq = self.choose(opcode, cpu.current_cpu())
        code: int = -ENODEV if wq is None else 0
        try:
            if wq is not None:
                slot = await self.submission.slot(req, wq, opcode)
                code = slot if slot < 0 else await self._run_on(req, opcode, wq, slot, verify)
        except BaseException:
            self.stats.ended(req, opcode, -ECANCELED)
            raise
        if self.reaping.recovers(opcode, code):
            return await self.reaping.fall_back(req, code)
        await cpu.settle()
        return self.reaping.ended(req, opcode, code)

    async def _run_on(self, req: AcompReq, opcode: Opcode, wq: WorkQueue, slot: int, verify: bool) -> int:
        batch = self.submission.batch(opcode)
        job = self.submission.begin(batch, req, wq, slot, req.source(), req.dlen)
        if isinstance(job, int):
            return job
        self.submission.account(batch)
        req.path = "hardware"
        try:
            await cpu.settle(until=batch.awaited())
            code = self.reaping.read_alone(job)
            if not code and verify and opcode == COMPRESS:
                job.release_slot()
                code = await self.reaping.verify(job)
        finally:
            job.abandon()  # nobody looks at it any more, whether it has landed or we were cancelled
        return code

    # The asynchronous path.

    def _submit(self, req: AcompReq, opcode: Opcode, wq: WorkQueue, slot: int, batch: JobBatch | None) -> Code:
        """Submit `req`. Who has the `batch` accounts for it."""
        alone = batch is None
        if batch is None:
            batch = self.submission.batch(opcode)
            batch.callback = self.notice.landed
        job = self.submission.begin(batch, req, wq, slot, req.source(), req.dlen)
        if isinstance(job, int):
            return self._failed(req, opcode, job)
        req.path = "hardware"
        job.data = req.base.data
        req.base.data = job
        if alone:
            self.submission.account(batch)
        return -EINPROGRESS

    async def _submit_when_free(self, req: AcompReq, opcode: Opcode, wq: WorkQueue, batch: JobBatch | None) -> int:
        try:
            slot = await self.submission.wait_for_slot(req, wq, opcode, batch)
        except BaseException:
            self.stats.ended(req, opcode, -ECANCELED)
            raise
        code = self._failed(req, opcode, slot) if slot < 0 else self._submit(req, opcode, wq, slot, batch)
        return code if isinstance(code, int) else await code

    # The ends.

    def _timed_out(self, job: Job) -> None:
        """The hardware is broken: the whole driver is disabled, until all queues were removed and bound again."""
        self.binding.disable()
        if trace.sink is not None:
            trace.emit("iaa.disabled", request=job.req.serial, device=job.device.name, wq=job.wq.name)

    async def drain(self) -> None:
        """Wait until nothing is under way, each job bounded by the completion timeout; cancelled, give up on all."""
        try:
            await self.in_flight.drain()
            await self.notice.drain()
        except asyncio.CancelledError:
            for job in self.in_flight:
                job.expire()
            self.notice.give_up()
            raise
        finally:
            self.in_flight.stop_watching()
