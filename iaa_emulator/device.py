"""A device: its work queues, the groups that tie them to engines, and how many of those compress (kernel-facts 6.1)."""

from .config import COMPRESS_ENGINES, DeviceConfig
from .statistics import QueueStats
from .work_queue import WorkQueue


class Device:
    """One IAA device built from its configuration. `stats` sums up what went through its queues.

    `work_queues` are all queues meant for the driver, `bound_queues` those it has, in the order in which it got them.
    """

    __slots__ = ("bound_queues", "config", "engines", "id", "name", "stats", "work_queues")

    def __init__(self, config: DeviceConfig) -> None:
        self.config = config
        self.id = config.id
        self.name = config.dev
        self.stats = QueueStats()
        self.work_queues = [WorkQueue(self, wq) for wq in config.bound_queues()]
        self.bound_queues: list[WorkQueue] = []
        groups = {g.index for g in config.groups if any(wq.size for wq in g.grouped_workqueues)}
        self.engines = sorted(index for group in groups for index in config.engines_of(group))

    def __repr__(self) -> str:
        return f"<Device {self.name}: {len(self.work_queues)} work queues, {self.in_flight} descriptors in flight>"

    @property
    def compress_engines(self) -> int:
        """Engines that can compress, among those in a group with a work queue; one at least, or nothing would move."""
        return sum(1 for index in self.engines if index < COMPRESS_ENGINES) or 1

    @property
    def in_flight(self) -> int:
        """Descriptors in flight on all queues."""
        return sum(wq.in_flight for wq in self.work_queues)
