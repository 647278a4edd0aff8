"""What the paths of a store share: one of each part, and no policy. `Zswap` makes it, the paths take it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .counters import Counters
from .inventory import Inventory
from .limits import PoolLimit
from .params import ZSWAP_MAX_BATCH_SIZE, Params, Settings
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
    _inline_pages: int = 0

    def turn_is_due(self, nr_pages: int) -> bool:
        """Whether the loop must be given a turn, after so many more pages were compressed or decompressed inline.

        After every 8 pages, over all calls: nobody stalls the loop for long, and a single page does not pay for a turn.
        """
        self._inline_pages += nr_pages
        if self._inline_pages < ZSWAP_MAX_BATCH_SIZE:
            return False
        self._inline_pages = 0
        return True
