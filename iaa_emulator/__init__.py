"""Intel IAA devices, their work queues and the iaa_crypto driver; imports acomp, never zswap or swaplab.

`Platform.open` builds a machine inside the running loop and registers `deflate-iaa`; from there on it is
acomp's names that are used. `iaa_emulator.testing` has an engine that a test steps by hand.
"""

import typing

from acomp import on_demand

from .driver.attributes import Attributes
from .driver.features import DriverFeatures
from .errors import ConfigurationError, DescriptorDeadlockError
from .hardware.config import DeviceConfig, WorkQueueConfig
from .hardware.descriptor import CompletionRecord, Descriptor, ErrorCode, Opcode, Status
from .hardware.device import Device, WorkQueue
from .hardware.engine import Engine
from .hardware.job import Job
from .hardware.machine import MachineConfig, machine
from .hardware.presets import preset, preset_names
from .hardware.topology import Topology
from .platform import Platform

if typing.TYPE_CHECKING:
    from .hardware.silicon import Outcome, perform
    from .hardware.worker_threads import WorkerThreads
else:  # these load the device's codec
    __getattr__, __dir__ = on_demand.attributes(
        __name__,
        {
            "Outcome": ".hardware.silicon",
            "WorkerThreads": ".hardware.worker_threads",
            "perform": ".hardware.silicon",
        },
    )

__all__ = [
    "Attributes",
    "CompletionRecord",
    "ConfigurationError",
    "Descriptor",
    "DescriptorDeadlockError",
    "Device",
    "DeviceConfig",
    "DriverFeatures",
    "Engine",
    "ErrorCode",
    "Job",
    "MachineConfig",
    "Opcode",
    "Outcome",
    "Platform",
    "Status",
    "Topology",
    "WorkQueue",
    "WorkQueueConfig",
    "WorkerThreads",
    "machine",
    "perform",
    "preset",
    "preset_names",
]
