"""What runs the jobs: one small interface, three implementations.

Worker threads in real time (`worker_threads`), jobs that land when a test says so (`testing`), and modelled times on a
virtual loop (a laboratory's). The driver submits and never asks again; nothing but the engine knows which
world it is in.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .device import Device
from .job import Job


@runtime_checkable
class Engine(Protocol):
    """The engines of all devices of one platform. Every method is called on the loop's thread."""

    def start(self, devices: Sequence[Device]) -> None:
        """Take over these devices' queues; called once, inside the running loop, before the first `submit`."""

    def submit(self, job: Job) -> None:
        """Take over a job that `job.wq` of `job.wq.device` has accepted.

        The engine calls `job.land(record, output)` later, exactly once, on the loop's thread and never from inside
        `submit`; `silicon.perform` makes both from `job.opcode`, `job.source`, `job.limit` and `job.operation_flags`.
        An engine that models time takes the arrival at the queue as `job.submitted_ns` plus its own latency. A job that
        was expired meanwhile ignores its landing. `land(jobs, endings)` of `job.py` takes fewer steps for several.
        """

    def stop(self) -> None:
        """Stop, since the platform closes and nobody waits for a job. Must not block for longer than a page's work."""
