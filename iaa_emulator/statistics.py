"""Counters under the kernel's names, and beside them a book of our own that balances (invariant I14).

The driver bumps them; `Statistics` is what a platform shows: as an object and as the debugfs text.
Source: kernel-facts 6.11, kernel-facts-2 A1, C9 and C11.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from acomp import AcompReq

from .descriptor import Opcode

if TYPE_CHECKING:
    from .device import Device
    from .work_queue import WorkQueue


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
class QueueStats:
    """Counters of one work queue, or of one device: the sums over its queues, kept separately as the kernel does.

    Calls are successful submissions, bytes are compressed bytes: out of a compression, into a decompression.
    """

    comp_calls: int = 0
    comp_bytes: int = 0
    decomp_calls: int = 0
    decomp_bytes: int = 0

    def add(self, other: "QueueStats") -> None:
        """Add another's counters to these."""
        for counter in fields(self):
            setattr(self, counter.name, getattr(self, counter.name) + getattr(other, counter.name))


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


class Statistics:
    """All counters of one driver: `totals` (global), `book` (ours); those of queues and devices are on these."""

    def __init__(self) -> None:
        self.totals = GlobalStats()
        self.book = Book()

    def called(self, wq: "WorkQueue", opcode: Opcode) -> None:
        """A job was submitted, whatever becomes of it; verify jobs are not counted."""
        if opcode == Opcode.COMPRESS:
            self.totals.total_comp_calls += 1
            wq.stats.comp_calls += 1
            wq.device.stats.comp_calls += 1
        else:
            self.totals.total_decomp_calls += 1
            wq.stats.decomp_calls += 1
            wq.device.stats.decomp_calls += 1

    def moved(self, wq: "WorkQueue", opcode: Opcode, compressed_bytes: int) -> None:
        """A job succeeded; counted before it is verified."""
        if opcode == Opcode.COMPRESS:
            self.totals.total_comp_bytes_out += compressed_bytes
            wq.stats.comp_bytes += compressed_bytes
            wq.device.stats.comp_bytes += compressed_bytes
        else:
            self.totals.total_decomp_bytes_in += compressed_bytes
            wq.stats.decomp_bytes += compressed_bytes
            wq.device.stats.decomp_bytes += compressed_bytes

    def inflated(self, compressed_bytes: int, code: int) -> None:
        """Software inflate did the work of a device; each counts, bytes only after success, and for no queue."""
        self.totals.total_sw_decomp_calls += 1
        if not code:
            self.totals.total_decomp_bytes_in += compressed_bytes

    def ended(self, req: AcompReq, opcode: Opcode, code: int) -> None:
        """A request has ended with `code`, for our own book."""
        counts = self.book.compress if opcode == Opcode.COMPRESS else self.book.decompress
        counts.requests += 1
        if code:
            counts.failed += 1
        elif req.path == "hardware":
            counts.hardware += 1
        else:
            counts.software += 1

    def reset(self, devices: "list[Device]") -> None:
        """Zero everything: the kernel's `stats_reset`, and our book. `devices`: those that the driver has."""
        self.totals, self.book = GlobalStats(), Book()
        for device in devices:
            device.stats = QueueStats()
            for wq in device.bound_queues:
                wq.stats = QueueStats()


def debugfs_global(stats: GlobalStats) -> str:
    """The text of `global_stats`."""
    lines = [f"  {name}: {value}" for name, value in asdict(stats).items()]
    return "global stats:\n" + "\n".join(lines) + "\n"


def debugfs_device(id: int, device: QueueStats, queues: Mapping[str, QueueStats]) -> str:
    """One device's part of the text of `wq_stats`: its id and counters, then those of its work queues by name."""
    head = f"iaa device:\n  id: {id}\n  n_wqs: {len(queues)}\n" + _lines(device, "  ")
    return head + "  wqs:\n" + "".join(f"    name: {name}\n{_lines(stats, '    ')}\n" for name, stats in queues.items())


def _lines(stats: QueueStats, indent: str) -> str:
    return "".join(f"{indent}{name}: {value}\n" for name, value in asdict(stats).items())
