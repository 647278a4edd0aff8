"""Memory cgroups: a hierarchy charged for compressed bytes, with limits and events.

Charges go to a cgroup and all its ancestors. Compressed bytes count against `memory.current` too, so a cgroup that is
reclaimed into zswap gets back less than it gives. Charging them can not fail. The same cgroup may own pages of several
stores. What reclaim *does* about a limit is the business of the store and of workloads; here are the numbers.
"""

from collections import Counter
from collections.abc import Iterator
from errno import EINVAL

from acomp import PAGE_SIZE

from .errors import ParameterError


class Cgroup:
    """A cgroup `name` below `parent` (None: the root of a hierarchy of its own).

    `zswap_max`: bytes of compressed pages (None: "max"); `zswap_writeback`: whether its pages may go to the swap
    device; `memory_high`, `memory_max`: bytes (None: "max"). All may change at any time. ParameterError for a limit
    that makes no sense.
    """

    def __init__(
        self,
        name: str,
        parent: "Cgroup | None" = None,
        *,
        zswap_max: int | None = None,
        zswap_writeback: bool = True,
        memory_high: int | None = None,
        memory_max: int | None = None,
    ) -> None:
        for limit, value in (("zswap_max", zswap_max), ("memory_high", memory_high), ("memory_max", memory_max)):
            if value is not None and (type(value) is not int or value < 0):
                raise ParameterError(EINVAL, limit, value, "write a number of bytes, or None for no limit")
        self.name = name
        self.parent = parent
        self.children: dict[Cgroup, None] = {}
        """Cgroups below it in the order in which they were made; without those that went."""
        self.zswap_max = zswap_max
        self.zswap_writeback = zswap_writeback
        self.memory_high = memory_high
        self.memory_max = memory_max
        self.zswap_current = 0
        """Bytes of compressed pages, of descendants too (memory.zswap.current; ZSWAP_B)."""
        self.zswapped = 0
        """Pages that are stored compressed, of descendants too (ZSWAPPED)."""
        self.memory_current = 0
        self.events: Counter[str] = Counter()
        """memory.stat (zswpin, zswpout, zswpwb, swpin_zero, swpout_zero: pages) and memory.events (high, max, fail)."""
        self.online = True
        """Until it is removed: see `Zswap.offline_cgroup`."""
        self.lineage: tuple[Cgroup, ...] = (self, *parent.lineage) if parent is not None else (self,)
        """This cgroup and its ancestors, the root last."""
        if parent is not None:
            parent.children[self] = None

    def __repr__(self) -> str:
        return f"<Cgroup {self.path}: {self.zswap_current} bytes compressed, {self.memory_current} in all>"

    @property
    def path(self) -> str:
        """Names from the root down, as in the cgroup file system; "/" is the root itself."""
        return "/" + "/".join(cgroup.name for cgroup in reversed(self.lineage[:-1]))

    @property
    def heir(self) -> "Cgroup | None":
        """The owner of its pages: itself while it is online, then its nearest online ancestor (None: nobody)."""
        if self.online:
            return self
        return next((cgroup for cgroup in self.lineage if cgroup.online), None)

    def go_offline(self) -> None:
        """Mark it as removed; the hierarchy forgets it as soon as nothing is below it. A store calls this."""
        self.online = False
        gone = self
        while gone.parent is not None and not gone.online and not gone.children:
            gone.parent.children.pop(gone, None)
            gone = gone.parent

    @property
    def may_write_back(self) -> bool:
        """Whether neither it nor an ancestor forbids zswap writeback."""
        return all(cgroup.zswap_writeback for cgroup in self.lineage)

    def walk(self) -> Iterator["Cgroup"]:
        """This cgroup and its descendants that are online, parents first."""
        if self.online:
            yield self
        for child in self.children:
            yield from child.walk()

    def may_zswap(self) -> bool:
        """Whether every limit from here up to, and without, the root leaves room.

        0 forbids; else whole pages of compressed bytes must be below the limit. Passing is not tested again later, so
        stores that run at once can overshoot.
        """
        for cgroup in self.lineage[:-1]:
            limit = cgroup.zswap_max
            if limit is not None and (limit == 0 or cgroup.zswap_current // PAGE_SIZE >= limit // PAGE_SIZE):
                return False
        return True

    def charge_zswap(self, length: int, nr_pages: int = 1) -> None:
        """Charge the pages that were stored, and their `length` bytes together."""
        for cgroup in self.lineage:
            cgroup.zswap_current += length
            cgroup.memory_current += length
            cgroup.zswapped += nr_pages

    def uncharge_zswap(self, length: int, nr_pages: int = 1) -> None:
        """Take back the charge of pages that are gone."""
        self.charge_zswap(-length, -nr_pages)

    def forget_zswap(self, length: int, nr_pages: int = 1) -> None:
        """Hand the charge of those pages over to the heir, whose pages they are from now on."""
        self.zswap_current -= length
        self.memory_current -= length
        self.zswapped -= nr_pages

    def count(self, event: str, n: int = 1) -> None:
        """Count an event here and in every ancestor."""
        for cgroup in self.lineage:
            cgroup.events[event] += n

    def charge(self, nr_bytes: int) -> bool:
        """Charge memory of a workload. Over a limit: False, nothing charged, and an event `max` where the limit is."""
        for cgroup in self.lineage:
            if cgroup.memory_max is not None and cgroup.memory_current + nr_bytes > cgroup.memory_max:
                cgroup.count("max")
                return False
        for cgroup in self.lineage:
            cgroup.memory_current += nr_bytes
        return True

    def uncharge(self, nr_bytes: int) -> None:
        """Give memory of a workload back."""
        for cgroup in self.lineage:
            cgroup.memory_current -= nr_bytes

    def over_high(self) -> int:
        """Bytes by which the tightest level stands above its memory.high; 0 if none does. Reclaim is the workload's."""
        excess = (group.memory_current - group.memory_high for group in self.lineage if group.memory_high is not None)
        return max(0, max(excess, default=0))
