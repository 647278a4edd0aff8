"""Configuration: the JSON that the `accel-config` tool saves, and a machine file around it.

Read by `Platform.open` and by whoever wants to check a file without opening it (`refusals`). Knows the limits of a
device and what the kernel refuses; does not know devices that run. Keys we do not use are kept and written again.
"""

import errno
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigurationError
from .topology import Topology

Model = TypeVar("Model", bound=BaseModel)

MACHINE_SCHEMA: Final = "swaplab.machine/1"

MAX_GROUPS: Final = 4
MAX_WORK_QUEUES: Final = 8
MAX_ENGINES: Final = 8
WORK_QUEUE_SLOTS: Final = 128
"""Limits of one device. The slots are shared between its queues."""
MAX_TRANSFER_SIZE: Final = 2 << 30
"""Bytes; the most that one descriptor may name."""
COMPRESS_ENGINES: Final = 2
"""Engines 0 and 1 compress and decompress, the others only decompress."""


class _Saved(BaseModel):
    model_config = ConfigDict(extra="allow")


class WorkQueueConfig(_Saved):
    """One work queue, `wq<device>.<index>`. Sizes and thresholds are in descriptors."""

    dev: str = Field(pattern=r"^wq\d+\.\d+$")
    mode: Literal["dedicated", "shared"] = "dedicated"
    size: int = 0
    group_id: int = -1
    priority: int = 10
    block_on_fault: int = 0
    max_batch_size: int = 1
    max_transfer_size: int = MAX_TRANSFER_SIZE
    enqcmds_retries: int = Field(default=32, ge=0, le=64)
    threshold: int = 0
    type: str = "kernel"
    name: str = ""
    driver_name: str = ""

    @property
    def index(self) -> int:
        """Index within the device."""
        return int(self.dev.rpartition(".")[2])


class EngineConfig(_Saved):
    """One engine, `engine<device>.<index>`."""

    dev: str = Field(pattern=r"^engine\d+\.\d+$")
    group_id: int = -1

    @property
    def index(self) -> int:
        """Index within the device."""
        return int(self.dev.rpartition(".")[2])


class GroupConfig(_Saved):
    """One group: any of its engines may take a job from any of its work queues."""

    dev: str = Field(pattern=r"^group\d+\.\d+$")
    grouped_workqueues: list[WorkQueueConfig] = []
    grouped_engines: list[EngineConfig] = []

    @property
    def index(self) -> int:
        """Index within the device."""
        return int(self.dev.rpartition(".")[2])


class DeviceConfig(_Saved):
    """One device, as saved: groups with their queues and engines, and what is in no group."""

    dev: str = Field(pattern=r"^[a-z]+\d+$")
    groups: list[GroupConfig] = []
    ungrouped_workqueues: list[WorkQueueConfig] = []
    ungrouped_engines: list[EngineConfig] = []

    @property
    def id(self) -> int:
        """Number in the device's name: 3 of `iax3`."""
        return int(self.dev.lstrip("abcdefghijklmnopqrstuvwxyz"))

    def work_queues(self) -> list[WorkQueueConfig]:
        """All work queues, in order of their index."""
        queues = [wq for group in self.groups for wq in group.grouped_workqueues] + self.ungrouped_workqueues
        return sorted(queues, key=lambda wq: wq.index)

    def engines_of(self, group_id: int) -> list[int]:
        """Indices of the engines of one group, ascending."""
        return sorted(engine.index for g in self.groups if g.index == group_id for engine in g.grouped_engines)

    def group_of(self, wq: WorkQueueConfig) -> int:
        """Index of the group that `wq` is in; StopIteration for none, which `refusals` reports."""
        return next(group.index for group in self.groups if wq in group.grouped_workqueues)

    def bound_queues(self) -> list[WorkQueueConfig]:
        """The queues meant for the crypto driver: configured, of type kernel, driver name "crypto"."""
        return [wq for wq in self.work_queues() if wq.size and wq.type == "kernel" and wq.driver_name == "crypto"]


class MachineConfig(BaseModel):
    """A whole machine: its cpus, and its devices in the order in which they are probed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["swaplab.machine/1"] = Field(default=MACHINE_SCHEMA, alias="schema")
    version: str = ""
    description: str = ""
    topology: Topology
    devices: list[DeviceConfig]


def machine(
    *,
    packages: int = 1,
    cores_per_package: int = 8,
    threads_per_core: int = 1,
    numa_nodes: int | None = None,
    devices: int = 4,
    wqs_per_device: int = 1,
    slots_per_device: int = WORK_QUEUE_SLOTS,
    engines_per_device: int = MAX_ENGINES,
    mode: Literal["dedicated", "shared"] = "dedicated",
    threshold: int | None = None,
) -> MachineConfig:
    """A machine whose devices iax1, iax3, ... are all alike: one group, the slots split evenly over the queues.

    `numa_nodes` defaults to one per package, `threshold` (of shared queues) to half of the queue's size. Raises
    ConfigurationError for what a device cannot be configured to.
    """
    size = slots_per_device // max(wqs_per_device, 1)
    limit = (size // 2 if threshold is None else threshold) if mode == "shared" else 0
    built = MachineConfig(
        topology=_valid(
            Topology,
            {
                "packages": packages,
                "cores_per_package": cores_per_package,
                "threads_per_core": threads_per_core,
                "numa_nodes": packages if numa_nodes is None else numa_nodes,
            },
            "the topology",
        ),
        devices=[
            device(2 * n + 1, size=size, wqs=wqs_per_device, engines=engines_per_device, mode=mode, threshold=limit)
            for n in range(devices)
        ],
    )
    check(built.devices)
    return built


def device(
    id: int,
    *,
    size: int = WORK_QUEUE_SLOTS,
    wqs: int = 1,
    engines: int = MAX_ENGINES,
    mode: Literal["dedicated", "shared"] = "dedicated",
    threshold: int = 0,
) -> DeviceConfig:
    """Device iax<id> with everything in group 0, the way the series' author configures it."""
    queues = [
        WorkQueueConfig(
            dev=f"wq{id}.{n}",
            mode=mode,
            size=size,
            threshold=threshold,
            group_id=0,
            name=f"iaa_crypto{id}{n}",
            driver_name="crypto",
        )
        for n in range(wqs)
    ]
    grouped = [EngineConfig(dev=f"engine{id}.{n}", group_id=0) for n in range(engines)]
    group = GroupConfig(dev=f"group{id}.0", grouped_workqueues=queues, grouped_engines=grouped)
    return DeviceConfig(dev=f"iax{id}", groups=[group])


def load(source: str | Path) -> MachineConfig:
    """Read a machine file, or what `accel-config save-config` wrote (then on the topology of this host).

    Raises ConfigurationError, with the place in the file, for what is no such file.
    """
    path = Path(source)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            error.errno or errno.EIO, f"{path} cannot be read: {error.strerror}", "Name a readable file."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            errno.EINVAL, f"{path} is not JSON: {error}", "Save one with `accel-config save-config -s FILE`."
        ) from error
    return parse(document, str(path))


def parse(document: Any, name: str = "the configuration") -> MachineConfig:
    """A machine from parsed JSON: a machine file (an object with `schema`), or accel-config's list of devices."""
    if isinstance(document, list):
        return MachineConfig(topology=Topology.of_host(), devices=parse_devices(document, name))
    if isinstance(document, dict) and document.get("schema") != MACHINE_SCHEMA:
        raise ConfigurationError(
            errno.EINVAL,
            f"{name} has the schema {document.get('schema')!r}",
            f"This version reads {MACHINE_SCHEMA!r}, and the list that `accel-config save-config` writes.",
        )
    return _valid(MachineConfig, document, name)


def parse_devices(document: list[Any], name: str = "the configuration") -> list[DeviceConfig]:
    """The IAA devices of accel-config's list, in probe order; devices of other kinds (dsa) are left out."""
    found = [_valid(DeviceConfig, item, f"{name}, device {n}") for n, item in enumerate(document)]
    return sorted((device for device in found if device.dev.startswith("iax")), key=lambda device: device.id)


def dump_devices(devices: Sequence[DeviceConfig]) -> str:
    """The JSON that `accel-config load-config` reads."""
    return json.dumps([device.model_dump(mode="json") for device in devices], indent=2) + "\n"


def check(devices: Sequence[DeviceConfig]) -> None:
    """Raise the first of `refusals`, if there is any."""
    for refusal in refusals(devices):
        raise refusal


def refusals(devices: Sequence[DeviceConfig]) -> Iterator[ConfigurationError]:
    """Everything about these devices that idxd or iaa_crypto would refuse, each with cause and remedy."""
    seen: set[str] = set()
    for config in devices:
        if config.dev in seen:
            yield _refusal(errno.EEXIST, f"{config.dev} is configured twice", "Keep one of the two.")
        seen.add(config.dev)
        yield from _device_refusals(config)


def _device_refusals(config: DeviceConfig) -> Iterator[ConfigurationError]:
    if not config.dev.startswith("iax"):
        yield _refusal(errno.ENODEV, f"{config.dev} is not an IAA device", "Name a device iax<N>.")
    yield from _count_refusals(config)
    for wq in config.work_queues():
        if wq.size:
            yield from _queue_refusals(config, wq)
    slots = sum(wq.size for wq in config.work_queues())
    if slots > WORK_QUEUE_SLOTS:
        yield _refusal(
            errno.EINVAL,
            f"the queues of {config.dev} have {slots} slots together, the device has {WORK_QUEUE_SLOTS}",
            f"Make their sizes sum up to {WORK_QUEUE_SLOTS} at most.",
        )


def _count_refusals(config: DeviceConfig) -> Iterator[ConfigurationError]:
    engines = [e.dev for g in config.groups for e in g.grouped_engines] + [e.dev for e in config.ungrouped_engines]
    parts = (
        ("groups", [group.dev for group in config.groups], MAX_GROUPS),
        ("work queues", [wq.dev for wq in config.work_queues()], MAX_WORK_QUEUES),
        ("engines", engines, MAX_ENGINES),
    )
    for what, names, most in parts:
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            yield _refusal(errno.EEXIST, f"{config.dev} has {', '.join(twice)} twice", "Give each its own name.")
        for name in names:
            number, _, index = name.lstrip("abcdefghijklmnopqrstuvwxyz").partition(".")
            if int(number) != config.id:
                yield _refusal(errno.ENXIO, f"{name} is not of {config.dev}", "Move it to its own device.")
            if int(index) >= most:
                yield _refusal(
                    errno.ENXIO, f"{config.dev} has no {name}", f"A device has {most} {what}, numbered from 0."
                )


def _queue_refusals(config: DeviceConfig, wq: WorkQueueConfig) -> Iterator[ConfigurationError]:
    name = f"{config.dev}/{wq.dev}"
    if wq.size < 0:
        yield _refusal(errno.EINVAL, f"{name} has the size {wq.size}", "Give it between 1 and 128 descriptors.")
    if not any(wq in group.grouped_workqueues for group in config.groups):
        yield _refusal(errno.EINVAL, f"{name} is in no group", "Set its group_id; a queue without engines cannot work.")
    elif not config.engines_of(config.group_of(wq)):
        yield _refusal(errno.EINVAL, f"the group of {name} has no engine", "Assign engines to that group.")
    elif wq.group_id != config.group_of(wq):
        yield _refusal(
            errno.EINVAL,
            f"{name} says group {wq.group_id} and is listed in group {config.group_of(wq)}",
            "Make its group_id the number of the group that it is in.",
        )
    if not 1 <= wq.max_transfer_size <= MAX_TRANSFER_SIZE:
        yield _refusal(
            errno.EINVAL,
            f"{name} has a max_transfer_size of {wq.max_transfer_size} bytes",
            f"Give it between 1 and {MAX_TRANSFER_SIZE}.",
        )
    if not 1 <= wq.priority <= 15:
        yield _refusal(errno.EINVAL, f"{name} has the priority {wq.priority}", "Priorities run from 1 to 15.")
    if wq.mode == "shared" and not 1 <= wq.threshold <= wq.size:
        yield _refusal(
            errno.EINVAL,
            f"{name} is shared and has the threshold {wq.threshold}",
            f"Set a threshold between 1 and its size, {wq.size}.",
        )
    if wq.mode == "dedicated" and wq.threshold:
        yield _refusal(
            errno.EINVAL, f"{name} is dedicated and has a threshold", "Set threshold to 0, or mode to shared."
        )
    if wq.type == "kernel" and not wq.name:
        yield _refusal(errno.EINVAL, f"{name} has no name", "Give it one, such as iaa_crypto.")
    if wq.type != "kernel" or wq.driver_name != "crypto":
        yield _refusal(
            errno.ENODEV,
            f"{name} has type {wq.type!r} and driver name {wq.driver_name!r}",
            'The iaa_crypto driver takes queues of type "kernel" with the driver name "crypto"; set both.',
        )


def _refusal(code: int, cause: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(code, cause, remedy)


def _valid(model: type[Model], data: Any, name: str) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise ConfigurationError(
            errno.EINVAL, f"{name}: at {place}: {first['msg']}", "Correct this value and load the file again."
        ) from error
