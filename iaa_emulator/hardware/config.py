"""The state of a device's configuration, as sysfs holds it: what it is after a reset, and what was written since.

Whoever builds a machine in Python sets these fields; a saved file gets here through `config_rules`, write by write.
Knows nothing of files, and not whether a device in this state can be enabled.
"""

from dataclasses import dataclass, field
from typing import Final

MAX_GROUPS: Final = 4
MAX_WORK_QUEUES: Final = 8
MAX_ENGINES: Final = 8
WORK_QUEUE_SLOTS: Final = 128
"""Limits of one device. The slots, one for each descriptor, are shared between its queues."""
MAX_TRANSFER_SIZE: Final = 2 << 30
"""Bytes; the most that one descriptor may name."""
COMPRESS_ENGINES: Final = 2
"""Engines 0 and 1 compress and decompress, the others only decompress."""
KERNEL_SIZE: Final = 16
"""Slots that the kernel (5.17 and later) gives to a queue without a size."""
NO_GROUP: Final = -1


@dataclass(slots=True)
class WorkQueueConfig:
    """One work queue, `wq<device>.<index>`, in reset state. Sizes and thresholds are in descriptors."""

    dev: str
    mode: str = "shared"
    size: int = 0
    group_id: int = NO_GROUP
    priority: int = 0
    block_on_fault: int = 0
    prs_disable: int = 0
    max_transfer_size: int = MAX_TRANSFER_SIZE
    enqcmds_retries: int = 32
    threshold: int = 0
    type: str = "none"
    name: str = ""
    driver_name: str = ""

    @property
    def index(self) -> int:
        """Index within the device."""
        return int(self.dev.rpartition(".")[2])

    @property
    def nr_descriptors(self) -> int:
        """Descriptors that a driver has here: a dedicated queue's slots, a shared one's threshold."""
        return self.slots if self.mode == "dedicated" else self.threshold

    @property
    def slots(self) -> int:
        """Slots of the device that this queue takes once the device is enabled."""
        return self.size if self.size or self.group_id == NO_GROUP else KERNEL_SIZE

    @property
    def idle(self) -> bool:
        """Whether nobody is meant to use it: `accel-config list` shows such queues, too."""
        return not (self.size or self.name or self.driver_name or self.type != "none" or self.group_id != NO_GROUP)

    @property
    def for_crypto(self) -> bool:
        """Whether the queue is meant for iaa_crypto. Its probe looks at the driver's name only, not at the type."""
        return self.driver_name == "crypto"


@dataclass(slots=True)
class DeviceConfig:
    """One device, `iax<N>`: the queues that are configured, and by index the group of each engine in one.

    `pasid_enabled` is what a saved file says of the device that it was saved from, None if it says nothing.
    """

    dev: str
    work_queues: list[WorkQueueConfig] = field(default_factory=list)
    engines: dict[int, int] = field(default_factory=dict)
    pasid_enabled: bool | None = None

    @property
    def number(self) -> str:
        """The part of the name behind its kind: "3" of `iax3`."""
        return self.dev.removeprefix("iax")

    @property
    def id(self) -> int:
        """Number in the device's name: 3 of `iax3`; -1 of a template's, such as `iaxX`."""
        return int(self.number) if self.number.isdecimal() and len(self.number) < 7 else -1

    def work_queue(self, name: str) -> WorkQueueConfig:
        """The queue of this name, in reset state if nothing was written to it so far."""
        for wq in self.work_queues:
            if wq.dev == name:
                return wq
        self.work_queues.append(WorkQueueConfig(name))
        self.work_queues.sort(key=lambda wq: wq.index)
        return self.work_queue(name)

    def move_engine(self, index: int, group: int) -> None:
        """Put an engine into a group, or with NO_GROUP take it out of the one that it is in."""
        self.engines[index] = group
        if group == NO_GROUP:
            del self.engines[index]

    def queues_of(self, group: int) -> list[WorkQueueConfig]:
        """The queues of one group, in order of their index."""
        return [wq for wq in self.work_queues if wq.group_id == group]

    def engines_of(self, group: int) -> list[int]:
        """Indices of the engines of one group, ascending."""
        return sorted(engine for engine, found in self.engines.items() if found == group)

    def groups(self) -> list[int]:
        """Indices of the groups that have a queue or an engine, ascending."""
        return sorted({*(wq.group_id for wq in self.work_queues), *self.engines.values()} - {NO_GROUP})

    def crypto_queues(self) -> list[WorkQueueConfig]:
        """The queues meant for iaa_crypto, in order of their index."""
        return [wq for wq in self.work_queues if wq.for_crypto]
