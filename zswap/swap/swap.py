"""`Swap`, the layer above the store: zero map, compressed store, swap device (docs/kernel.md#swap).

What reclaim and page faults do around zswap: a folio gets contiguous slots of the device, whether it goes there or not;
a folio of zeroes is a mark in the zero map; then the compressed store is asked; what that refuses is written to the
device. Under a byte budget (`Params.max_pool_bytes`) the store does not refuse for want of room as long as older pages
can go to the device instead. A page is found again wherever it went, or was written back to meanwhile.
"""

from collections.abc import AsyncIterator, Iterator
from enum import IntEnum
from errno import ECANCELED, ENOSPC, EPERM
from types import TracebackType
from typing import Final, Self

from acomp import PAGE_SIZE

from ..errors import CloseTimeoutError, StoreClosedError, StoreOpenError
from ..folio import Folio, check_slots
from ..inventory.slot_map import EMPTY, SlotMap
from ..params import Params
from ..slot_locks import SlotLease, SlotLocks
from ..wait_group import WaitGroup
from ..zswap import Zswap
from .device import FileDevice, SwapDevice
from .device_io import DeviceIo
from .extents import Extent, extents_of
from .owners import Owner, SlotOwners
from .slots import CLUSTER, NO_SLOT, SwapSlots

ZERO_PAGE: Final = bytes(PAGE_SIZE)
"""A page of zeroes; every zero page that is read is this object."""

# What is marked of each slot. A free one is as one whose page is being stored: nothing can be found there.
_NOTHING, _ZERO, _STORED = b"\0", b"\1", b"\2"


_NOBODY: Final[Owner] = (None, 0)


class Placed(IntEnum):
    """Where a page is, or where a folio went: nowhere since it is all zeroes, into the store, or to the device.

    The numbers rank how far out that is. Of a folio that had to be split, `Swap.store` returns the place of the page
    that went furthest. It prints as its name.
    """

    ZERO = 0
    ZSWAP = 1
    DEVICE = 2

    def __str__(self) -> str:
        return self.name

    def __format__(self, format_spec: str) -> str:
        return format(self.name, format_spec)


class Swap:
    """Swap space of one device below one compressed store. Open it with `async with Swap.open(params) as swap`.

    The verbs are those of `Zswap`, but `Folio.offset` counts pages of the caller's memory, 0 .. 2**50: slots of the
    device are allocated inside. Pages live as long as the context. Leaving it waits until the calls under way have
    ended, at most `Params.close_timeout`, and closes store and device. A store that is still under way then ends as not
    stored, a load with None.

    Differs from the kernel: there is no swap cache, so a page that is loaded gives its slot back at once, and a folio
    that is stored again gets other slots. A write to the device is waited for.
    """

    def __init__(self, params: Params, device: SwapDevice, at_home: bool = False) -> None:
        self.device = device
        self.zswap = Zswap(params, backing=self)
        """The compressed store below; its `params`, `stats`, `figures` are for reading and writing."""
        self.slots = SwapSlots(device.nr_slots)
        self._params = params
        self._at_home = at_home
        self._io = DeviceIo(device, self.slots)
        self._locks = SlotLocks()  # of pages
        self._pages = SlotMap()  # page -> slot
        self._marks = bytearray(device.nr_slots)
        self._owners = SlotOwners(device.nr_slots)
        self._in_flight = WaitGroup()
        self._state = "new"

    @classmethod
    def open(cls, params: Params | None = None, *, device: SwapDevice | None = None, at_home: bool = False) -> Self:
        """Swap space to be entered with `async with`; the default device is a sparse file of 1 GiB without a name.

        A device belongs to the swap space from here on and is closed with it. With `at_home` a page gets the slot of
        its own number where that is there and free, so that neighbours stay neighbours however often they are stored;
        for whoever has no more pages than the device has slots. (The kernel takes slots as they come.)
        """
        device = device if device is not None else FileDevice()
        return cls(params if params is not None else Params(), device, at_home)

    def __repr__(self) -> str:
        return f"<Swap {self._state}: {len(self._pages)} pages, {self.slots!r}, {self.zswap!r}>"

    async def __aenter__(self) -> Self:
        if self._state != "new":
            error = StoreOpenError if self._state == "open" else StoreClosedError
            raise error(f"this swap space is {self._state}; open another one")
        try:
            await self.zswap.__aenter__()
        except BaseException:
            self._state = "closed"
            self.device.close()
            raise
        try:
            self.zswap.swapon(self.device.nr_slots)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._state = "open"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._state = "closed"
        timeout = self._params.close_timeout
        try:
            if not await self._in_flight.ended(timeout):
                self._locks.invalidate_all()
            await self.zswap.__aexit__(kind, error, traceback)
            landed = await self._io.in_flight.ended(timeout)
        finally:
            self.zswap.close_now()
            self._locks.invalidate_all()
            self._io.close()
        if not landed:
            raise CloseTimeoutError(f"the swap device did not answer within {timeout} s; it is closed when it does")

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and offset >= 0 and self._pages.get(offset) != EMPTY

    def where(self, offset: int) -> Placed | None:
        """Where the page at this offset is at the moment; None if there is none, or its store has not ended yet.

        A plain call that changes nothing. A page that went to ZSWAP is on the DEVICE once it was written back.
        """
        self._check()
        slot = self._pages.get(check_slots(offset))
        if slot == EMPTY or self._marks[slot] == _NOTHING[0]:
            return None
        if self._marks[slot] == _ZERO[0]:
            return Placed.ZERO
        return Placed.ZSWAP if slot in self.zswap else Placed.DEVICE

    def __len__(self) -> int:
        """Pages stored, wherever they are."""
        return len(self._pages)

    def __iter__(self) -> Iterator[int]:
        """The offsets of all stored pages, ascending."""
        return iter(self._pages)

    def _check(self) -> None:
        if self._state != "open":
            raise StoreClosedError(f"the swap space is {self._state}; do this inside its context")
        self.zswap._check()

    async def store(self, folio: Folio) -> Placed:
        """Swap a folio out and say where it went; or raise OSError, and then the caller still holds the only copy.

        ENOSPC: no slots left, or the disk is full. EIO: the device failed. EPERM: the compressed store refused it and
        its cgroup forbids writeback. ECANCELED: it was invalidated meanwhile, or the swap space closed without
        waiting for it any longer. Whatever was stored at these offsets before is gone in any case. A large folio for
        which there is no contiguous run is split, and counted as the kernel does (`swpout_fallback-64kB`, for example).
        CpuOfflineError as in `Zswap.store`.
        """
        self._check()
        if not isinstance(folio, Folio):
            raise TypeError(f"store takes a zswap.Folio, not {type(folio).__name__}")
        lease = self._locks.request(folio.offset, folio.nr_pages)
        placed: Placed | None = None
        self._in_flight.begin()
        try:
            await lease.wait()
            self._forget(folio.offset, folio.nr_pages)
            where = await self._place(folio, lease)
            self._check_wanted(lease)
            placed = where
            return where
        finally:
            if placed is None:
                if not lease.held:
                    self._locks.invalidate(folio.offset, folio.nr_pages, before=lease)
                self._forget(folio.offset, folio.nr_pages)
            lease.release()
            self._in_flight.end()

    async def _place(self, folio: Folio, lease: SlotLease) -> Placed:
        self._check_wanted(lease)
        slot = self._allocate(folio.offset, folio.nr_pages)
        if slot != NO_SLOT:
            return await self._place_at(slot, folio, lease)
        if folio.cgroup is not None:
            folio.cgroup.count("fail")
        if folio.nr_pages == 1:
            raise OSError(ENOSPC, f"all {self.slots.nr_slots} slots of the swap device are taken")
        self._count_large("swpout_fallback", folio.nr_pages)
        placed = Placed.ZERO
        for i, page in enumerate(folio.pages(0, folio.nr_pages)):
            single = Folio(folio.offset + i, page, cgroup=folio.cgroup, node=folio.node)
            placed = max(placed, await self._place(single, lease))
        return placed

    async def _place_at(self, slot: int, folio: Folio, lease: SlotLease) -> Placed:
        """The kernel's writepage step, on slots that are allocated; from here on they belong to the page map."""
        self._map(slot, folio)
        events = self.zswap.events
        if folio.data[:PAGE_SIZE] == ZERO_PAGE and folio.data == bytes(len(folio.data)):
            self._mark(slot, folio.nr_pages, _ZERO)
            events["swpout_zero"] += folio.nr_pages
            if folio.cgroup is not None:
                folio.cgroup.count("swpout_zero", folio.nr_pages)
            return Placed.ZERO
        if await self.zswap.store(Folio(slot, folio.data, cgroup=folio.cgroup, node=folio.node)):
            self._mark(slot, folio.nr_pages, _STORED)
            return Placed.ZSWAP
        self._check_wanted(lease)
        if folio.cgroup is not None and not folio.cgroup.may_write_back:
            raise OSError(EPERM, f"the compressed store refused it, and {folio.cgroup.path} forbids writeback")
        await self._io.write(slot, folio.data)
        events["pswpout"] += folio.nr_pages
        self._count_large("swpout", folio.nr_pages)
        self._check_wanted(lease)  # else its slots may be another folio's by now
        self._mark(slot, folio.nr_pages, _STORED)
        return Placed.DEVICE

    def _allocate(self, offset: int, nr_pages: int) -> int:
        if self._at_home and self.slots.take(offset, nr_pages):
            return offset
        return self.slots.allocate(nr_pages)

    def store_at_once(self, offset: int, page: bytes) -> Placed | None:
        """Swap out a page that is nobody's if that waits for nothing and nothing stands in the way; else None.

        A plain call: where it goes, as from `store`, which is to be called after None. Then nothing has changed, and an
        older page is still there. The page keeps its slot, if it had one.
        """
        self._check()
        slot = self._pages.get(offset)
        fresh = slot == EMPTY
        if not self._locks.is_free(offset):
            return None
        if not fresh and (self._owners[slot] != _NOBODY or self.slots.is_held(slot)):
            return None  # I/O that a cancelled call has left: its slots are not written to again before it has landed
        if fresh and (slot := self._allocate(offset, 1)) == NO_SLOT:
            return None
        placed = self._place_at_once(slot, page)
        if fresh and placed is None:
            self.slots.free(slot)
        elif fresh:
            self._owners.take(slot, 1, _NOBODY)
            self._pages.put_range(offset, [slot])
        return placed

    def _place_at_once(self, slot: int, page: bytes) -> Placed | None:
        if not page[0] and page == ZERO_PAGE:
            self.zswap.invalidate(slot)
            self._mark(slot, 1, _ZERO)
            self.zswap.events["swpout_zero"] += 1
            return Placed.ZERO
        if not self.zswap.store_at_once(slot, page):
            return None
        self._mark(slot, 1, _STORED)
        return Placed.ZSWAP

    def _mark(self, slot: int, nr_pages: int, mark: bytes) -> None:
        self._marks[slot : slot + nr_pages] = mark * nr_pages

    def _check_wanted(self, lease: SlotLease) -> None:
        if lease.invalidated:
            raise OSError(ECANCELED, "the folio was invalidated, or the swap space closed, while it was stored")

    def _map(self, slot: int, folio: Folio) -> None:
        self._owners.take(slot, folio.nr_pages, (folio.cgroup, folio.node))
        self._pages.put_range(folio.offset, range(slot, slot + folio.nr_pages))

    def _count_large(self, event: str, nr_pages: int) -> None:
        self.zswap.count_folio(event, nr_pages)
        if nr_pages == CLUSTER:
            self.zswap.events[f"thp_{event}"] += 1

    async def load(self, offset: int, keep: bool = False) -> bytes | None:
        """Return the page at this offset, wherever it is, and forget it unless `keep`; None if there is none.

        OSError when the device cannot read it, DecompressError when the compressor cannot: then the page stays stored,
        as it does when the load is cancelled.
        """
        self._check()
        check_slots(offset)
        lease = self._locks.request(offset)
        self._in_flight.begin()
        try:
            await lease.wait()
            slot = self._pages.get(offset)
            if slot == EMPTY or lease.invalidated:
                return None
            page = await self._read(slot, keep, lease)
            if page is None or lease.invalidated:
                return None
            if not keep:
                self._forget(offset, 1)
            return page
        finally:
            lease.release()
            self._in_flight.end()

    async def _read(self, slot: int, keep: bool, lease: SlotLease) -> bytes | None:
        """Zero map, then the compressed store, then the device.

        None from the store may also mean that the page was invalidated meanwhile; then the device has nothing to say.
        """
        if self._counted_zero(slot):
            return ZERO_PAGE
        page = await self.zswap.load(slot, keep)
        if page is None and not lease.invalidated:
            page = (await self._read_device(slot, 1))[0]
        return page

    async def _read_device(self, slot: int, nr_pages: int) -> list[bytes]:
        """Pages that were written to the device, or written back to it."""
        owners = [self._owners[slot + i] for i in range(nr_pages)]
        data = await self._io.read(slot, nr_pages)
        self.zswap.events["pswpin"] += nr_pages
        for owner in owners:
            self.zswap.protect(*owner)
        return [data[at : at + PAGE_SIZE] for at in range(0, len(data), PAGE_SIZE)]

    async def load_range(self, offset: int, nr_pages: int) -> list[bytes]:
        """Return the pages from this offset on, wherever they are, which stay stored; zeroes where there is none.

        Zero pages and holes are one object, `zswap.ZERO_PAGE`. What the store has is decompressed together, what
        lies side by side on the device is read together. A page that is invalidated meanwhile is what it was, or
        zeroes. Errors as in `load`, for the range as a whole; ECANCELED when the swap space closed meanwhile.
        """
        self._check()
        check_slots(offset, nr_pages)
        lease = self._locks.request(offset, nr_pages)
        self._in_flight.begin()
        try:
            await lease.wait()
            return await self._read_range(offset, nr_pages, lease)
        finally:
            lease.release()
            self._in_flight.end()

    async def _read_range(self, offset: int, nr_pages: int, lease: SlotLease) -> list[bytes]:
        pages = [ZERO_PAGE] * nr_pages
        slots = self._pages.window(offset, nr_pages)
        stored = [i for i, slot in enumerate(slots) if slot != EMPTY and not self._counted_zero(slot)]
        if not stored:
            return pages
        missing: list[int] = []
        for i, page in zip(stored, await self.zswap.load_many([slots[i] for i in stored]), strict=True):
            if page is None:
                missing.append(i)
            else:
                pages[i] = page
        for slot, count in _runs([slots[i] for i in missing]):
            if lease.invalidated and self._state != "open":
                raise OSError(ECANCELED, "the swap space closed while the pages were read")
            run, missing = missing[:count], missing[count:]
            # A slot that is not the page's any more may be another page's by now.
            still_there = [self._pages.get(offset + i) == slots[i] for i in run]
            for i, page, valid in zip(run, await self._read_device(slot, count), still_there, strict=True):
                if valid:
                    pages[i] = page
        return pages

    def _counted_zero(self, slot: int) -> bool:
        """Whether the page at this slot is all zeroes; then it counts as loaded."""
        if self._marks[slot] != _ZERO[0]:
            return False
        self.zswap.events["swpin_zero"] += 1
        cgroup, _ = self._owners[slot]
        if cgroup is not None:
            cgroup.count("swpin_zero")
        return True

    def extents(self, offset: int, nr_pages: int) -> Iterator[Extent]:
        """What the pages from this offset on are, as runs of (nr_pages, kind), neighbours of different kinds.

        "data": a page, or one that is being stored. "zero": stored, and all zeroes. "hole": no page. A plain call;
        its iterator sees what is there when it gets there.
        """
        self._check()
        check_slots(offset, nr_pages)
        return extents_of(self._pages, lambda slot: self._marks[slot] == _ZERO[0], offset, nr_pages)

    def load_at_once(self, offset: int) -> bytes | None:
        """Return the page at this offset, which stays stored, or zeroes if there is none; None if that means waiting.

        A plain call; after None call `load_range`.
        """
        self._check()
        if not self._locks.is_free(offset):
            return None
        slot = self._pages.get(offset)
        if slot == EMPTY or self._counted_zero(slot):
            return ZERO_PAGE
        return self.zswap.load_at_once(slot)

    def invalidate(self, offset: int, nr_pages: int = 1) -> int:
        """Forget these pages, now; a plain call. Returns how many there were.

        A load of one of them that is under way ends with None, a store with ECANCELED.
        """
        self._check()
        check_slots(offset, nr_pages)
        self._locks.invalidate(offset, nr_pages)
        return self._forget(offset, nr_pages)

    async def release(self, offset: int, nr_pages: int = 1) -> int:
        """Forget these pages as an exiting process does: see `Zswap.release`. From the call on nobody finds them."""
        self._check()
        check_slots(offset, nr_pages)
        self._locks.invalidate(offset, nr_pages)  # a load under way must not look for released pages on the device
        slots = self._unmap(offset, nr_pages)
        try:
            for slot, count in _runs(slots):
                await self.zswap.release(slot, count)
        finally:
            self._give_back(slots)
        return len(slots)

    def _forget(self, offset: int, nr_pages: int) -> int:
        """Take these pages off the map and give their slots back."""
        slots = self._unmap(offset, nr_pages)
        self._give_back(slots)
        return len(slots)

    def _unmap(self, offset: int, nr_pages: int) -> list[int]:
        """Take these pages off the map: the slots that they had, which are the caller's now."""
        return self._pages.pop_range(offset, nr_pages)

    def _give_back(self, slots: list[int]) -> None:
        """These slots are free, and what the zero map and the store know of them is forgotten."""
        for slot, count in _runs(slots):
            self._mark(slot, count, _NOTHING)
            self._owners.drop(slot, count)
            if self._state == "open":
                self.zswap.invalidate(slot, count)
            self.slots.free(slot, count)

    async def write_back(self, slot: int, page: bytes) -> None:
        """The store below writes one of its pages to the device (it has locked the slot)."""
        await self._io.write(slot, page)
        self.zswap.events["pswpout"] += 1

    async def sync(self) -> None:
        """Make durable what the device holds (`fsync`)."""
        self._check()
        await self._io.sync()

    async def swapoff(self) -> AsyncIterator[tuple[int, bytes]]:
        """Hand every page back, by ascending offset, until there are none: `async for offset, page in swap.swapoff()`.

        A page is forgotten when it is handed out. One that cannot be read raises as `load` does, and stays.
        """
        for offset in list(self._pages):
            page = await self.load(offset)
            if page is not None:
                yield offset, page


def _runs(slots: list[int]) -> Iterator[tuple[int, int]]:
    """Slots as runs of consecutive ones: the first of each, and how many."""
    if slots and slots == list(range(slots[0], slots[0] + len(slots))):  # as a rule
        yield slots[0], len(slots)
        return
    start = 0
    for i in range(1, len(slots) + 1):
        if i == len(slots) or slots[i] != slots[i - 1] + 1:
            yield slots[start], i - start
            start = i
