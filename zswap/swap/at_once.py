"""A single page by plain calls, where nothing would wait: who has none to wait for needs no task and no lease."""

from ..inventory.slot_map import EMPTY
from .parts import NOBODY, STORED, ZERO, ZERO_PAGE, SwapParts
from .placed import Placed
from .slots import NO_SLOT


def store_at_once(parts: SwapParts, offset: int, page: bytes) -> Placed | None:
    """Where a page that is nobody's went; None, and nothing has changed, if that waits or something is in the way."""
    slot = parts.pages.get(offset)
    fresh = slot == EMPTY
    if not parts.locks.is_free(offset):
        return None
    if not fresh and (parts.owners[slot] != NOBODY or parts.slots.is_held(slot)):
        return None  # I/O that a cancelled call has left: its slots are not written to again before it has landed
    if fresh and (slot := parts.allocate(offset, 1)) == NO_SLOT:
        return None
    placed = _place(parts, slot, page)
    if fresh and placed is None:
        parts.slots.free(slot)
    elif fresh:
        parts.owners.take(slot, 1, NOBODY)
        parts.pages.put_range(offset, [slot])
    return placed


def _place(parts: SwapParts, slot: int, page: bytes) -> Placed | None:
    if not page[0] and page == ZERO_PAGE:
        parts.zswap.invalidate(slot)
        parts.mark(slot, 1, ZERO)
        parts.zswap.events["swpout_zero"] += 1
        return Placed.ZERO
    if not parts.zswap.store_at_once(slot, page):
        return None
    parts.mark(slot, 1, STORED)
    return Placed.ZSWAP


def load_at_once(parts: SwapParts, offset: int) -> bytes | None:
    """The page at this offset, which stays stored, or zeroes if there is none; None if that means waiting."""
    if not parts.locks.is_free(offset):
        return None
    slot = parts.pages.get(offset)
    if slot == EMPTY or parts.load_zero(slot):
        return ZERO_PAGE
    return parts.zswap.load_at_once(slot)
