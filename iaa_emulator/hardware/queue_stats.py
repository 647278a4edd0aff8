"""Counters of a work queue or of a device, under the kernel's names. The driver bumps them."""

from dataclasses import dataclass, fields


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
