"""The machine of a script, and the calls that are the hardware's: landings, queues, attributes, faults."""

import errno
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from acomp import AcompReq
from iaa_emulator import ConfigurationError, DriverFeatures, MachineConfig, Platform, machine
from iaa_emulator.hardware.device import WorkQueue
from iaa_emulator.testing import SteppedEngine

from .answer import Left
from .log import Log
from .script import Machine


def config_of(described: Machine) -> MachineConfig:
    """The machine to open. ConfigurationError for what cannot be configured, attributes included."""
    if described.g_wqs_per_iaa and 9 not in features_of(described):
        raise ConfigurationError(errno.ENOENT, "g_wqs_per_iaa comes with patch 9", "Leave it out, or have that patch.")
    return machine(
        devices=described.devices,
        wqs_per_device=described.wqs_per_device,
        slots_per_device=described.wqs_per_device * described.wq_size,
        engines_per_device=described.engines_per_device,
        mode=described.wq_mode,
        threshold=described.wq_size if described.wq_mode == "shared" else None,
    )


def features_of(described: Machine) -> DriverFeatures:
    """The driver's patches."""
    if described.patches == "v8":
        return DriverFeatures.v8()
    return DriverFeatures.base() if described.patches == "base" else DriverFeatures.of(*map(int, described.patches))


@asynccontextmanager
async def opened(described: Machine, engine: SteppedEngine) -> AsyncIterator[Platform]:
    """The machine, with its driver and this engine, in the current registry."""
    attributes = {"sync_mode": described.sync_mode, "verify_compress": str(int(described.verify_compress))}
    if described.g_wqs_per_iaa:
        attributes["g_wqs_per_iaa"] = str(described.g_wqs_per_iaa)
    features = features_of(described)
    async with Platform.open(config_of(described), features=features, engine=engine, attributes=attributes) as platform:
        yield platform


class Hardware:
    """What a script does with the machine: the calls `machine.*`."""

    def __init__(self, platform: Platform, engine: SteppedEngine) -> None:
        self._platform = platform
        self._engine = engine

    def step(self, n: int = 1) -> int:
        """Land the `n` jobs that began first; how many there were."""
        return self._engine.step(n)

    def land(self, req: AcompReq) -> int:
        """Land the jobs of a request; how many there were. ValueError if no engine has begun with them."""
        jobs = [job for job in self._engine.jobs if job.req is req]
        running = [job for job in self._engine.running if job.req is req]
        if jobs and not running:
            raise ValueError("no engine has begun with it: others of its device are before it; land those, or step")
        for job in running:
            self._engine.land(job)
        return len(running)

    def bind(self, device: str) -> None:
        """Bind the queues of a device that are not bound; ConfigurationError EBUSY if all are."""
        queues = self._queues(device)
        self._platform.bind(*(wq.name for wq in [wq for wq in queues if not wq.bound] or queues))

    async def unbind(self, device: str) -> None:
        """Remove the queues of a device that are bound; ConfigurationError ENODEV if none is."""
        queues = self._queues(device)[::-1]
        await self._platform.unbind(*(wq.name for wq in [wq for wq in queues if wq.bound] or queues))

    async def remove_wq(self, device: str, wq: int) -> None:
        """Remove one queue."""
        await self._platform.unbind(self._queues(device)[wq].name)

    def attribute(self, name: str, text: str) -> None:
        """Write an attribute of the driver."""
        self._platform.attributes.write(name, text)

    def _queues(self, name: str) -> list[WorkQueue]:
        return next(device.work_queues for device in self._platform.devices if device.name == name)


class Faults:
    """Which arrivals at which points fail: the decider of `acomp.fault`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._arrivals: Counter[str] = Counter()
        self._asked: dict[tuple[str, int], int] = {}

    def at(self, point: str, nth: int) -> None:
        """Let the `nth` arrival from now fail."""
        self._asked[point, self._arrivals[point] + nth] = nth

    def decide(self, point: str) -> bool:
        """Whether this arrival fails."""
        self._arrivals[point] += 1
        if self._asked.pop((point, self._arrivals[point]), None) is None:
            return False
        self._log.fault(point)
        return True

    def left(self) -> list[Left]:
        """The arrivals that never came."""
        return [
            Left(kind="fault", object=point, text=f"arrival {nth} from where it was asked for never came")
            for (point, _), nth in self._asked.items()
        ]
