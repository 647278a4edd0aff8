"""The pool limit and its hysteresis. Pages throughout."""

from acomp import PAGE_SIZE

from .counters import Counters
from .params import Settings


class PoolLimit:
    """Refuses folios from the moment the pools are full until they have shrunk to the accept threshold."""

    __slots__ = ("_counters", "_settings", "full")

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self._settings = settings
        self._counters = counters
        self.full = False
        """The latch: the pools were full and have not shrunk enough since."""

    @property
    def max_pages(self) -> int | None:
        """Pages that the pools may take, or None without a limit."""
        settings = self._settings
        if settings.max_pool_bytes is not None:
            return settings.max_pool_bytes // PAGE_SIZE
        if settings.ram_bytes is not None:
            return settings.ram_bytes // PAGE_SIZE * settings.max_pool_percent // 100
        return None

    @property
    def is_budget(self) -> bool:
        """Whether the limit is a number of bytes, and so one for whose sake older pages are evicted while stores wait.

        A percentage of memory is the kernel's kind of limit: it refuses at once, and shrinks in the background.
        """
        return self._settings.max_pool_bytes is not None

    @property
    def accept_pages(self) -> int | None:
        """Pages at which full pools accept again, or None without a limit."""
        max_pages = self.max_pages
        return None if max_pages is None else self._threshold(max_pages)

    def _threshold(self, max_pages: int) -> int:
        """For a budget one page below the limit at most, as there pools are full: a run has a page to free at least.

        By the kernel's limit a threshold of 100 percent lets a run end at once, and full pools stay full.
        """
        threshold = max_pages * self._settings.accept_threshold_percent // 100
        return min(threshold, max_pages - 1) if self.is_budget else threshold

    def reached(self, total_pages: int) -> bool:
        """Whether a folio must be refused now. Sets and clears the latch.

        It is asked before a folio is stored and not for each page, so what is under way may overshoot.
        """
        max_pages = self.max_pages
        if max_pages is None:
            self.full = False
        elif total_pages >= max_pages:
            self._counters.pool_limit_hit += 1
            self.full = True
        elif self.full and total_pages <= self._threshold(max_pages):
            self.full = False
        return self.full
