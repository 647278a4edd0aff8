"""Intel IAA devices, their work queues and the iaa_crypto driver; imports acomp, never zswap or swaplab.

Room 2 of 4. `Platform.open` builds a machine inside the running loop and registers `deflate-iaa`; from there on it is
acomp's names that are used. `iaa_emulator.testing` has an engine that a test steps by hand.
"""

from .attributes import Attributes
from .config import DeviceConfig, MachineConfig, machine
from .descriptor import CompletionRecord, Descriptor, ErrorCode, Opcode, Status
from .device import Device
from .engine import Engine
from .errors import ConfigurationError, DescriptorDeadlockError
from .features import DriverFeatures
from .job import Job
from .platform import Platform
from .presets import preset, preset_names
from .silicon import Outcome, perform
from .topology import Topology
from .work_queue import WorkQueue
from .worker_threads import WorkerThreads

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
    "WorkerThreads",
    "machine",
    "perform",
    "preset",
    "preset_names",
]
