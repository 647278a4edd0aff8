"""Binding and removal of work queues, one at a time, each followed by a rebalancing.

Source: kernel-facts 6.4, kernel-facts-2 A3.

Differs from the kernel: binding again after the last queue was removed is allowed without reloading the module (there
the registration fails with -EEXIST, A4), and a removed queue can always be bound again (B7).
"""

import errno

from ..errors import ConfigurationError
from ..hardware.work_queue import WorkQueue
from .driver import Driver
from .mapping import WqTables
from .statistics import QueueStats


def bind(driver: Driver, wq: WorkQueue) -> None:
    """Give the driver a queue; the first one enables it. ConfigurationError EBUSY when it has it already."""
    if wq.bound:
        raise ConfigurationError(errno.EBUSY, f"{wq.name} is bound already", "Unbind it first, or leave it as it is.")
    if not driver.devices:
        attributes = driver.attributes
        driver.tables = WqTables(
            driver.topology,
            by_package=8 in driver.features,
            g_wqs_per_iaa=attributes.g_wqs_per_iaa,
            g_consec_descs_per_gwq=attributes.g_consec_descs_per_gwq,
        )
        driver.enabled = True
    device = wq.device
    if not device.bound_queues:
        driver.devices.append(device)
        device.stats = QueueStats()
    device.bound_queues.append(wq)
    wq.bound, wq.mapped, wq.stats = True, None, QueueStats()
    driver.tables.rebalance(driver.devices)


def unbind(driver: Driver, wq: WorkQueue) -> None:
    """Take a queue away; the last one disables the driver. ConfigurationError ENODEV when it does not have it.

    Jobs in flight go on and end as usual; who waits for one of its descriptors ends with -ENXIO. Its counters are
    discarded, except from our own book.
    """
    if not wq.bound:
        raise ConfigurationError(errno.ENODEV, f"{wq.name} is not bound", "Name a queue that is bound.")
    device = wq.device
    wq.bound, wq.mapped = False, None
    device.bound_queues.remove(wq)
    retired = driver.stats.book.retired
    retired.add(wq.stats)
    wq.stats = retired  # what is still in flight is counted there
    if not device.bound_queues:
        driver.devices.remove(device)
    driver.enabled = driver.enabled and bool(driver.devices)
    driver.tables.rebalance(driver.devices)
    wq.turn_away()
