"""What the paths of a store share: one of each part, and no policy. `Zswap` makes it, the paths take it."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from ..counters import Counters
from ..inventory.inventory import Inventory
from ..limits import PoolLimit
from ..mutex import Mutex
from ..params import Params, Settings
from ..pool.pool import PoolList
from ..slot_locks import SlotLocks
from ..turns import InlineWork


class Backing(Protocol):
    """Where written back pages go: the swap device below the store, seen from the store."""

    async def write_back(self, slot: int, page: bytes) -> None:
        """Put a page where a load of that slot finds it from now on; OSError when the device cannot."""


class ShrinkWorker(Protocol):
    """The worker that empties full pools, seen from a store that found them full."""

    runs_in_vain: int
    """Runs so far that ended above the threshold."""

    def queue(self) -> None:
        """Start a run, unless there is one."""

    async def make_room(self) -> None:
        """Wait until a run has ended: the one that is under way, else a new one. Where none begins, it is in vain."""


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of one store."""

    params: Params
    """What the store was opened with."""
    settings: Settings
    """What of it may have been changed since."""
    counters: Counters
    pools: PoolList
    inventory: Inventory
    limit: PoolLimit
    slots: SlotLocks
    backing: Backing | None
    inline_work: InlineWork = field(default_factory=InlineWork)
    line: Mutex = field(default_factory=Mutex)
    """Of stores that want room under a byte budget; see `admission`."""
    worker: ShrinkWorker = field(init=False)
    """Empties full pools; set right after the others, for it needs them itself."""
    loop: asyncio.AbstractEventLoop | None = field(init=False, default=None)
    """The store's event loop, from when it was opened."""
