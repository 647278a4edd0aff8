"""A second opinion on a configuration without opening it: what is refused, what it leads to, what could be better.

`examine` is called by `swaplab doctor` and by whoever generates configurations. Nothing here runs a job.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .driver.features import DriverFeatures
from .driver.mapping import WqTables, devices_per_package
from .errors import ConfigurationError
from .hardware.config import COMPRESS_ENGINES, WORK_QUEUE_SLOTS, DeviceConfig
from .hardware.device import Device
from .hardware.load_config import Advice, Loaded
from .hardware.machine import MachineConfig, written
from .hardware.outcomes import Outcome, QueueOutcome, judge
from .hardware.topology import Topology

CHAIN = 8
"""Requests that one cpu may have in flight: a chain of the driver's batch size."""
OVERCOMMIT = 4
"""Chains of all its cpus over a device's descriptors. The series saw no shortage at about 2 and some at 7."""

_NOTHING_TO_BIND = (
    "No queue is left for the driver: compress answers -ENODEV."
    ' Configure an IAA device (iax1, ...) with a queue of type "kernel" and driver name "crypto".'
)


@dataclass(frozen=True, slots=True)
class MapRow:
    """Cpus that are served alike: ranges of ids, their packages, their device, and the queues of either direction.

    `compress` are the queues in the order in which a chain of the first of these cpus goes through them.
    """

    cpus: str
    nr_cpus: int
    package: str
    device: str
    compress: tuple[str, ...]
    decompress: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `examine` found: each queue's outcome, refusals and advice, and the map in order of cpus.

    Refusals are writes that fail, and why queues are impossible. `loads` says that every write succeeds. There is no
    map where `usable` is false.
    """

    queues: tuple[QueueOutcome, ...]
    refusals: tuple[ConfigurationError, ...]
    advice: tuple[Advice, ...]
    rows: tuple[MapRow, ...]
    loads: bool

    @property
    def accepted(self) -> bool:
        """Whether nothing at all is refused: then `Platform.open` takes the machine."""
        return not self.refusals

    @property
    def usable(self) -> bool:
        """Whether it loads, and the driver gets a queue."""
        return self.loads and any(found.outcome is Outcome.DRIVER for found in self.queues)


def examine(
    machine: MachineConfig, features: DriverFeatures, g_wqs_per_iaa: int = 0, loaded: Loaded | None = None
) -> Verdict:
    """Examine `machine` under a driver with `features` and this value of the attribute (ignored without patch 9).

    `loaded` is what `read_file` gave with the machine; a machine that was built in Python is written first.
    """
    loaded = loaded or written(machine.devices)
    found = judge(loaded)
    verdict = Verdict(found.queues, found.refusals, found.advice, (), found.loads)
    if not verdict.usable:
        return verdict if verdict.refusals else replace(verdict, advice=(*verdict.advice, Advice(_NOTHING_TO_BIND)))
    g_wqs = g_wqs_per_iaa if 9 in features else 0
    devices = [Device(config) for config in found.devices]
    tables = _bound_one_by_one(machine.topology, devices, 8 in features, g_wqs)
    advice = [line for pair in zip(loaded.devices, found.devices, strict=True) for line in _device_advice(*pair)]
    advice += _machine_advice(machine.topology, devices, tables, features, g_wqs)
    return replace(
        verdict,
        advice=(*found.advice, *map(Advice, advice)),
        rows=tuple(_rows(tables, [device for device in devices if device.bound_queues])),
    )


def _bound_one_by_one(topology: Topology, devices: Sequence[Device], by_package: bool, g_wqs: int) -> WqTables:
    tables = WqTables(topology, by_package=by_package, g_wqs_per_iaa=g_wqs)
    listed: list[Device] = []
    for device in devices:
        for wq in device.work_queues:
            if not device.bound_queues:
                listed.append(device)
            device.bound_queues.append(wq)
            tables.rebalance(listed)
    return tables


def _rows(tables: WqTables, devices: Sequence[Device]) -> Iterator[MapRow]:
    """One row per device and package table, in order of the first cpu."""
    alike: dict[tuple[int, int], list[int]] = {}
    for cpu, index in enumerate(tables.device_of_cpu):
        alike.setdefault((index, id(tables.package_table(cpu))), []).append(cpu)
    for (index, _), cpus in alike.items() if devices else ():
        packages = sorted({tables.topology.package_of(cpu) for cpu in cpus})
        local = tables.local_table(cpus[0])
        order = [tables.next_for_compress(cpus[0]) for _ in tables.package_table(cpus[0]) or local]
        yield MapRow(
            cpus=ranges(cpus),
            nr_cpus=len(cpus),
            package=", ".join(map(str, packages)),
            device=devices[index].name,
            compress=tuple(wq.name for wq in order if wq is not None),
            decompress=tuple(wq.name for wq in local),
        )


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers the way cpu lists are written: "0-13, 112-125"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _device_advice(config: DeviceConfig, of_driver: DeviceConfig) -> Iterator[str]:
    """About a device, and about it with the driver's queues only."""
    queues = of_driver.work_queues
    if not queues and config.crypto_queues():
        return  # it was said why they are impossible
    if not queues:
        yield f'{config.dev} has no queue for the driver. Add one of type "kernel" with the driver name "crypto".'
        return
    slots = sum(wq.slots for wq in config.work_queues)
    if slots < WORK_QUEUE_SLOTS:
        yield f"{config.dev} uses {slots} of {WORK_QUEUE_SLOTS} slots. Enlarge its queues to share all of them."
    for group in dict.fromkeys(wq.group_id for wq in queues):
        compress = [engine for engine in config.engines_of(group) if engine < COMPRESS_ENGINES]
        if len(compress) < COMPRESS_ENGINES:
            yield (
                f"{config.dev}: group {group} has {len(compress)} of {COMPRESS_ENGINES} engines that compress."
                " Assign engines 0 and 1 to it, or all eight."
            )


def _machine_advice(
    topology: Topology, devices: Sequence[Device], tables: WqTables, features: DriverFeatures, g_wqs: int
) -> Iterator[str]:
    used = [device for device in devices if device.bound_queues]
    load = [tables.device_of_cpu.count(index) for index in range(len(used))]
    if max(load) > 2 * max(min(load), 1):
        hint = " Use the mapping by package (patch 8)." if 8 not in features else ""
        yield (
            f"{used[load.index(max(load))].name} serves {max(load)} cpus,"
            f" {used[load.index(min(load))].name} only {min(load)}.{hint}"
        )
    share = devices_per_package(topology, len(used))
    if 8 in features and len(used) != share * topology.packages:
        yield (
            f"{len(used)} devices do not divide over {topology.packages} packages: some cpus are served by another"
            " package's device. Use the same number per package, probed package by package."
        )
    if 9 in features and g_wqs < 1 and all(len(device.bound_queues) > 1 for device in used):
        yield (
            "Each device has queues to spare, and compressions stay on the mapped device. Set g_wqs_per_iaa to 1 to"
            " spread them over all devices of the package."
        )
    if g_wqs > 0 and not any(tables.package_table(cpu) for cpu in range(topology.nr_cpus)):
        yield "g_wqs_per_iaa is set but no device has a second queue. Configure two queues of 64 per device."
    for device, cpus in zip(used, load, strict=True):
        descriptors = sum(wq.nr_descriptors for wq in device.work_queues)
        if cpus * CHAIN > OVERCOMMIT * descriptors:
            yield (
                f"{cpus} cpus share the {descriptors} descriptors of {device.name} and may ask for {CHAIN} each: under"
                " full load chains wait for descriptors and may end in -EAGAIN. Bind more devices."
            )
            break
