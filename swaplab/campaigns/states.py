"""States of the system that a campaign has to reach, by name: otherwise it did not test what one thinks."""

from collections.abc import Callable
from typing import Final

from zswap.testing import parts_of

from .system import System

STATES: Final[dict[str, Callable[[System], object]]] = {
    "descriptor exhaustion": lambda it: any(wq.waiting for device in it.platform.devices for wq in device.work_queues),
    "software fallback": lambda it: it.platform.stats.totals.total_sw_decomp_calls,
    "driver disabled": lambda it: not it.platform.enabled,
    "a lease that a landing hands on": lambda it: any(job.state == "abandoned" for job in it.platform.driver.in_flight),
    "rejected folio": lambda it: it.observed.counts["refused"],
    "page found": lambda it: it.observed.counts["found"],
    "contended context": lambda it: any(
        context.mutex.contended for pool in parts_of(it.zswap).pools.pools for context in pool.contexts
    ),
    "contended slot": lambda it: parts_of(it.zswap).slots.contended,
    "two pools": lambda it: len(parts_of(it.zswap).pools.pools) > 1,
    "full pools": lambda it: parts_of(it.zswap).limit.full,
    "writeback": lambda it: it.zswap.events["zswpwb"],
    "writeback failed": lambda it: parts_of(it.zswap).counters.reject_reclaim_fail,
    "incompressible page": lambda it: parts_of(it.zswap).counters.reject_compress_fail,
    "a job that an engine has disturbed": lambda it: it.engine.struck,
    "completion out of order": lambda it: it.engine.struck["out of order"],
}


def reach(system: System, *names: str) -> None:
    """Some run of the campaign has to reach each of these states."""
    for name in names:
        check = STATES[name]
        system.world.sometimes(lambda check=check: check(system), name)  # type: ignore[misc]
