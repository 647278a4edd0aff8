"""Intel IAA devices, their work queues and the iaa_crypto driver; imports acomp, never zswap or swaplab.

`Platform.open` builds a machine inside the running loop and registers `deflate-iaa`; from there on it is
acomp's names that are used. `iaa_emulator.testing` has an engine that a test steps by hand.
"""

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
from .hardware.silicon import Outcome, perform
from .hardware.topology import Topology
from .hardware.worker_threads import WorkerThreads
from .platform import Platform

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
