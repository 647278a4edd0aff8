"""What a landed job was good for: its record read, its output handed over and verified, or software that steps in.

Both ways to hear of a landing, being polled and being told, end here. Knows jobs and counters, and nothing of chains.
"""

from collections.abc import Awaitable, Sequence
from errno import EAGAIN, EINVAL, EIO, ENODEV, ENXIO

from acomp import AcompReq, cpu, trace

from ..hardware.descriptor import COMPRESS, DECOMPRESS, SUCCESS, Opcode
from ..hardware.job import Job
from .completion import read_record
from .inflate import SoftwareInflate
from .statistics import Statistics
from .submission import Submission


class Reaping:
    """The ends of one driver's requests. `bounded` is patch 10: after any failure decompression goes to software.

    Without it only after a bad stream, or when the device has gone.
    """

    def __init__(self, submission: Submission, stats: Statistics, software: SoftwareInflate, *, bounded: bool) -> None:
        self._submission = submission
        self._stats = stats
        self._software = software
        self._bounded = bounded

    def read(self, job: Job, compress: bool = True) -> int:
        """The code of a landed job; after success its output is there to be handed over. `count` has to follow.

        `compress`: whether an overflow counts as one of a compression, which it always does for those who poll.
        """
        record = job.record
        if record is not None and record.status == SUCCESS:
            return 0
        return read_record(record, compress, self._stats.totals)

    def count(self, opcode: Opcode, jobs: Sequence[Job]) -> None:
        """These jobs were read: what that costs, and what they have moved."""
        cpu.charge("iaa.reap", len(jobs))
        self._stats.moved(opcode, [job for job in jobs if job.record is not None and job.record.status == SUCCESS])

    def read_alone(self, job: Job) -> int:
        """`read` and `count` for a job that nobody polls, with the output handed to its request."""
        code = self.read(job, compress=job.opcode == COMPRESS)
        self.count(job.opcode, (job,))
        if not code:
            job.req.deliver(job.output)
        return code

    async def verify(self, job: Job) -> int:
        """Decompress the output of `job` on the same queue, without output, and compare CRCs.

        0; -EINVAL where they differ; -EAGAIN without a descriptor; else what the second job failed with.
        """
        slot = await self._submission.slot(job.req, job.wq, DECOMPRESS)
        if slot < 0:
            return slot
        check = self._submission.begin_check(job, slot)
        if isinstance(check, int):
            return check
        try:
            await cpu.settle(until=check.batch.awaited())
        finally:
            check.abandon()
        code = read_record(check.record, False, self._stats.totals)
        if code:
            return code
        assert check.record is not None and job.record is not None
        return 0 if check.record.crc == job.record.crc else -EINVAL

    async def verify_polled(self, job: Job) -> int:
        """The second step of a poll that found a compressed page: its final code.

        Differs from the kernel: without a descriptor it is -EIO, since -EAGAIN would read as "not finished".
        """
        code = await self.verify(job)
        job.release_slot()
        job.req.base.data = job.data
        return self.ended(job.req, job.opcode, -EIO if code == -EAGAIN else code)

    def recovers(self, opcode: Opcode, code: int) -> bool:
        """Whether a request that failed with `code` goes to software."""
        return bool(code) and opcode == DECOMPRESS and (self._bounded or code in (-EINVAL, -ENODEV, -ENXIO))

    def fall_back(self, req: AcompReq, cause: int) -> Awaitable[int]:
        """Software decompresses what the device did not, with `cause` as the reason in the trace."""
        if trace.sink is not None:
            trace.emit("iaa.fallback", request=req.serial, cause=cause)
        return self.inflate(req)

    async def inflate(self, req: AcompReq) -> int:
        """Software inflate of `req`, counted; its code is the request's."""
        code = -EINVAL
        try:
            code = await self._software.run(req)
            self._stats.inflated(req.slen, code)
            await cpu.settle()
        finally:
            self.ended(req, DECOMPRESS, code)
        return code

    def ended(self, req: AcompReq, opcode: Opcode, code: int) -> int:
        """A request has ended with `code`: count it, and return the code."""
        self._stats.ended(req, opcode, code)
        return code
