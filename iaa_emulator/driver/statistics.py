"""Counters under the kernel's names, and beside them a book of our own that balances (I14 of docs/invariants.md).

The driver bumps them; `Statistics` is what a platform shows: as an object and as the debugfs text.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

from acomp import AcompReq

from ..hardware.descriptor import COMPRESS, Opcode
from ..hardware.device import Device, WorkQueue
from ..hardware.job import Job
from ..hardware.queue_stats import QueueStats


@dataclass(slots=True)
class GlobalStats:
    """The file `global_stats`. Counters survive the removal of queues and devices."""

    total_comp_calls: int = 0
    total_decomp_calls: int = 0
    total_sw_decomp_calls: int = 0
    total_comp_bytes_out: int = 0
    total_decomp_bytes_in: int = 0
    total_completion_einval_errors: int = 0
    total_completion_timeout_errors: int = 0
    total_completion_comp_buf_overflow_errors: int = 0


@dataclass(slots=True)
class PathCounts:
    """How the requests of one direction ended. Their sum is the number of requests that the driver was given."""

    requests: int = 0
    hardware: int = 0
    software: int = 0
    failed: int = 0


@dataclass(slots=True)
class Book:
    """What the kernel does not keep: requests by the way they took, and the counters of queues that are gone."""

    compress: PathCounts = field(default_factory=PathCounts)
    decompress: PathCounts = field(default_factory=PathCounts)
    retired: QueueStats = field(default_factory=QueueStats)


@dataclass(frozen=True, slots=True)
class DeviceStats:
    """One device's part of `wq_stats`: its number, its counters, and those of its queues by name ("wq1.0")."""

    id: int
    counters: QueueStats
    queues: list[tuple[str, QueueStats]]

    def __str__(self) -> str:
        head = f"iaa device:\n  id: {self.id}\n  n_wqs: {len(self.queues)}\n{_lines(self.counters, '  ')}  wqs:\n"
        return head + "".join(f"    name: {name}\n{_lines(stats, '    ')}\n" for name, stats in self.queues)


class Statistics:
    """All counters of one driver: `totals` is the kernel's `global_stats`, `book` is ours; queues carry their own.

    `devices()`: those that the driver has now.
    """

    def __init__(self, devices: Callable[[], Sequence[Device]]) -> None:
        self._devices = devices
        self.totals = GlobalStats()
        self.book = Book()

    def called(self, opcode: Opcode, jobs: Sequence[Job]) -> None:
        """Jobs were submitted, whatever becomes of them; verify jobs are not counted."""
        if opcode is COMPRESS:
            self.totals.total_comp_calls += len(jobs)
            for job in jobs:
                wq = job.wq
                wq.stats.comp_calls += 1
                wq.device.stats.comp_calls += 1
        else:
            self.totals.total_decomp_calls += len(jobs)
            for job in jobs:
                wq = job.wq
                wq.stats.decomp_calls += 1
                wq.device.stats.decomp_calls += 1

    def moved(self, opcode: Opcode, jobs: Iterable[Job]) -> None:
        """Jobs succeeded; counted before they are verified. Bytes are compressed ones."""
        total = 0
        if opcode is COMPRESS:
            for job in jobs:
                total += (size := len(job.output))
                wq = job.wq
                wq.stats.comp_bytes += size
                wq.device.stats.comp_bytes += size
            self.totals.total_comp_bytes_out += total
        else:
            for job in jobs:
                total += (size := job.req.slen)
                wq = job.wq
                wq.stats.decomp_bytes += size
                wq.device.stats.decomp_bytes += size
            self.totals.total_decomp_bytes_in += total

    def inflated(self, compressed_bytes: int, code: int) -> None:
        """Software inflate did the work of a device; each counts, bytes only after success, and for no queue."""
        self.totals.total_sw_decomp_calls += 1
        if not code:
            self.totals.total_decomp_bytes_in += compressed_bytes

    def ended(self, req: AcompReq, opcode: Opcode, code: int) -> None:
        """A request has ended with `code`, for our own book."""
        counts = self.book.compress if opcode is COMPRESS else self.book.decompress
        counts.requests += 1
        if code:
            counts.failed += 1
        elif req.path == "hardware":
            counts.hardware += 1
        else:
            counts.software += 1

    def ended_on_device(self, opcode: Opcode, requests: int, failed: int) -> None:
        """So many requests, or units, have ended with what the device said; some of them have failed."""
        counts = self.book.compress if opcode is COMPRESS else self.book.decompress
        counts.requests += requests
        counts.failed += failed
        counts.hardware += requests - failed

    def retire(self, wq: WorkQueue) -> None:
        """The queue is removed: the kernel discards its counters. What is still in flight is counted in our own."""
        self.book.retired.add(wq.stats)
        wq.stats = self.book.retired

    def wq_stats(self) -> "list[DeviceStats]":
        """What `wq_stats` shows: the devices that the driver has, with their queues.

        Differs from the kernel: a queue goes by its own name (wq1.0), since configured names need not be unique.
        """
        return [
            DeviceStats(device.id, replace(device.stats), [(wq.name, replace(wq.stats)) for wq in device.bound_queues])
            for device in self._devices()
        ]

    def debugfs(self, file: str) -> str:
        """The text of the debugfs file `global_stats` or `wq_stats`; KeyError for another."""
        if file == "global_stats":
            return "global stats:\n" + _lines(self.totals, "  ")
        if file == "wq_stats":
            return "".join(str(device) for device in self.wq_stats())
        raise KeyError(file)

    def reset(self) -> None:
        """Zero everything: what a write to `stats_reset` does, and our own book with it."""
        for counters in (self.totals, self.book.compress, self.book.decompress, self.book.retired):
            _zero(counters)
        for device in self._devices():
            _zero(device.stats)
            for wq in device.bound_queues:
                _zero(wq.stats)


Counters = GlobalStats | QueueStats | PathCounts


def _zero(counters: Counters) -> None:
    for name in asdict(counters):
        setattr(counters, name, 0)


def _lines(stats: Counters, indent: str) -> str:
    return "".join(f"{indent}{name}: {value}\n" for name, value in asdict(stats).items())
