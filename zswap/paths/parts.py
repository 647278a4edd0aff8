"""What the paths of a store share: one of each part, and no policy. `Zswap` makes it, the paths take it."""

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol

from ..counters import Counters
from ..inventory.inventory import Inventory
from ..limits import PoolLimit
from ..params import ZSWAP_MAX_BATCH_SIZE, Params, Settings
from ..pool.pool import PoolList
from ..slot_locks import SlotLocks

DECOMPRESSED_PER_COMPRESSED: Final = 4
"""Pages that decompress in the time that one takes to compress, roughly and for every codec here."""
INLINE_WORK_PER_TURN: Final = DECOMPRESSED_PER_COMPRESSED * ZSWAP_MAX_BATCH_SIZE


class Backing(Protocol):
    """Where written back pages go: the swap device below the store, seen from the store."""

    async def write_back(self, slot: int, page: bytes) -> None:
        """Put a page where a load of that slot finds it from now on; OSError when the device cannot."""


class ShrinkWorker(Protocol):
    """The worker that empties full pools, seen from a store that was refused."""

    def queue(self) -> None:
        """Start a run, unless there is one."""

    async def make_room(self) -> None:
        """Wait until a run has ended: the one that is under way, else a new one."""


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
    loop: asyncio.AbstractEventLoop | None = None
    """The store's event loop, from when it was opened."""
    worker: ShrinkWorker = field(init=False)
    """Empties full pools; set right after, for it needs these parts itself."""
    _inline_work: int = 0

    def turn_is_due(self, compressed: int = 0, decompressed: int = 0) -> bool:
        """Whether the loop must be given a turn, after so many more pages were compressed or decompressed inline.

        After every 8 or 32 pages, over all calls: nobody stalls the loop for long, and a page does not pay for a turn.
        """
        self._inline_work += DECOMPRESSED_PER_COMPRESSED * compressed + decompressed
        if self._inline_work < INLINE_WORK_PER_TURN:
            return False
        self._inline_work = 0
        return True

    def may_decompress_now(self) -> bool:
        """Count a page that is decompressed inline, unless a turn would be due after it."""
        if self._inline_work + 1 >= INLINE_WORK_PER_TURN:
            return False
        self._inline_work += 1
        return True
