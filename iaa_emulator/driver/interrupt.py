"""Completion of a request that nobody waits for and nobody polls: its completion function is called when it lands.

That is `async_irq` mode (kernel-facts 6.10) and, in `async` mode, a request outside of a chain whose POLL bit somebody
set by hand. For the latter the kernel has no caller: it expects to be polled. Here its completion is called, so that
nothing hangs.
"""

import asyncio
from errno import EDEADLK, EINVAL, EIO
from typing import TYPE_CHECKING

from ..errors import DescriptorDeadlockError
from ..hardware.descriptor import Opcode, Status
from ..hardware.job import Job, call_out

if TYPE_CHECKING:
    from .driver import Driver


class InterruptHandler:
    """Completes requests. What takes a second step (verify, software inflate) is a task, owned here."""

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver
        self._tasks: set[asyncio.Task[None]] = set()

    def landed(self, job: Job) -> None:
        """The job's callback, on the loop's thread."""
        driver = self._driver
        code = call_out(driver.reap_alone, job)
        if code is None:  # the destination was taken away
            code = -EIO
        recovers = job.opcode == Opcode.DECOMPRESS and code and _recoverable(job)
        verifies = job.opcode == Opcode.COMPRESS and not code and job.req.tfm.ctx.verify_compress
        if recovers or verifies:
            task = asyncio.get_running_loop().create_task(self._finish_later(job, bool(verifies)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            driver.stats.ended(job.req, job.opcode, code)
            self._complete(job, code)

    async def drain(self) -> None:
        """Wait for the second steps under way; each is bounded by the completion timeout."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def give_up(self) -> None:
        """Cancel the second steps under way; their requests end with an error."""
        for task in self._tasks:
            task.cancel()

    async def _finish_later(self, job: Job, verifies: bool) -> None:
        driver, code = self._driver, -EINVAL
        try:
            if verifies:
                code = await self._verify(job)
                driver.stats.ended(job.req, job.opcode, code)
            else:
                code = await driver.inflate(job.req)
        finally:
            self._complete(job, code)

    async def _verify(self, job: Job) -> int:
        try:
            return await self._driver.verify(job)
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
