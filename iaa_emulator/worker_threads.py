"""Engines on worker threads, in real time: they truly compress, and the codecs release the interpreter lock.

An engine of a group is a permission for a worker to run jobs of that group's queues. A worker takes a *run* of queued
jobs at once, a whole chain when other chains wait and a share of it when it is alone, and lands the run in one loop
callback: a thread's round trip costs more than a page. Queue order and accounting are as if jobs went one by one.
"""

import asyncio
import itertools
import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from acomp import trace

from .device import Device, Group
from .job import Job
from .silicon import Outcome, perform


class _Work(NamedTuple):
    """A job, its place in the order of submissions, and its source while it still has one (an expired job has none)."""

    serial: int
    job: Job
    source: object


_Done = tuple[Job, float, Outcome]
"""A job, the loop time at which a worker began it, and what it ended in."""

MAX_RUN = 8
"""Most jobs that a worker takes at once: a chain."""


class WorkerThreads:
    """The engine of real time. `workers` is at most the number of engines; default: the cores this process may use."""

    def __init__(self, workers: int | None = None) -> None:
        self._wanted = workers or _usable_cores()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._submitted: list[_Work] = []
        self._serials = itertools.count()
        # Shared with the workers, under the condition's lock.
        self._condition = threading.Condition()
        self._queues: dict[Group, deque[_Work]] = {}
        self._permissions: dict[Group, int] = {}
        self._queued = 0
        self._share = MAX_RUN
        self._idle = 0
        self._stopping = False

    def __repr__(self) -> str:
        return f"<WorkerThreads: {len(self._threads)} workers, {self._idle} idle, {self._queued} jobs queued>"

    def start(self, devices: Sequence[Device]) -> None:
        """Start the workers: one per compress engine, as far as there are cores."""
        self._loop = asyncio.get_running_loop()
        for group in {wq.group: None for device in devices for wq in device.work_queues}:
            self._queues[group] = deque()
            self._permissions[group] = group.compress_engines
        count = min(self._wanted, sum(self._permissions.values())) or 1
        self._threads = [threading.Thread(target=self._work, name=f"iaa-engine-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; the workers hear of everything submitted in one pass of the loop at once."""
        if not self._submitted:
            assert self._loop is not None
            self._loop.call_soon(self._ring)
        self._submitted.append(_Work(next(self._serials), job, job.source))

    def stop(self) -> None:
        """Tell the workers to end when they have finished what they are at, and wait for that."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _ring(self) -> None:
        works, self._submitted = self._submitted, []
        with self._condition:
            for work in works:
                self._queues[work.job.wq.group].append(work)
            self._queued += len(works)
            # Decided here, once: a worker that is slow to wake up must not make the others take ever smaller shares.
            self._share = min(MAX_RUN, -(-self._queued // max(self._idle, 1)))
            self._condition.notify(min(self._idle, len(works)))

    def _work(self) -> None:
        assert self._loop is not None
        while True:
            with self._condition:
                run = self._take()
            if not run:
                return
            outcomes = [self._perform(work.job, work.source) for work in run]
            with self._condition:
                for group in {work.job.wq.group for work in run}:
                    self._permissions[group] += 1
                if self._queued:
                    self._condition.notify()
            run.clear()  # no buffer is kept while this thread waits for more
            self._loop.call_soon_threadsafe(_land, outcomes)

    def _perform(self, job: Job, source: object) -> "_Done":
        assert self._loop is not None
        return job, self._loop.time(), perform(job.opcode, source, job.limit, job.operation_flags)

    def _take(self) -> list[_Work]:
        """The next run, waited for with the lock held; empty when the engine stops."""
        self._idle += 1
        try:
            while not self._stopping:
                run = self._next_run()
                if run:
                    return run
                self._condition.wait()
        finally:
            self._idle -= 1
        return []

    def _next_run(self) -> list[_Work]:
        """A share of what is queued, beginning with the group whose first job has waited longest."""
        run: list[_Work] = []
        ready = [queue for group, queue in self._queues.items() if queue and self._permissions[group]]
        for queue in sorted(ready, key=lambda queue: queue[0].serial):
            if len(run) == self._share:
                break
            self._permissions[queue[0].job.wq.group] -= 1
            while queue and len(run) < self._share:
                run.append(queue.popleft())
                self._queued -= 1
        return run


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _land(outcomes: list[_Done]) -> None:
    for job, started, outcome in outcomes:
        if trace.sink is not None:
            fields = {"request": job.req.serial, "device": job.device.name, "wq": job.wq.name}
            trace.sink(trace.Event(round(started * 1e9), "iaa.start", fields))
        job.land(*outcome)
