"""A device: its work queues, the groups that tie them to engines, and how many of those compress."""

from .config import COMPRESS_ENGINES, DeviceConfig, WorkQueueConfig
from .descriptor_slots import DescriptorSlots
from .queue_stats import QueueStats


class Group:
    """A group of one device: any of its engines takes jobs from any of its queues, in order of arrival.

    Priorities of queues are checked and kept, but not used.
    """

    __slots__ = ("device", "engines", "index")

    def __init__(self, device: "Device", index: int, engines: list[int]) -> None:
        self.device = device
        self.index = index
        self.engines = engines

    def __repr__(self) -> str:
        return f"<Group {self.device.name}/{self.index}: engines {self.engines}>"

    @property
    def compress_engines(self) -> int:
        """Engines that can compress; one at least, or nothing would move."""
        return sum(1 for index in self.engines if index < COMPRESS_ENGINES) or 1


class WorkQueue(DescriptorSlots):
    """One configured work queue of a device, with its descriptors.

    A dedicated queue has as many as its size says, a shared one as many as its threshold. `bound`: whether the driver
    uses it, so that it accepts submissions. `mapped` is "local", "global" or None: the table it was folded into
    (patch 9).
    """

    __slots__ = ("bound", "config", "device", "group", "index", "mapped", "stats")

    def __init__(self, group: Group, config: WorkQueueConfig) -> None:
        super().__init__(config.nr_descriptors)
        self.group = group
        self.device: Device = group.device
        self.config = config
        self.index = config.index
        self.bound = False
        self.mapped: str | None = None
        self.stats = QueueStats()

    def __repr__(self) -> str:
        state = "bound" if self.bound else "unbound"
        waiting = f", {self.waiting} waiting" if self.waiting else ""
        return f"<WorkQueue {self.name} {self.config.mode} {state}: {self.in_flight}/{self.nr_descriptors}{waiting}>"

    @property
    def name(self) -> str:
        """`wq<device>.<index>`."""
        return self.config.dev

    @property
    def shared(self) -> bool:
        """Whether submissions may be refused by the device."""
        return self.config.mode == "shared"


class Device:
    """One IAA device built from its configuration. `stats` sums up what went through its queues.

    `work_queues` are all queues meant for the driver, `bound_queues` those it has, in the order in which it got them.
    """

    __slots__ = ("bound_queues", "config", "groups", "id", "name", "stats", "work_queues")

    def __init__(self, config: DeviceConfig) -> None:
        self.config = config
        self.id = config.id
        self.name = config.dev
        self.stats = QueueStats()
        self.groups = {index: Group(self, index, config.engines_of(index)) for index in config.groups()}
        self.work_queues = [WorkQueue(self.groups[wq.group_id], wq) for wq in config.crypto_queues()]
        self.bound_queues: list[WorkQueue] = []

    def __repr__(self) -> str:
        return f"<Device {self.name}: {len(self.work_queues)} work queues, {self.in_flight} descriptors in flight>"

    @property
    def compress_engines(self) -> int:
        """Engines that can compress, in groups with a queue of the driver."""
        return sum(group.compress_engines for group in {wq.group for wq in self.work_queues})

    @property
    def in_flight(self) -> int:
        """Descriptors in flight on all queues."""
        return sum(wq.in_flight for wq in self.work_queues)
