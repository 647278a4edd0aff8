"""The keys of a saved configuration: which are written, which only say what a device is like, and where objects are.

Tables without code, for `load_config`. A key that is in none of them is told to the reader of the file, never refused.
"""

from typing import Final

from .config import MAX_ENGINES, MAX_GROUPS, MAX_TRANSFER_SIZE, MAX_WORK_QUEUES, WORK_QUEUE_SLOTS
from .config_rules import NUMBERS, TEXTS

LISTS: Final = frozenset(
    {
        "groups",
        "grouped_workqueues",
        "grouped_engines",
        "ungrouped_workqueues",
        "ungrouped workqueues",  # as `accel-config list` writes it
        "ungrouped_engines",
        "ungrouped engines",
    }
)
"""Keys under which objects are listed. Under which of them, says nothing about an object."""

WRITTEN: Final = {"wq": TEXTS | NUMBERS, "engine": frozenset({"group_id"})}
"""Keys that change the state that is modelled here, by the kind of object."""

CONSTANTS: Final = {
    "max_groups": MAX_GROUPS,
    "max_work_queues": MAX_WORK_QUEUES,
    "max_engines": MAX_ENGINES,
    "work_queue_size": WORK_QUEUE_SLOTS,
    "max_transfer_size": MAX_TRANSFER_SIZE,
    "max_batch_size": 1,
}
"""What an IAA device of Sapphire Rapids says of itself. A file repeats it, and nothing of it is written."""

PASSED_OVER: Final = {
    "device": CONSTANTS.keys()
    | {
        "pasid_enabled", "max_tokens", "max_read_buffers", "token_limit", "read_buffer_limit", "numa_node", "version",
        "ims_size", "state", "clients", "configurable", "errors", "cdev_major", "cmd_status", "op_cap", "gen_cap",
        "iaa_cap", "event_log_size",
    },
    "group": frozenset(
        {
            "tokens_reserved", "tokens_allowed", "use_token_limit", "read_buffers_reserved", "read_buffers_allowed",
            "use_read_buffer_limit", "traffic_class_a", "traffic_class_b", "desc_progress_limit",
            "batch_progress_limit",
        }
    ),
    "wq": frozenset({"max_batch_size", "ats_disable", "op_config", "state", "clients", "cdev_minor", "occupancy"}),
    "engine": frozenset[str](),
}  # fmt: skip
"""Keys that saved files have, and that make no difference here."""
