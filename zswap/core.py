"""What the paths of a store share: one of each part, and no policy. `Zswap` makes it, the paths take it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .counters import Counters
from .inventory import Inventory
from .limits import PoolLimit
from .params import Params, Settings
from .pool import PoolList
from .slots import SlotLocks


class Backing(Protocol):
    """Where written back pages go: the swap device below the store, seen from the store."""

    async def write_back(self, slot: int, page: bytes) -> None:
        """Put a page where a load of that slot finds it from now on; OSError when the device cannot."""


@dataclass(slots=True)
class Core:
    """The parts of one store."""

    params: Params
    settings: Settings
    counters: Counters
    pools: PoolList
    inventory: Inventory
    limit: PoolLimit
    slots: SlotLocks
    backing: Backing | None = None
    queue_shrink: Callable[[], None] = lambda: None
    """Wakes the global shrink worker."""
