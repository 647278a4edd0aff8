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
"""Limits of one device. The slots are shared between its queues."""
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

    `pasid_enabled` is what a saved file says of the device it was saved on, None if nothing.
    """

    dev: str
    work_queues: list[WorkQueueConfig] = field(default_factory=list)
    engines: dict[int, int] = field(default_factory=dict)
    pasid_enabled: bool | None = None

    @property
    def number(self) -> str:
        """What stands behind the kind in the name: "3" of `iax3`."""
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
