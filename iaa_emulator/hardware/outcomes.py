"""What becomes of each configured queue once everything is written: the driver's, somebody else's, or impossible.

Judged from the state that `load_config` left behind. First each device with queues in groups is enabled, then each
queue with the driver name "crypto" is bound to iaa_crypto. Knows nothing of cpus, tables and jobs.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from ..errors import ConfigurationError
from .config import KERNEL_SIZE, NO_GROUP, WORK_QUEUE_SLOTS, DeviceConfig, WorkQueueConfig
from .config_rules import refusal
from .load_config import Advice, Loaded


class Outcome(StrEnum):
    """Who gets a queue: iaa_crypto; a program or another driver, which is nothing to object to; nobody."""

    DRIVER = "the driver's"
    OTHER = "somebody else's"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class QueueOutcome:
    """One queue with its outcome. `detail` is a few words about it, `causes` say why it is impossible."""

    device: str
    queue: str
    outcome: Outcome
    detail: str
    causes: tuple[ConfigurationError, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """All queues of all devices; `refusals` (failing writes, and why queues are impossible) and `advice` by line.

    `devices` are the IAA devices with the driver's queues only. `loads`: every write succeeded.
    """

    queues: tuple[QueueOutcome, ...]
    refusals: tuple[ConfigurationError, ...]
    advice: tuple[Advice, ...]
    devices: tuple[DeviceConfig, ...]
    loads: bool


def judge(loaded: Loaded) -> Judgement:
    """Enable every device and bind every queue that can be."""
    queues = [found for device in loaded.devices for found in _queues(device, loaded)]
    queues += [QueueOutcome(dsa, wq, Outcome.OTHER, "of a dsa device") for wq, dsa in loaded.dsa_queues.items()]
    causes = [cause for found in queues for cause in found.causes]
    refusals = {id(error): error for error in [*loaded.refused, *causes]}.values()
    taken = {found.queue for found in queues if found.outcome is Outcome.DRIVER}
    advice = [*loaded.advice, *_advice(loaded, taken)]
    return Judgement(
        tuple(queues),
        tuple(sorted(refusals, key=lambda error: error.at.line if error.at else 0)),
        tuple(sorted(advice, key=lambda said: said.at.line if said.at else 0)),
        tuple(
            replace(device, work_queues=[wq for wq in device.work_queues if wq.dev in taken])
            for device in loaded.devices
        ),
        not loaded.refused,
    )


def _queues(device: DeviceConfig, loaded: Loaded) -> Iterator[QueueOutcome]:
    of_device = [error for error in loaded.refused if error.at and error.at.object == device.dev]
    of_device += _engine_faults(device, loaded)
    for wq in device.work_queues:
        if wq.idle:
            continue
        if _of_others(wq):
            yield QueueOutcome(device.dev, wq.dev, Outcome.OTHER, f"type {wq.type}, driver name {wq.driver_name!r}")
            continue
        causes = [*_queue_faults(wq, device, loaded), *of_device]
        if causes:
            keys = dict.fromkeys(cause.at.key for cause in causes if cause.at)
            yield QueueOutcome(device.dev, wq.dev, Outcome.IMPOSSIBLE, ", ".join(keys), tuple(causes))
        else:
            detail = f"{wq.mode}, {wq.nr_descriptors} descriptors, group {wq.group_id}"
            yield QueueOutcome(device.dev, wq.dev, Outcome.DRIVER, detail)


def _engine_faults(device: DeviceConfig, loaded: Loaded) -> Iterator[ConfigurationError]:
    """Why a device with queues in groups cannot be enabled."""
    used = [group for group in device.groups() if device.queues_of(group)]
    if used and not device.engines:
        listed = (name for name, key in loaded.written if key == "dev" and name.startswith(f"engine{device.number}."))
        name = next(listed, device.dev)
        cause = f"{device.dev} has no engine in any group, and is not enabled"
        remedy = f"Give engines a group_id of their own, such as {used[0]}."
        yield _at(loaded, name, "grouped_engines" if name == device.dev else "group_id", refusal(cause, remedy))
        return
    for group in used:
        if not device.engines_of(group):
            queues = ", ".join(wq.dev for wq in device.queues_of(group))
            cause = f"group {group} of {device.dev} has {queues} and no engine, so that {device.dev} is not enabled"
            first = device.queues_of(group)[0].dev
            yield _at(loaded, first, "group_id", refusal(cause, f"Give an engine the group_id {group}."))


def _queue_faults(wq: WorkQueueConfig, device: DeviceConfig, loaded: Loaded) -> Iterator[ConfigurationError]:
    """Writes to this queue that failed, and what its state then lacks; a lack that such a write explains comes once."""
    failed = {error.at.key: error for error in loaded.refused if error.at and error.at.object == wq.dev}
    yield from failed.values()
    for key, error in _lacks(wq, device, loaded):
        if key not in failed:
            yield _at(loaded, wq.dev, key, error)


def _lacks(wq: WorkQueueConfig, device: DeviceConfig, loaded: Loaded) -> Iterator[tuple[str, ConfigurationError]]:
    if wq.group_id == NO_GROUP:
        yield "group_id", refusal(f"{wq.dev} is in no group", "Give it the group_id of a group that has engines.")
    if not wq.priority:
        yield "priority", refusal(f"{wq.dev} has the priority 0, as after a reset", "Give it a priority of 1 to 15.")
    if wq.for_crypto and not wq.name:
        yield "name", _nameless(wq, loaded)
    if not wq.driver_name:
        remedy = 'Set it to "crypto", or to the driver that is to have the queue.'
        yield "driver_name", refusal(f"{wq.dev} is of type kernel and has no driver_name", remedy, errno.ENODEV)
    if wq.mode == "shared":
        by_default = "" if (wq.dev, "mode") in loaded.written else " (it has no mode, and a reset leaves it shared)"
        if not 1 <= wq.threshold <= wq.slots:
            cause = f"{wq.dev} is shared{by_default} and has the threshold {wq.threshold}"
            remedy = "Set mode to dedicated, or a threshold of 1 to its size, behind size."
            yield ("mode" if by_default else "threshold"), refusal(cause, remedy)
        if device.pasid_enabled is False:
            cause = f"{wq.dev} is shared{by_default}, and {device.dev} has pasid_enabled 0"
            remedy = "Boot with intel_iommu=on,sm_on (scalable mode), or set mode to dedicated."
            yield "mode", refusal(cause, remedy, errno.EOPNOTSUPP)


def _nameless(wq: WorkQueueConfig, loaded: Loaded) -> ConfigurationError:
    written = loaded.written.get((wq.dev, "name"))
    if written and written.value:
        return refusal(f"the name of {wq.dev} stands before its type, which clears it", "Put name behind type.")
    return refusal(f"{wq.dev} has no name", 'Give it one behind type, such as "name": "iaa_crypto".')


def _at(loaded: Loaded, name: str, key: str, error: ConfigurationError) -> ConfigurationError:
    error.at = loaded.place(name, key)
    return error


def _advice(loaded: Loaded, taken: set[str]) -> Iterator[Advice]:
    for device in loaded.devices:
        queues = [wq for wq in device.work_queues if wq.dev in taken]
        yield from _of_the_drivers_queues(device, queues, loaded)
        yield from _of_all_queues(device, loaded)


def _of_the_drivers_queues(device: DeviceConfig, queues: list[WorkQueueConfig], loaded: Loaded) -> Iterator[Advice]:
    for wq in queues:
        if not wq.size:
            text = f"{wq.dev} has no size and gets {KERNEL_SIZE} descriptors from the kernel (5.17 and later)."
            yield Advice(f"{text} Give it a size.", loaded.place(wq.dev, "size"))
        if wq.type != "kernel":
            text = f"{wq.dev} has the type {wq.type}, and is bound for its driver_name alone. Set type to kernel."
            yield Advice(text, loaded.place(wq.dev, "type"))
    shared = [wq for wq in queues if wq.mode == "shared"]
    if shared and device.pasid_enabled is None:
        text = f"{shared[0].dev} is shared: {device.dev} needs PASID (intel_iommu=on,sm_on), of which nothing is said."
        yield Advice(text, loaded.place(shared[0].dev, "mode"))


def _of_all_queues(device: DeviceConfig, loaded: Loaded) -> Iterator[Advice]:
    """What may keep the whole device from being enabled, whoever has the queue; no write failed."""
    slots = sum(wq.slots for wq in device.work_queues)
    if slots > WORK_QUEUE_SLOTS:
        unsized = next(wq for wq in device.work_queues if wq.slots > wq.size)
        text = (
            f"the queues of {device.dev} come to {slots} descriptors, with {KERNEL_SIZE} for each that has no size, and"
            f" the device has {WORK_QUEUE_SLOTS}. Give all of them sizes."
        )
        yield Advice(text, loaded.place(unsized.dev, "size"))
    for wq in device.work_queues:
        if not wq.priority and wq.group_id != NO_GROUP and _of_others(wq):
            text = f"{wq.dev} has the priority 0, with which {device.dev} may not be enabled, whoever uses the queue."
            yield Advice(f"{text} Give it 1 to 15.", loaded.place(wq.dev, "priority"))


def _of_others(wq: WorkQueueConfig) -> bool:
    """Whether the queue is meant for somebody else."""
    return not wq.idle and not wq.for_crypto and (wq.type != "kernel" or bool(wq.driver_name))
