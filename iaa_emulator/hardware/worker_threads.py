"""Engines on worker threads, in real time: they truly compress, and the codecs release the interpreter lock.

The engines of a group are a lane of `acomp.threads.workers`: as many runs of its jobs may be under way as it has
compress engines. A worker takes whole chains when several wait and a share of one that is alone, and lands its run in
one loop callback: a thread's round trip costs more than a page. Accounting is as if jobs went one by one.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from contextvars import Context
from errno import EBUSY

from acomp import PAGE_SIZE, trace
from acomp.threads.lanes import Batch, Lane, Perform
from acomp.threads.workers import NoWorkersError, Workers

from ..errors import ConfigurationError
from .descriptor import DECOMPRESS, CompletionRecord, ErrorCode, Status
from .device import Device, Group
from .job import Job, call_out, land
from .silicon import Outcome, perform

MAX_RUN = 64
"""Most jobs that a worker takes at once: the chains of eight tasks.

The codec releases the interpreter lock twice per page. While the loop is busy, each time is a fight for it that costs
more than the page; with runs this long the loop has little to do meanwhile, and they take turns.
A device whose engines find every worker at such a run waits for one of them to end it.
"""
STOP_TIMEOUT_S = 1.0
"""How long stopping waits at most for threads that have nothing to do."""
INLINE_BYTES = 8 * PAGE_SIZE
"""Output up to which decompressions that were submitted together run on the loop's thread (docs/benchmarks.md)."""
LOOP_RUN = 8
"""Jobs that the loop's thread does at a turn where there are no workers; some 0.1 ms of compression."""


_BROKEN = Outcome(CompletionRecord(Status.ANALYTICS_ERROR, ErrorCode.BAD_STREAM), b"")
"""What a job ends in whose codec raised something unforeseen."""

_Result = tuple[float | None, Outcome | Exception]
"""When a job began (loop time, if somebody watched), and what it ended in."""


class WorkerThreads:
    """The engine of real time. `workers` is at most the number of engines; default: the cores this process may use.

    With 0 the loop's own thread does the jobs, some at a turn. That is faster where nothing else keeps the loop busy,
    for the codec is so fast that threads cost more than they gain (docs/benchmarks.md).
    A page decompresses faster than a thread wakes up, so a few pages are always decompressed on the loop's thread. It
    serves one platform at a time: ConfigurationError EBUSY from a second one. TypeError and ValueError for `workers`
    that is no number from 0 on.
    When a worker dies, the loop's exception handler is called, and the jobs that it had end at once as if they had
    timed out. When no worker is left, all jobs do.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and type(workers) is not int:
            raise TypeError(f"workers is an int or None, not {type(workers).__name__}")
        if workers is not None and workers < 0:
            raise ValueError(f"workers must be at least 0, not {workers}; None takes the cores that there are")
        self._wanted = _usable_cores() if workers is None else workers
        self._workers: Workers | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lanes: dict[Group, Lane] = {}
        self._submitted: defaultdict[Group, list[Job]] = defaultdict(list)
        self._work_here: Perform | None = None

    def __repr__(self) -> str:
        return (
            f"<WorkerThreads, not started: {self._wanted}>"
            if self._workers is None
            else f"<WorkerThreads: {self._workers}>"
        )

    def start(self, devices: Sequence[Device]) -> None:
        """Start the workers: `workers` of them, or one per compress engine if there are fewer engines."""
        if self._workers is not None:
            raise ConfigurationError(
                EBUSY, "these worker threads serve a platform already", "Make another WorkerThreads() for this one."
            )
        self._loop = asyncio.get_running_loop()
        groups = {wq.group: None for device in devices for wq in device.work_queues}
        self._work_here = self._engine()
        self._lanes = {group: Lane(self._engine, group.compress_engines) for group in groups}
        count = min(self._wanted, sum(group.compress_engines for group in groups) or 1)
        loop_run = 0 if count else LOOP_RUN
        self._workers = Workers([*self._lanes.values()], count, MAX_RUN, "iaa-engine", loop_run)

    def submit(self, job: Job) -> None:
        """Queue a job; the workers hear of everything submitted in one pass of the loop at once."""
        if not self._submitted:
            assert self._loop is not None
            self._loop.call_soon(self._ring, context=Context())  # nobody's, as on a thread
        self._submitted[job.wq.group].append(job)

    def stop(self) -> None:
        """Tell the workers to end and wait for the idle ones; the loop's exception handler is told of the others."""
        workers, self._workers = self._workers, None
        if workers is None:
            return
        stuck = workers.stop(0.0 if workers.running else STOP_TIMEOUT_S)
        if stuck:
            assert self._loop is not None
            message = f"{', '.join(stuck)} did not end with the platform: look for a codec that hangs"
            self._loop.call_exception_handler({"message": message})

    def _ring(self) -> None:
        submitted, self._submitted = self._submitted, defaultdict(list)
        assert self._workers is not None and self._work_here is not None
        batches = []
        for group, jobs in submitted.items():
            run = _Run(jobs)
            if run.is_small:
                run.landed(0, self._work_here(jobs))
            else:
                batches.append(Batch(self._lanes[group], jobs, run.landed, run.failed))
        try:
            self._workers.submit(*batches)
        except NoWorkersError:
            for batch in batches:
                batch.failed(0, len(batch.items))

    def _engine(self) -> Perform:
        """For one worker's thread: run jobs; when each began, if somebody watches, and what it ended in."""
        assert self._loop is not None
        now = self._loop.time

        def work(jobs: list[Job]) -> list[_Result]:
            return [(None if trace.sink is None else now(), _performed(job)) for job in jobs]

        return work


class _Run:
    """Jobs of one group that were submitted together."""

    __slots__ = ("_jobs",)

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs = jobs

    @property
    def is_small(self) -> bool:
        """Whether a worker would take longer to hear of them than to do them."""
        return (
            all(job.opcode is DECOMPRESS for job in self._jobs) and sum(job.limit for job in self._jobs) <= INLINE_BYTES
        )

    def landed(self, first: int, results: "list[_Result]") -> None:
        """Land the jobs from `first` on. What a codec raised is an error of the device; the loop's handler hears."""
        jobs = self._jobs[first : first + len(results)]
        outcomes = []
        for job, (began_s, outcome) in zip(jobs, results, strict=True):
            if began_s is not None and trace.sink is not None:
                call_out(trace.sink, trace.Event(round(began_s * 1e9), "iaa.start", job.names))
            if type(outcome) is not Outcome:
                context = {"message": f"{job!r}: the codec failed", "exception": outcome}
                asyncio.get_running_loop().call_exception_handler(context)
                outcome = _BROKEN
            outcomes.append(outcome)
        land(jobs, outcomes)

    def failed(self, first: int, count: int) -> None:
        """Nobody will run these."""
        for job in self._jobs[first : first + count]:
            job.expire()


def _performed(job: Job) -> Outcome | Exception:
    source = job.source  # held here, for a job that expires meanwhile lets go of it
    if source is None:
        return _BROKEN  # it has expired: nobody looks at this
    try:
        return perform(job.opcode, source, job.limit, job.operation_flags)
    except Exception as error:
        return error


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
