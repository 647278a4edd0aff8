"""Neighbouring pages read together, wherever they are; they stay stored."""

from errno import ECANCELED

from ..inventory.slot_map import EMPTY
from ..slot_locks import SlotLease
from .parts import ZERO, ZERO_PAGE, SwapParts, runs


async def load_range(parts: SwapParts, offset: int, nr_pages: int) -> list[bytes]:
    """The pages from this offset on; ZERO_PAGE where there is none, or none but zeroes."""
    lease = parts.locks.request(offset, nr_pages)
    parts.in_flight.begin()
    try:
        await lease.wait()
        return await _read(parts, offset, nr_pages, lease)
    finally:
        lease.release()
        parts.in_flight.end()


async def _read(parts: SwapParts, offset: int, nr_pages: int, lease: SlotLease) -> list[bytes]:
    pages = [ZERO_PAGE] * nr_pages
    slots = parts.pages.window(offset, nr_pages)
    marks, zero = parts.marks, ZERO[0]  # asked for each page
    stored = [i for i, slot in enumerate(slots) if slot != EMPTY and (marks[slot] != zero or not parts.load_zero(slot))]
    if not stored:
        return pages
    missing: list[int] = []
    for i, page in zip(stored, await parts.zswap.load_many([slots[i] for i in stored]), strict=True):
        if page is None:
            missing.append(i)
        else:
            pages[i] = page
    for slot, count in runs([slots[i] for i in missing]):
        if lease.invalidated and parts.state != "open":
            raise OSError(ECANCELED, "the swap space closed while the pages were read")
        run, missing = missing[:count], missing[count:]
        # A slot that is not the page's any more may be another page's by now.
        still_there = [parts.pages.get(offset + i) == slots[i] for i in run]
        for i, page, valid in zip(run, await parts.read_device(slot, count), still_there, strict=True):
            if valid:
                pages[i] = page
    return pages
