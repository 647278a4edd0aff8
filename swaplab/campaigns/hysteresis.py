"""The pool limit's latch, watched: from when pools are full until they accept again, no store begins and succeeds."""

from zswap.testing import parts_of

from .history import NEVER
from .system import System


class Hysteresis:
    """When the pools were full, by the clock of the history. `crossed`: they were, and have accepted again."""

    def __init__(self, system: System) -> None:
        self._limit = parts_of(system.zswap).limit
        self._observed = system.observed
        self._full: list[tuple[int, int]] = []
        self.crossed = False

    def look(self) -> bool:
        """Called after each event; always true."""
        full, now = self._limit.full, self._observed.history.now
        is_open = bool(self._full) and self._full[-1][1] == NEVER
        if full and not is_open:
            self._full.append((now, NEVER))
        elif is_open and not full:
            self._full[-1] = (self._full[-1][0], now)
            self.crossed = True
        return True

    def too_early(self) -> list[int]:
        """First slots of folios that were stored as a whole while pools were full.

        By a percentage only: under a budget such a store waits for older pages to leave.
        """
        if self._limit.is_budget:
            return []
        return [
            min(folio.values)
            for folio in self._observed.history.folios
            for began, ended in self._full
            if folio.in_memory and began < folio.called and folio.returned < ended
        ]
