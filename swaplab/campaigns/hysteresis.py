"""The pool limit's latch, watched: full pools let no store in before they have shrunk to the accept threshold."""

from zswap import Swap
from zswap.testing import is_idle, parts_of

from .system import System


class Hysteresis:
    """What the limit has to say to a store that is called now, told from the outside."""

    def __init__(self, system: System) -> None:
        assert system.swap is not None
        self._swap: Swap = system.swap
        self._parts = parts_of(system.swap)
        self._was_full = False

    def crossed(self) -> bool:
        """Whether pools were full after an earlier event and are not now."""
        full = self._parts.limit.full
        crossed = self._was_full and not full
        self._was_full = full
        return crossed

    def must_refuse(self, offset: int, nr_pages: int) -> bool:
        """Whether a folio for these offsets has no place in memory.

        It is said only where nothing else can happen before the limit is asked: nobody is at work, and the folio is in
        place of no other. By a percentage only: under a budget such a store waits until older pages have left.
        """
        limit, pages = self._parts.limit, self._parts.pools.total_pages
        if limit.max_pages is None or limit.is_budget or not is_idle(self._swap):
            return False
        if any(slot in self._swap for slot in range(offset, offset + nr_pages)):
            return False
        accept = limit.accept_pages
        assert accept is not None
        return pages >= limit.max_pages or (limit.full and pages > accept)
