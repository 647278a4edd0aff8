"""Completion of a request that nobody waits for and nobody polls: its completion function is called when it lands.

That is `async_irq` mode, where the device tells by an interrupt, and, in `async` mode, a request outside of a chain
whose POLL bit somebody set by hand. For the latter the kernel has no caller: it expects to be polled. Here its
completion is called, so that nothing hangs.
"""

import asyncio
from errno import EDEADLK, EINVAL, EIO

from ..errors import DescriptorDeadlockError
from ..hardware.descriptor import Opcode, Status
from ..hardware.job import Job, call_out
from .reaping import Reaping


class LandingNotice:
    """Completes requests. What takes a second step (verify, software inflate) is a task, owned here."""

    def __init__(self, reaping: Reaping) -> None:
        self._reaping = reaping
        self._tasks: dict[asyncio.Task[None], None] = {}  # in order of landing, which a set would not keep

    def landed(self, job: Job) -> None:
        """The job's callback, on the loop's thread."""
        code = call_out(self._reaping.read_alone, job)
        if code is None:  # the destination was taken away
            code = -EIO
        recovers = job.opcode == Opcode.DECOMPRESS and code and _recoverable(job)
        verifies = job.opcode == Opcode.COMPRESS and not code and job.req.tfm.ctx.verify_compress
        if recovers or verifies:
            task = asyncio.get_running_loop().create_task(self._finish_later(job, bool(verifies)))
            self._tasks[task] = None
            task.add_done_callback(self._tasks.pop)
        else:
            self._complete(job, self._reaping.ended(job.req, job.opcode, code))

    async def drain(self) -> None:
        """Wait for the second steps under way; each is bounded by the completion timeout."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def give_up(self) -> None:
        """Cancel the second steps under way; their requests end with an error."""
        for task in self._tasks:
            task.cancel()

    async def _finish_later(self, job: Job, verifies: bool) -> None:
        code = -EINVAL
        try:
            if verifies:
                code = self._reaping.ended(job.req, job.opcode, await self._verify(job))
            else:
                code = await self._reaping.inflate(job.req)
        finally:
            self._complete(job, code)

    async def _verify(self, job: Job) -> int:
        try:
            return await self._reaping.verify(job)
        except DescriptorDeadlockError:
            return -EDEADLK  # nobody is there to be told by an exception

    def _complete(self, job: Job, code: int) -> None:
        job.abandon()
        req = job.req
        req.base.data = job.data
        if req.base.complete is not None:
            call_out(req.base.complete, req.base.data, -EIO if code and job.interrupt else code)


def _recoverable(job: Job) -> bool:
    """Whether software inflate follows: after an analytics error, as the interrupt handler does it in every version."""
    return job.record is not None and job.record.status == Status.ANALYTICS_ERROR
