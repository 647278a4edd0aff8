"""A whole machine: cpus and IAA devices, built in Python or read from a file, and what would be refused of it.

A file is a machine file (an object with `schema`), or what `accel-config` saved (a list of devices; then the cpus are
those of this host). Whichever way a machine came, its devices are written key by key before anybody uses them.
"""

import errno
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ..errors import ConfigurationError
from .config import MAX_ENGINES, WORK_QUEUE_SLOTS, DeviceConfig, WorkQueueConfig
from .load_config import Loaded, is_configuration, load_config
from .outcomes import judge
from .save_config import save_config
from .saved_json import Array, Object, plain, read, tree
from .topology import Topology

if TYPE_CHECKING:
    from .machine_head import MachineHead

MACHINE_SCHEMA: Final = "swaplab.machine/1"
LARGEST_FILE: Final = 1 << 20
"""Bytes. A device with all its queues and engines takes five thousand."""
MOST_DEVICES: Final = 128
"""Devices of a file. The largest machines have sixteen."""


@dataclass(slots=True)
class MachineConfig:
    """A machine: its cpus, and its IAA devices in the order in which they are probed."""

    topology: Topology
    devices: list[DeviceConfig]
    version: str = ""
    description: str = ""


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
    try:
        topology = Topology(
            packages=packages,
            cores_per_package=cores_per_package,
            threads_per_core=threads_per_core,
            numa_nodes=packages if numa_nodes is None else numa_nodes,
        )
    except ValueError as error:
        raise ConfigurationError(errno.EINVAL, f"the topology: {error}", "Correct this value.") from error
    built = [
        device(2 * n + 1, size=size, wqs=wqs_per_device, engines=engines_per_device, mode=mode, threshold=limit)
        for n in range(devices)
    ]
    return accepted(MachineConfig(topology, built))


def device(
    id: int,
    *,
    size: int = WORK_QUEUE_SLOTS,
    wqs: int = 1,
    engines: int = MAX_ENGINES,
    mode: Literal["dedicated", "shared"] = "dedicated",
    threshold: int = 0,
) -> DeviceConfig:
    """Device iax<id> with everything in group 0, the way the author of the series configures it."""
    queues = [
        WorkQueueConfig(
            dev=f"wq{id}.{n}",
            mode=mode,
            size=size,
            threshold=threshold,
            group_id=0,
            priority=10,
            type="kernel",
            name=f"iaa_crypto{id}{n}",
            driver_name="crypto",
        )
        for n in range(wqs)
    ]
    return DeviceConfig(f"iax{id}", queues, dict.fromkeys(range(engines), 0))


def load(source: str | Path) -> MachineConfig:
    """Read a file that can be used as it is. Raises ConfigurationError, with file and line, for what is refused."""
    built, loaded = read_file(Path(source))
    for refusal in judge(loaded).refusals:
        place = f"{source}:{refusal.at.line} {refusal.at.key}".rstrip() if refusal.at else str(source)
        raise ConfigurationError(refusal.errno, f"{place}: {refusal.cause}", refusal.remedy)
    return built


def read_file(path: Path) -> tuple[MachineConfig, Loaded]:
    """The machine in a file, and what happened while its devices were written, failures included.

    Raises ConfigurationError, with the line, for what is no configuration at all.
    """
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigurationError(
            error.errno or errno.EIO, f"{path} cannot be read: {error.strerror}", "Name a readable file."
        ) from error
    if len(found) > LARGEST_FILE:
        raise ConfigurationError(
            errno.EFBIG,
            f"{path} has more than {LARGEST_FILE >> 20} MiB, as no configuration has",
            "Name what `accel-config save-config` wrote.",
        )
    if found.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigurationError(errno.EINVAL, f"{path}:1 is UTF-16", "Save it as UTF-8 without a byte order mark.")
    return parse(found.decode("utf-8", errors="replace"), str(path))


def parse(text: str, name: str = "the configuration") -> tuple[MachineConfig, Loaded]:
    """The same for text; `name` is what its refusals call it."""
    document = read(text, name).value
    if isinstance(document, Object):
        return _machine_file(document, name)
    if not isinstance(document, Array) or not is_configuration(document):
        raise ConfigurationError(
            errno.EINVAL,
            f"{name} is JSON, but no list of devices",
            "Save one with `accel-config save-config -s FILE`.",
        )
    loaded = _loaded(document, name)
    loaded.devices.sort(key=lambda found: found.id)  # the order in which they are probed
    return MachineConfig(Topology.of_host(), loaded.devices), loaded


def _machine_file(document: Object, name: str) -> tuple[MachineConfig, Loaded]:
    schema, devices = document.get("schema"), document.get("devices")
    if schema is None or schema.value != MACHINE_SCHEMA:
        raise ConfigurationError(
            errno.EINVAL,
            f"{name} has the schema {plain(schema.value) if schema else None!r}",
            f"This version reads {MACHINE_SCHEMA!r}, and the list that `accel-config save-config` writes.",
        )
    if devices is None or not isinstance(devices.value, Array):
        raise ConfigurationError(errno.EINVAL, f"{name} has no list of devices", 'Write them under "devices".')
    head = _head(Object(entry for entry in document if entry is not devices), name)
    loaded = _loaded(devices.value, name) if devices.value else Loaded()
    return MachineConfig(head.topology, loaded.devices, head.version, head.description), loaded


def _loaded(document: Array, name: str) -> Loaded:
    loaded = load_config(document)
    if len(loaded.devices) > MOST_DEVICES:
        raise ConfigurationError(
            errno.EINVAL, f"{name} has {len(loaded.devices)} devices", f"List {MOST_DEVICES} at most, each once."
        )
    return loaded


def _head(document: Object, name: str) -> "MachineHead":
    from pydantic import ValidationError  # which no machine without a file needs

    from .machine_head import MachineHead

    try:
        return MachineHead.model_validate(plain(document))
    except ValidationError as error:
        first = error.errors()[0]
        line, inner = document[0].line, document
        for key in first["loc"]:
            entry = inner.get(str(key))
            line = entry.line if entry else line
            inner = entry.value if entry and isinstance(entry.value, Object) else Object()
        place = ".".join(map(str, first["loc"]))
        raise ConfigurationError(
            errno.EINVAL, f"{name}:{line} {place}: {first['msg']}", "Correct this value and load the file again."
        ) from error


def dump_machine(machine: MachineConfig) -> str:
    """The text of a machine file."""
    document = {
        "schema": MACHINE_SCHEMA,
        "version": machine.version,
        "description": machine.description,
        "topology": asdict(machine.topology),
        "devices": save_config(machine.devices),
    }
    return json.dumps(document, indent=2) + "\n"


def accepted(machine: MachineConfig) -> MachineConfig:
    """`machine` with its devices as they are once everything was written. Raises the first refusal, if there is any."""
    loaded = written(machine.devices)
    for refusal in judge(loaded).refusals:
        raise refusal
    return replace(machine, devices=loaded.devices)


def written(devices: Sequence[DeviceConfig]) -> Loaded:
    """What comes of writing the state of `devices`, as saved, to devices in reset state."""
    saved = tree(save_config(devices)).value
    loaded = load_config(saved) if isinstance(saved, Array) and saved else Loaded()
    loaded.refused[:0] = _misnamed(devices)
    return loaded


def _misnamed(devices: Sequence[DeviceConfig]) -> Iterator[ConfigurationError]:
    """Names that a file would take for another object's."""
    names = [device.dev for device in devices] + [wq.dev for device in devices for wq in device.work_queues]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigurationError(errno.EEXIST, f"{name} is configured twice", "Keep one of the two.")
    for device in devices:
        if not device.dev.startswith("iax"):
            yield ConfigurationError(errno.ENODEV, f"{device.dev} is not an IAA device", "Name a device iax<N>.")
        for wq in device.work_queues:
            if not wq.dev.startswith(f"wq{device.number}."):
                yield ConfigurationError(errno.ENXIO, f"{wq.dev} is not of {device.dev}", "Move it to its own device.")
