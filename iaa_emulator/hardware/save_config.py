"""A saved configuration from the state of devices, in the order in which `accel-config load-config` can write it.

A size comes before the threshold that is compared with it, and the type before the name that it would clear. A shared
queue with a threshold and no size gets the kernel's size; no threshold is written for a dedicated queue, where it would
be skipped. There is no empty list and no max_batch_size, which end the load.
"""

import json
from collections.abc import Sequence
from typing import Any

from .config import KERNEL_SIZE, NO_GROUP, DeviceConfig, WorkQueueConfig


def dump_devices(devices: Sequence[DeviceConfig]) -> str:
    """The text that `accel-config load-config` reads. ValueError without a device: an empty list does not load."""
    if not devices:
        raise ValueError("a configuration needs a device; accel-config does not load an empty list")
    return json.dumps(save_config(devices), indent=2) + "\n"


def save_config(devices: Sequence[DeviceConfig]) -> list[dict[str, Any]]:
    """The same as a list of devices, before it is text."""
    return [_device(device) for device in devices]


def _device(device: DeviceConfig) -> dict[str, Any]:
    saved: dict[str, Any] = {"dev": device.dev}
    if device.pasid_enabled is not None:
        saved["pasid_enabled"] = int(device.pasid_enabled)
    saved["groups"] = [_group(device, index) for index in device.groups()]
    saved["ungrouped_workqueues"] = [_queue(wq) for wq in device.queues_of(NO_GROUP)]
    return _without_empty_lists(saved)


def _group(device: DeviceConfig, index: int) -> dict[str, Any]:
    return _without_empty_lists(
        {
            "dev": f"group{device.number}.{index}",
            "grouped_workqueues": [_queue(wq) for wq in device.queues_of(index)],
            "grouped_engines": [
                {"dev": f"engine{device.number}.{engine}", "group_id": index} for engine in device.engines_of(index)
            ],
        }
    )


def _queue(wq: WorkQueueConfig) -> dict[str, Any]:
    saved: dict[str, Any] = {
        "dev": wq.dev,
        "mode": wq.mode,
        "size": wq.size or (KERNEL_SIZE if wq.mode == "shared" and wq.threshold else 0),
        "group_id": wq.group_id,
        "priority": wq.priority,
        "block_on_fault": wq.block_on_fault,
        "prs_disable": wq.prs_disable,
        "max_transfer_size": wq.max_transfer_size,
        "enqcmds_retries": wq.enqcmds_retries,
        "type": wq.type,
        "name": wq.name,
        "driver_name": wq.driver_name,
        "threshold": wq.threshold,
    }
    reset = WorkQueueConfig(wq.dev)
    seldom = ("prs_disable", "enqcmds_retries", "name", "driver_name", "threshold")
    return {key: value for key, value in saved.items() if key not in seldom or value != getattr(reset, key)}


def _without_empty_lists(saved: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in saved.items() if value != []}
