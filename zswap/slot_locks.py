"""Slot locks, the counterpart of the folio lock: who works on which swap slots, served in order of call.

A store holds all its slots from the check for stale entries to the last LRU addition, a load or a writeback holds its
one. Nobody awaits while taking the first place in line: `request` enters the line at once, and only a lease with
earlier overlapping ones before it has to wait. An invalidation is synchronous and waits for nobody; it marks the leases
it hits, and their holders end as if they had found nothing.
"""

import asyncio

_BLOCK_BITS = 9
"""Leases are found by blocks of 512 slots, the largest folio, so that one lease touches two blocks at most."""


class SlotLease:
    """A place in the line for the slots `first` .. `end - 1`; made by `SlotLocks.request`, given back by `release`."""

    __slots__ = ("_blocked", "_blockers", "_locks", "_serial", "_turn", "end", "first", "invalidated", "storing")

    def __init__(self, locks: "SlotLocks", serial: int, first: int, end: int) -> None:
        self._locks = locks
        self._serial = serial
        self.first = first
        self.end = end
        self.invalidated = False
        self.storing = False
        """Whether it is a store's: then nobody shall see what is at its slots before it ends."""
        self._blockers = 0  # earlier overlapping leases that are still there
        self._blocked: list[SlotLease] | None = None  # later ones that count this one
        self._turn: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = f"behind {self._blockers}" if self._blockers else "held"
        return f"<SlotLease {self.first}..{self.end - 1} {state}{' invalidated' if self.invalidated else ''}>"

    @property
    def held(self) -> bool:
        """Whether it is this lease's turn."""
        return not self._blockers

    async def wait(self) -> None:
        """Wait until every earlier overlapping lease is released. Returns at once if there is none."""
        if self._blockers:
            self._turn = asyncio.get_running_loop().create_future()
            await self._turn

    def release(self) -> None:
        """Leave the line, held or not. Leases that only waited for this one are held from now on."""
        self._locks._leave(self)
        if self._blocked is None:
            return
        for later in self._blocked:
            later._blockers -= 1
            if not later._blockers and later._turn is not None and not later._turn.done():
                later._turn.set_result(None)


class SlotLocks:
    """All leases of one store."""

    __slots__ = ("_blocks", "_requests")

    def __init__(self) -> None:
        self._requests = 0
        self._blocks: dict[int, list[SlotLease]] = {}

    def __len__(self) -> int:
        return len({id(lease) for leases in self._blocks.values() for lease in leases})

    @property
    def contended(self) -> bool:
        """Whether anybody waits for a turn."""
        return any(not lease.held for leases in self._blocks.values() for lease in leases)

    def request(self, first: int, nr_slots: int = 1) -> SlotLease:
        """Enter the line for these slots, now. The caller owns the lease from here on and must release it."""
        self._requests += 1
        lease = SlotLease(self, self._requests, first, first + nr_slots)
        block = first >> _BLOCK_BITS
        if block not in self._blocks and block == lease.end - 1 >> _BLOCK_BITS:
            self._blocks[block] = [lease]
            return lease
        for earlier in self._overlapping(first, lease.end):
            lease._blockers += 1
            if earlier._blocked is None:
                earlier._blocked = []
            earlier._blocked.append(lease)
        for block in range(first >> _BLOCK_BITS, (lease.end - 1 >> _BLOCK_BITS) + 1):
            self._blocks.setdefault(block, []).append(lease)
        return lease

    def is_free(self, slot: int) -> bool:
        """Whether nobody works on this slot or waits for it."""
        return not self._blocks or not self._overlapping(slot, slot + 1)

    def is_stored(self, slot: int) -> bool:
        """Whether a store works on this slot now."""
        return bool(self._blocks) and any(lease.storing and lease.held for lease in self._overlapping(slot, slot + 1))

    def try_request(self, slot: int) -> SlotLease | None:
        """A held lease for this one slot, or None if anybody works on it or waits for it."""
        return self.request(slot) if self.is_free(slot) else None

    def invalidate(self, first: int, nr_slots: int, before: SlotLease | None = None) -> None:
        """Mark every lease that overlaps these slots; with `before`, only those that stand before that one in line."""
        for lease in self._overlapping(first, first + nr_slots):
            if before is None or lease._serial < before._serial:
                lease.invalidated = True

    def invalidate_all(self) -> None:
        """Mark every lease: the store is closing and nothing that is still under way shall count."""
        for leases in self._blocks.values():
            for lease in leases:
                lease.invalidated = True

    def _overlapping(self, first: int, end: int) -> list[SlotLease]:
        """Leases over any of these slots, each once."""
        low, high = first >> _BLOCK_BITS, end - 1 >> _BLOCK_BITS
        if low == high:
            leases = self._blocks.get(low)
            return [] if leases is None else [lease for lease in leases if lease.first < end and first < lease.end]
        found: dict[SlotLease, None] = {}
        many = high - low > len(self._blocks)
        for block in sorted(self._blocks) if many else range(low, high + 1):
            for lease in self._blocks.get(block, ()):
                if lease.first < end and first < lease.end:
                    found[lease] = None
        return list(found)

    def _leave(self, lease: SlotLease) -> None:
        for block in range(lease.first >> _BLOCK_BITS, (lease.end - 1 >> _BLOCK_BITS) + 1):
            leases = self._blocks[block]
            leases.remove(lease)
            if not leases:
                del self._blocks[block]
