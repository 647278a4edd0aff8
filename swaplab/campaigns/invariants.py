"""What must hold while a campaign runs, and when all is done, by its number in docs/invariants.md.

What is looked at after every event is a handful of comparisons.
"""

from collections.abc import Callable
from typing import Final

from zswap.testing import parts_of

from .system import System

AT_REST: Final = {
    "I1": "I1 every descriptor is free",
    "I2": "I2 nothing is held",
    "I9": "I9 a page is at one place",
    "I10": "I10 tree, LRUs and allocators agree",
    "I14": "I14 the counters balance",
}
LARGEST_ZSPAGE: Final = 8
"""Pages that storing one page may add to a pool."""
LARGEST_FOLIO: Final = 16
"""Pages of the largest folio that a campaign with a limit stores."""


def watch(system: System) -> None:
    """Promise what holds at any time, and at rest."""
    world, history = system.world, system.observed.history
    queues = [wq for device in system.platform.devices for wq in device.work_queues]
    world.always(
        lambda: not any(wq.waiting and wq.bound and wq.in_flight < wq.nr_descriptors for wq in queues),
        "I1 nobody waits for a descriptor while one is free",
    )
    world.always(_limit_is_kept(system), "I11 the pool limit is exceeded by what is under way at most")
    for number, name in AT_REST.items():
        world.at_rest(lambda number=number: not _said(system, number), name)  # type: ignore[misc]
    world.at_rest(lambda: not history.unexplained(), "I9 an order explains all loads and stores")
    world.at_rest(lambda: not history.torn(), "I12 a folio is in as a whole or not at all")


def _said(system: System, number: str) -> bool:
    return any(line.startswith(f"{number}:") for line in system.unrest)


def _limit_is_kept(system: System) -> Callable[[], bool]:
    """A check that remembers what was under way when the limit was last kept."""
    parts, storing = parts_of(system.zswap), system.observed.storing
    slack = 0

    def holds() -> bool:
        nonlocal slack
        most = parts.limit.max_pages
        if most is None:
            return True
        pages = parts.pools.total_pages
        if pages <= most:
            slack = LARGEST_ZSPAGE * (sum(storing.values()) + LARGEST_FOLIO)
        return pages <= most + slack

    return holds
