"""Binding and removal of work queues, one at a time, each followed by a rebalancing of the tables.

What the driver has of the machine is here, and changes only here.

Differs from the kernel: binding again after the last queue was removed is allowed without reloading the module (there
the registration fails with -EEXIST), and a removed queue can always be bound again.
"""

import errno

from ..errors import ConfigurationError
from ..hardware.device import Device, WorkQueue
from ..hardware.queue_stats import QueueStats
from ..hardware.topology import Topology
from .attributes import Attributes
from .features import DriverFeatures
from .mapping import WqTables
from .statistics import Statistics


class Binding:
    """The queues of one driver.

    `devices`: those with a bound queue, in the order in which they were first probed. `tables`: which queue a cpu's
    next job goes to. `enabled`: set by the first queue bound, cleared by the last removed and by `disable`.
    """

    def __init__(self, topology: Topology, features: DriverFeatures, attributes: Attributes, stats: Statistics) -> None:
        self._topology = topology
        self._by_package = 8 in features
        self._attributes = attributes
        self._stats = stats
        self.devices: list[Device] = []
        self.tables = WqTables(topology, by_package=self._by_package)
        self.enabled = False

    def disable(self) -> None:
        """The hardware is broken: use no device until all queues were removed and bound again."""
        self.enabled = False

    def bind(self, wq: WorkQueue) -> None:
        """Take a queue; the first one enables the driver. ConfigurationError EBUSY when it has it already."""
        if wq.bound:
            raise ConfigurationError(
                errno.EBUSY, f"{wq.name} is bound already", "Unbind it first, or leave it as it is."
            )
        if not self.devices:
            self.tables = WqTables(
                self._topology,
                by_package=self._by_package,
                g_wqs_per_iaa=self._attributes.g_wqs_per_iaa,
                g_consec_descs_per_gwq=self._attributes.g_consec_descs_per_gwq,
            )
            self.enabled = True
        device = wq.device
        if not device.bound_queues:
            self.devices.append(device)
            device.stats = QueueStats()
        device.bound_queues.append(wq)
        wq.bound, wq.mapped, wq.stats = True, None, QueueStats()
        self.tables.rebalance(self.devices)

    def unbind(self, wq: WorkQueue) -> None:
        """Remove a queue; removing the last one disables the driver. ConfigurationError ENODEV if it has none such.

        Jobs in flight go on and end as usual; requests that wait for one of its descriptors end with -ENXIO. Its
        counters are discarded, except from our own book.
        """
        if not wq.bound:
            raise ConfigurationError(errno.ENODEV, f"{wq.name} is not bound", "Name a queue that is bound.")
        device = wq.device
        wq.bound, wq.mapped = False, None
        device.bound_queues.remove(wq)
        self._stats.retire(wq)
        if not device.bound_queues:
            self.devices.remove(device)
        self.enabled = self.enabled and bool(self.devices)
        self.tables.rebalance(self.devices)
        wq.turn_away()
