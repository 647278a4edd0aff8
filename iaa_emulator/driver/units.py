"""Units on the device: a unit request (v14) or an array call (v9) as one batch of jobs, a descriptor for each unit.

All are submitted before the first is looked at, whatever `sync_mode` says. The driver returns when all have landed; one
that fails disturbs no other.
"""

from collections.abc import Iterable, Sequence
from errno import EAGAIN, ECANCELED, EINVAL, EIO, ENODEV
from itertools import repeat
from typing import cast

from acomp import AcompReq, Units, cpu, fault

from ..hardware.descriptor import COMPRESS, Opcode
from ..hardware.device import WorkQueue
from ..hardware.job import Job, JobBatch
from .driver import Driver


class UnitBatch:
    """The units of one call. `owners` are the requests of its units; `numbered` are those that have one together.

    `as_posted` (v9): what cannot be submitted is -EINVAL, whatever the reason, and so is what software did instead.
    """

    def __init__(
        self, driver: Driver, opcode: Opcode, owners: Iterable[AcompReq], *, numbered: bool, as_posted: bool
    ) -> None:
        self._driver = driver
        self._opcode = opcode
        self._owners = owners
        self._numbered = numbered
        self._as_posted = as_posted
        self._first = 0  # the number of the first unit of this round
        self._open: dict[int, Job] = {}
        """By number of the unit: jobs that were submitted and whose outcome was not told."""

    async def perform(self, units: Units) -> int:
        """Submit all, wait, and read what became of each. (A `UnitOperation`.)"""
        driver, opcode = self._driver, self._opcode
        if not driver.enabled and opcode is COMPRESS:
            for _, owner in zip(units.sources, self._owners, strict=False):
                driver.reaping.ended(owner, opcode, -ENODEV)
            return -ENODEV
        outcomes: list[bytes | int] = [0] * len(units)
        self._open.clear()
        await self._submit_all(units, outcomes)
        failed = 0
        if len(self._open) < len(units):
            failed = sum(type(outcome) is int and outcome < 0 for outcome in outcomes)
        if failed == len(units) and len(set(outcomes)) == 1 and not self._as_posted:
            return int(outcomes[0])  # nothing was begun
        await self._read_all(outcomes)
        await cpu.settle()
        units.outcomes = outcomes
        self._first += len(units)
        if not driver.features.unit_poll_errors and len(units) > 1:
            units.unreported = sum(type(outcome) is int for outcome in outcomes) - failed
        return 0

    async def _submit_all(self, units: Units, outcomes: list[bytes | int]) -> None:
        """Submit every unit, and wait until all have landed."""
        submission = self._driver.submission
        batch = submission.batch(self._opcode)
        try:
            await self._begin_all(batch, units, outcomes)
        finally:
            submission.account(batch)
        await cpu.settle(until=batch.awaited())

    async def _begin_all(self, batch: JobBatch, units: Units, outcomes: list[bytes | int]) -> None:
        """A job for every unit, in order; the outcome of those that cannot have one is known at once."""
        driver, opcode, here = self._driver, self._opcode, cpu.current_cpu()
        submission, takes_new = driver.submission, driver.enabled
        rows = zip(units.sources, units.capacities, self._owners, strict=False)
        for number, (source, capacity, owner) in enumerate(rows):
            wq = driver.choose(opcode, here) if takes_new else None
            job: Job | int
            if not len(source):
                job = -EINVAL
            elif wq is None:
                job = -ENODEV
            elif fault.decider is not None and submission.denied():
                job = -EAGAIN
            elif (slot := wq.take()) >= 0 or (slot := await self._slot(owner, wq, batch)) >= 0:
                unit = self._first + number if self._numbered else None
                job = submission.begin(batch, owner, wq, slot, source, capacity, unit)
            else:
                job = slot
            if type(job) is Job:
                owner.path = units.paths[number]
                self._open[number] = job
            else:
                submission.account(batch)  # this one may go to software
                outcomes[number] = await self._not_submitted(owner, units, number, cast("int", job))

    async def _slot(self, owner: AcompReq, wq: WorkQueue, batch: JobBatch) -> int:
        try:
            return await self._driver.submission.wait_for_slot(owner, wq, self._opcode, batch)
        except BaseException:
            self._driver.reaping.ended(owner, self._opcode, -ECANCELED)
            raise

    async def _not_submitted(self, owner: AcompReq, units: Units, number: int, code: int) -> bytes | int:
        """A unit that the device did not get: a decompression goes to software (patch 10). Without a descriptor:
        -ENODEV.

        (v14 says so; -EAGAIN means "pending" there.)
        """
        reaping = self._driver.reaping
        code = -ENODEV if code == -EAGAIN else code
        if not reaping.recovers(self._opcode, code):
            reaping.ended(owner, self._opcode, code)
            return -EINVAL if self._as_posted else code
        code = await reaping.fall_back(owner, code)
        units.paths[number] = owner.path
        if self._as_posted:
            return -EINVAL
        return code or owner.output or b""

    async def _read_all(self, outcomes: list[bytes | int]) -> None:
        """One look at each job that was submitted, in order: all have landed."""
        reaping, opcode = self._driver.reaping, self._opcode
        jobs = [*self._open.values()]
        codes = [*map(reaping.read, jobs)]
        reaping.count(opcode, jobs)
        if self._driver.attributes.verify_compress and opcode is COMPRESS:
            codes = [code or await self._verify(job) for job, code in zip(jobs, codes, strict=True)]
        for number, job, code in zip(self._open, jobs, codes, strict=True):
            if job.state == "landed":
                job.release_slot()
            outcomes[number] = code or job.output
        self._open.clear()
        self._driver.stats.ended_on_device(opcode, len(codes), len(codes) - codes.count(0))

    async def _verify(self, job: Job) -> int:
        """Whether a page can be had back. Without a descriptor: -EIO, for -EAGAIN means "pending"."""
        code = await self._driver.reaping.verify(job)
        job.release_slot()
        return -EIO if code == -EAGAIN else code

    def abandon(self, req: AcompReq) -> None:
        """The call was cancelled: the jobs of `req` keep descriptors and buffers until they have landed."""
        for number, job in list(self._open.items()):
            if job.req is req:
                del self._open[number]
                job.abandon()
                self._driver.reaping.ended(req, self._opcode, -ECANCELED)


def units_of_request(driver: Driver, req: AcompReq, opcode: Opcode) -> UnitBatch:
    """The units of a unit request."""
    return UnitBatch(driver, opcode, repeat(req), numbered=True, as_posted=False)


def units_of_array(driver: Driver, reqs: Sequence[AcompReq], opcode: Opcode) -> UnitBatch:
    """The units of an array call, each with its request."""
    as_posted = driver.features.array_errors == "v9"
    return UnitBatch(driver, opcode, reqs, numbered=False, as_posted=as_posted)
