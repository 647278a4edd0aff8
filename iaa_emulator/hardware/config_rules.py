"""What sysfs makes of one write to a work queue, at the moment it happens: the new state, or a refusal.

Called for every key of a configuration, in its order. The order matters: a threshold is compared with the size as it
is, a new type clears the name. Knows nothing of files and lines.
"""

import errno
from collections.abc import Callable
from typing import Final

from ..errors import ConfigurationError
from .config import MAX_GROUPS, MAX_TRANSFER_SIZE, NO_GROUP, WORK_QUEUE_SLOTS, DeviceConfig, WorkQueueConfig

Rule = Callable[[WorkQueueConfig, int], str | None]

RANGES: Final = {
    "group_id": (NO_GROUP, MAX_GROUPS - 1),
    "priority": (0, 15),
    "block_on_fault": (0, 1),
    "prs_disable": (0, 1),
    "max_transfer_size": (1, MAX_TRANSFER_SIZE),
    "enqcmds_retries": (0, 64),
}
WORDS: Final = {"mode": ("shared", "dedicated"), "type": ("none", "kernel", "user")}
TEXTS: Final = frozenset({"name", "driver_name"} | WORDS.keys())
NUMBERS: Final = frozenset({"size", "threshold"} | RANGES.keys())


def write(device: DeviceConfig, wq: WorkQueueConfig, key: str, value: object) -> str | None:
    """Write `value` to the attribute `key` (one of TEXTS and NUMBERS) of a queue of `device`.

    Returns what the writer should know though nothing failed, a sentence, or None. Raises ConfigurationError for what
    the kernel refuses; nothing is changed then.
    """
    if key in TEXTS:
        return _write_text(wq, key, _text(wq.dev, key, value))
    number = _number(wq.dev, key, value)
    if key in RANGES:
        check_range(wq.dev, key, number)
    if key == "size":
        _check_size(device, wq, number)
    if key in _RULES:
        return _RULES[key](wq, number)
    setattr(wq, key, number)
    return None


def check_range(name: str, key: str, number: int) -> None:
    """Raise ConfigurationError unless `number` is in the range of `key`, one of RANGES."""
    least, most = RANGES[key]
    if not least <= number <= most:
        raise refusal(f"{key} {number} is refused by {name}", f"Give it {least} to {most}.")


def _write_text(wq: WorkQueueConfig, key: str, text: str) -> str | None:
    if key in WORDS and text not in WORDS[key]:
        raise refusal(f"{key} {text!r} is refused by {wq.dev}", f"Give it one of {', '.join(WORDS[key])}.")
    if key == "type" and text != wq.type:
        wq.name = ""
    if key == "mode" and text == "dedicated":
        wq.threshold = 0
    setattr(wq, key, text)
    return None


def _check_size(device: DeviceConfig, wq: WorkQueueConfig, number: int) -> None:
    total = number + sum(other.size for other in device.work_queues if other is not wq)
    if number < 0:
        raise refusal(f"size {number} is refused by {wq.dev}", f"Give it 1 to {WORK_QUEUE_SLOTS} descriptors.")
    if total > WORK_QUEUE_SLOTS:
        raise refusal(
            f"with size {number} the queues of {device.dev} would have {total} descriptors together,"
            f" and the device has {WORK_QUEUE_SLOTS}",
            f"Make the sizes sum up to {WORK_QUEUE_SLOTS} at most.",
        )


def _threshold(wq: WorkQueueConfig, number: int) -> str | None:
    if wq.mode == "dedicated":
        return f"{wq.dev} is dedicated, its threshold {number} is skipped. Leave it out." if number else None
    if not 1 <= number <= wq.size:
        if not wq.size:
            why, remedy = "which has no size yet", "Put size before threshold; the latter may be 1 to that size."
        else:
            why, remedy = f"which has the size {wq.size}", f"Give it 1 to {wq.size}."
        raise refusal(f"threshold {number} is refused by the shared queue {wq.dev}, {why}", remedy)
    wq.threshold = number
    return None


def _block_on_fault(wq: WorkQueueConfig, number: int) -> str | None:
    if number and wq.prs_disable:
        raise refusal(
            f"block_on_fault 1 is refused by {wq.dev}, whose prs_disable is 1: it cannot wait for a page to come in",
            "Leave one of the two out.",
        )
    wq.block_on_fault = number
    return None


def _prs_disable(wq: WorkQueueConfig, number: int) -> str | None:
    cleared = number and wq.block_on_fault
    wq.prs_disable = number
    if not cleared:
        return None
    wq.block_on_fault = 0
    return f"prs_disable 1 clears the block_on_fault that {wq.dev} had. Leave one of the two out."


def _max_transfer_size(wq: WorkQueueConfig, number: int) -> str | None:
    wq.max_transfer_size = 1 << (number - 1).bit_length()
    if wq.max_transfer_size == number:
        return None
    return f"max_transfer_size {number} of {wq.dev} is rounded up to {wq.max_transfer_size}, a power of two."


_RULES: Final[dict[str, Rule]] = {
    "threshold": _threshold,
    "block_on_fault": _block_on_fault,
    "prs_disable": _prs_disable,
    "max_transfer_size": _max_transfer_size,
}


def _text(name: str, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise refusal(f"{key} of {name} is no text", "Write it in quotes.")
    return value


def _number(name: str, key: str, value: object) -> int:
    if type(value) is int:
        return value
    if isinstance(value, str):
        raise refusal(f"{key} {value!r} of {name} is a text", "Write the number without quotes.")
    raise refusal(f"{key} of {name} is no whole number", "Write one in decimal digits.")


def engine_group(name: str, value: object) -> int:
    """The group that the engine `name` is in once `value` was written to its group_id. Raises as `write` does."""
    group = _number(name, "group_id", value)
    check_range(name, "group_id", group)
    return group


def refusal(cause: str, remedy: str, code: int = errno.EINVAL) -> ConfigurationError:
    """An error that says why, and what to do."""
    return ConfigurationError(code, cause, remedy)
