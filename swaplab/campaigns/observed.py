"""A store whose loads and stores are noted: what clients of a campaign use, and what is asked of it at the end."""

from collections import Counter
from collections.abc import Callable

from acomp import PAGE_SIZE
from swaplab.stress import World
from zswap import Cgroup, CpuOfflineError, DecompressError, Folio, Placed, Swap, Zswap

from .history import EMPTY, FolioStore, History, Operation
from .pages import Kind, is_intact, number_of, page_of

ZEROES = (1 << 32) - 1
"""The number of the page of zeroes, of which there is one only."""
MOST_READ_BACK = 32
_ZERO_PAGE = bytes(PAGE_SIZE)


class Observed:
    """A `Zswap` or a `Swap` that is used through here alone.

    What the product promises is more than what every store promises, and is taken at its word: a store that was
    cancelled or refused has emptied its slots before it returned, a load that was cancelled or failed has changed
    nothing. `counts` has how often what happened, and `damaged` the slots that gave a page with other bytes than were
    stored.
    """

    def __init__(self, world: World, store: Zswap | Swap) -> None:
        self.store_ = store
        self.history = History()
        self.counts: Counter[str] = Counter()
        self.damaged: list[int] = []
        self.must_refuse: Callable[[int, int], bool] = lambda offset, nr_pages: False
        """Whether a folio that is stored now may not go into memory; those that did are in `let_in`."""
        self.let_in: list[int] = []
        self.storing: dict[int, int] = {}
        """Pages of the stores under way, by number of the first page."""
        self._world = world
        self._pages = 0

    async def store(
        self, offset: int, nr_pages: int = 1, kind: Kind = "text", *, cgroup: Cgroup | None = None, zero: bool = False
    ) -> bool:
        """Store a folio of new pages, or of zeroes; whether it is in. The last page is of that `kind`."""
        first = self._pages + 1
        self._pages += nr_pages
        last = first + nr_pages - 1
        pages = [*map(page_of, range(first, last)), page_of(last, kind)]
        data = bytes(PAGE_SIZE * nr_pages) if zero else b"".join(pages)
        called, placed, is_refused = self.history.tick(), None, self.must_refuse(offset, nr_pages)
        self.storing[first] = nr_pages
        try:
            placed = await self._placed(Folio(offset, data, cgroup=cgroup))
        finally:
            del self.storing[first]
            returned = self.history.tick()
            new = {offset + i: ZEROES if zero else first + i for i in range(nr_pages)}
            for slot, value in new.items():
                self.history.note(slot, Operation("write", EMPTY if placed is None else value, called, returned))
            if placed is not None and not zero:
                self.history.folios.append(FolioStore(new, called, returned))
                if is_refused and placed is Placed.ZSWAP:
                    self.let_in.append(offset)
            self.counts["rightly refused"] += is_refused
        self.counts["refused" if placed is None else "stored"] += 1
        return placed is not None

    async def _placed(self, folio: Folio) -> Placed | None:
        try:
            where = await self.store_.store(folio)
        except (OSError, CpuOfflineError) as error:
            self.counts[type(error).__name__] += 1
            return None
        if isinstance(where, Placed):
            return where
        return Placed.ZSWAP if where else None

    async def load(self, offset: int, keep: bool = False) -> int:
        """Load what is there: the page's number, `EMPTY` without one or if it can not be read."""
        called = self.history.tick()
        try:
            page = await self.store_.load(offset, keep)
        except (OSError, DecompressError, CpuOfflineError) as error:
            self.counts[type(error).__name__] += 1
            return EMPTY
        number = EMPTY if page is None else self._number(offset, page)
        self.history.note(offset, Operation("read" if keep else "take", number, called, self.history.tick()))
        self.counts["found" if number else "not found"] += 1
        return number

    def invalidate(self, offset: int, nr_pages: int = 1) -> None:
        """Forget these slots."""
        called = self.history.tick()
        self.store_.invalidate(offset, nr_pages)
        for slot in range(offset, offset + nr_pages):
            self.history.note(slot, Operation("write", EMPTY, called, self.history.tick()))

    async def read_back(self) -> None:
        """Look at every slot that was ever used, at the end; of more than `MOST_READ_BACK` some, evenly spread."""
        slots = sorted(self.history.slots)
        step = -(-len(slots) // MOST_READ_BACK)
        for slot in slots[:: max(step, 1)]:
            await self.load(slot, keep=True)

    def _number(self, offset: int, page: bytes) -> int:
        if page == _ZERO_PAGE:
            return ZEROES
        if not is_intact(page):
            self.damaged.append(offset)
        return number_of(page)
