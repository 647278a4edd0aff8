"""Safeguards of ours, each with the campaign that claims to notice when it is gone; `proof` sees that it does.

Rows of the table are named by their rule; what stands here with an operator is held by no single test as sharply.
"""

from dataclasses import dataclass

from tests.mutants.operators import Drop, Negate, Operator, Replace, Swap
from tests.mutants.table import TABLE

ROWS = {row.rule: row for row in TABLE}

STORM = "chain-storm"
DEVICE = "contended-device"
HOTPLUG = "hotplug"
PRESSURE = "pool-pressure"
SWITCHING = "compressor-switching"
LOSS = "device-loss"
CANCELLED = "cancellation-storm"
CGROUPS = "mixed-cgroups"
CACHED = "cached-values"

STORE = "zswap.paths.store"
LOAD = "zswap.paths.load"
POOL = "zswap.pool.pool"
INVENTORY = "zswap.inventory.inventory"
SWAP = "zswap.swap.swap"
SWAP_PARTS = "zswap.swap.parts"


@dataclass(frozen=True)
class Safeguard:
    """One rule, how it is broken (as in `Row`), and the campaign that notices."""

    rule: str
    module: str
    function: str
    operator: Operator
    campaign: str


def of_table(rule: str, campaign: str) -> Safeguard:
    """The safeguard of a row of the table."""
    row = ROWS[rule]
    return Safeguard(row.rule, row.module, row.function, row.operator, campaign)


SAFEGUARDS = [
    of_table("parallel: -EAGAIN is pending at poll", STORM),
    of_table("parallel: a failing member does not stop later submissions", STORM),
    of_table("serial: the return is the last operation's code", STORM),
    of_table("serial: the original completion is called when the last one is final", STORM),
    of_table("serial: a failed allocation is -ENOMEM on all", STORM),
    of_table("serial: a cancelled run restores the list", STORM),
    Safeguard(
        "slots: who was granted one and is cancelled passes it on",
        "iaa_emulator.hardware.descriptor_slots",
        "DescriptorSlots._pass_on",
        Drop("release"),
        DEVICE,
    ),
    of_table("slots: who has waited longest gets the slot", DEVICE),
    Safeguard("store: the lock of an LRU is given back", STORE, "_store_batch", Drop("release"), DEVICE),
    Safeguard(
        "driver: a submission that is refused gives its slot back",
        "iaa_emulator.driver.submission",
        "Submission.begin",
        Drop("release"),
        HOTPLUG,
    ),
    of_table("stats: a removed queue's counters go to the book", HOTPLUG),
    Safeguard(
        "pool: contexts live as long as their pool", POOL, "Pool.dead_cpu", Negate("pool_lifetime_contexts"), HOTPLUG
    ),
    Safeguard("pool: a cpu that goes leaves its context unlocked", POOL, "Pool.dead_cpu", Drop("unlock"), HOTPLUG),
    Safeguard(
        "pool: a context that went offline meanwhile is not kept", POOL, "Pool.lock_current", Drop("unlock"), HOTPLUG
    ),
    Safeguard("swap: a page that was loaded is gone", SWAP, "Swap.load", Drop("forget"), PRESSURE),
    Safeguard(
        "swap: what a slot held in the store goes with it",
        SWAP_PARTS,
        "SwapParts.give_back",
        Drop("invalidate"),
        PRESSURE,
    ),
    Safeguard("swap: a folio that was not stored is forgotten", SWAP, "Swap.store", Drop("forget", 2), PRESSURE),
    of_table("zswap: pools are full at their limit", PRESSURE),
    Safeguard(
        "shrink worker: it runs where its store was opened",
        "zswap.paths.shrink_worker",
        "GlobalShrinker.begin",
        Swap("copy_context", by="contextvars.Context"),
        PRESSURE,
    ),
    Safeguard(
        "zswap: full pools accept again at the threshold only",
        "zswap.limits",
        "PoolLimit.reached",
        Swap("_threshold", by="(lambda most: most)"),
        PRESSURE,
    ),
    Safeguard("swap: device I/O holds its slots", "zswap.swap.device_io", "DeviceIo._call", Drop("hold"), PRESSURE),
    Safeguard(
        "load: it holds the pool while it waits for a context",
        "zswap.paths.decompress",
        "decompress",
        Drop("get"),
        SWITCHING,
    ),
    Safeguard("store: it holds its pool", STORE, "_store_in_current_pool", Drop("get"), SWITCHING),
    Safeguard("pool: entries hold it", INVENTORY, "Inventory.publish", Drop("refs"), SWITCHING),
    Safeguard(
        "verify: other bytes are no success",
        "iaa_emulator.driver.reaping",
        "Reaping.verify",
        Replace("EINVAL", by="0"),
        LOSS,
    ),
    Safeguard("job: a second landing is ignored", "iaa_emulator.hardware.job", "Job.end", Drop("if"), LOSS),
    Safeguard(
        "mutex: who was granted it and is cancelled passes it on",
        "zswap.mutex",
        "Mutex._pass_on",
        Drop("release"),
        CANCELLED,
    ),
    Safeguard(
        "parking lot: who was served and is cancelled passes on",
        "acomp.parking_lot",
        "ParkingLot.park",
        Drop("pass_on"),
        CANCELLED,
    ),
    Safeguard(
        "slot locks: served in order of call", "zswap.slot_locks", "SlotLocks.request", Drop("_blockers"), CANCELLED
    ),
    Safeguard(
        "job: given up, it holds its request",
        "iaa_emulator.hardware.job",
        "Job.abandon",
        Drop("acomp_request_get"),
        CANCELLED,
    ),
    Safeguard("pool: a cancelled wait for a context drops it", POOL, "Pool.lock", Drop("put"), CANCELLED),
    Safeguard("load: a page that was loaded is gone", LOAD, "load", Drop("remove"), CANCELLED),
    of_table("zswap: a store that fails takes older entries with it", CANCELLED),
    Safeguard("store: entries that were not published are freed", STORE, "_store_batch", Drop("discard"), CANCELLED),
    Safeguard(
        "cgroup: pages that are gone are not charged",
        INVENTORY,
        "Inventory._free_alike",
        Drop("uncharge_zswap"),
        CGROUPS,
    ),
    Safeguard("lru: the heir gets the entries", "zswap.inventory.lru", "LruTable.reparent", Drop("add"), CGROUPS),
    Safeguard(
        "cache: a computation that has landed is over", "zswap.cache.flights", "Flights._landed", Drop("delete"), CACHED
    ),
]
