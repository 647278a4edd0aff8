"""An engine around another one, whose jobs are lost, late, landed twice, or land with other bytes than they should.

The engine within does the work; it is given stand-ins for the jobs, and what it makes of them comes back here.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from iaa_emulator.hardware import silicon
from iaa_emulator.hardware.descriptor import COMPRESS, SUCCESS, CompletionRecord, ErrorCode, Status
from iaa_emulator.hardware.device import Device
from iaa_emulator.hardware.engine import Engine
from iaa_emulator.hardware.job import Ending, Job, JobBatch

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """With which probability a job is disturbed, and how.

    `lost`: it never lands. `late`: it lands up to `late_ns` later, and so out of order. `twice`: it lands once more,
    that much later. `corrupted`: a compression succeeds with the stream of another page. `overflow`: its output had no
    room, whatever the length.
    """

    lost: float = 0.0
    late: float = 0.0
    late_ns: int = 100_000
    twice: float = 0.0
    corrupted: float = 0.0
    overflow: float = 0.0


CALM: Final = Disturbance()
"""Nothing is disturbed."""


class DisturbedEngine:
    """`engine` with a disturbance, drawn from `random` for each job in order of submission. It needs a virtual loop.

    `strike(what)` is asked last, whether it strikes. `struck` counts what has, by name, and "out of order", jobs that
    landed before an earlier one of their batch.
    """

    def __init__(
        self,
        engine: Engine,
        disturbance: Disturbance | None = None,
        random: Random | None = None,
        strike: Callable[[str], bool] = lambda what: True,
    ) -> None:
        self.engine = engine
        self.disturbance = CALM if disturbance is None or disturbance == CALM else disturbance
        self.struck: Counter[str] = Counter()
        self._random = random or Random(0)
        self._strike = strike
        self._timers: set[asyncio.TimerHandle] = set()

    def start(self, devices: Sequence[Device]) -> None:
        """See `Engine.start`."""
        self.engine.start(devices)

    def submit(self, job: Job) -> None:
        """See `Engine.submit`. What becomes of the job is decided here, unless nothing is to be disturbed."""
        if self.disturbance is CALM:
            self.engine.submit(job)
        elif not self._strikes("lost", self.disturbance.lost):
            self.engine.submit(_StandIn(job, self))

    def stop(self) -> None:
        """See `Engine.stop`. What was to land later does not."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.engine.stop()

    def landed(self, job: Job, record: CompletionRecord, output: bytes) -> None:
        """The engine within is through with a job: spoil what comes of it, and land it now, later, or twice."""
        disturbance = self.disturbance
        if job.landed:  # it was given up meanwhile
            self._land(job, record, output)
            return
        if job.opcode == COMPRESS and record.status == SUCCESS and self._strikes("corrupted", disturbance.corrupted):
            output = _of_another_page(job.source, job.limit) or output
        if self._strikes("overflow", disturbance.overflow):
            record, output = _overflow(job), b""
        if self._strikes("late", disturbance.late):
            self._later(job, record, output)
        else:
            self._land(job, record, output)
        if self._strikes("twice", disturbance.twice):
            self._later(job, record, output)

    def _land(self, job: Job, record: CompletionRecord, output: bytes) -> None:
        jobs = job.batch.jobs
        if not job.landed and next(iter(jobs)) is not job:
            self.struck["out of order"] += 1
        job.land(record, output)

    def _later(self, job: Job, record: CompletionRecord, output: bytes) -> None:
        loop = asyncio.get_running_loop()

        def land() -> None:
            self._timers.discard(timer)
            self._land(job, record, output)

        timer = loop.call_later(self._random.randrange(1, self.disturbance.late_ns + 1) / NS_PER_S, land)
        self._timers.add(timer)

    def _strikes(self, what: str, probability: float) -> bool:
        if not probability or self._random.random() >= probability or not self._strike(f"a job is {what}"):
            return False
        self.struck[what] += 1
        return True


class _StandIn(Job):
    """What the engine within sees of a job: its work. It is in a batch of its own, for it lands on its own."""

    __slots__ = ("_by", "_of")

    def __init__(self, job: Job, by: DisturbedEngine) -> None:
        batch = JobBatch(job.opcode, ended=self._ended)
        batch.operation_flags = job.operation_flags
        super().__init__(batch, job.req, job.wq, job.slot, job.source, job.limit, job.unit)
        self.submitted_ns = job.submitted_ns
        self._of = job
        self._by = by

    @property
    def landed(self) -> bool:
        """Whether the job itself has ended: it may have been given up."""
        return self._of.landed

    def _ended(self, _batch: JobBatch, _jobs: Sequence[Job], endings: Sequence[Ending]) -> None:
        """Tell the engine around."""
        for record, output in endings:
            assert record is not None, "nobody gives up on a stand-in"
            self._by.landed(self._of, record, output)


def _of_another_page(source: Any, limit: int) -> bytes:
    """The stream of the page with one bit turned."""
    plain = bytearray(source)
    plain[0] ^= 1
    return silicon.perform(COMPRESS, plain, limit).output


def _overflow(job: Job) -> CompletionRecord:
    if job.opcode == COMPRESS:
        return CompletionRecord(Status.ANALYTICS_ERROR, ErrorCode.COMPRESS_OVERFLOW)
    return CompletionRecord(Status.OUTPUT_OVERFLOW)
