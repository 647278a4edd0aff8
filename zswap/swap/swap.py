"""`Swap`, the layer above the store: zero map, compressed store, swap device (docs/kernel.md#swap).

What reclaim and page faults do around zswap: a folio gets contiguous slots of the device, whether it goes there or not;
a folio of zeroes is a mark in the zero map; then the compressed store is asked; what that refuses is written to the
device. Under a byte budget (`Params.max_pool_bytes`) the store does not refuse for want of room as long as older pages
can go to the device instead. A page is found again wherever it went, or was written back to meanwhile.
"""

from collections.abc import AsyncIterator, Iterator
from errno import ECANCELED, ENOSPC, EPERM
from types import TracebackType
from typing import Self

from acomp import PAGE_SIZE

from ..errors import CloseTimeoutError, StoreClosedError, StoreOpenError
from ..folio import Folio, check_slots
from ..inventory.slot_map import EMPTY
from ..params import Params
from ..slot_locks import SlotLease
from ..zswap import Zswap
from . import at_once, ranges
from .device import FileDevice, SwapDevice
from .device_io import DeviceIo
from .extents import Extent, extents_of
from .owners import SlotOwners
from .parts import NOTHING, STORED, ZERO, ZERO_PAGE, SwapParts, runs
from .placed import Placed
from .slots import CLUSTER, NO_SLOT, SwapSlots


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
        self._parts = SwapParts(
            zswap=self.zswap,
            slots=self.slots,
            io=DeviceIo(device, self.slots),
            at_home=at_home,
            owners=SlotOwners(device.nr_slots),
            marks=bytearray(device.nr_slots),
        )

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
        return f"<Swap {self._parts.state}: {len(self._parts.pages)} pages, {self.slots!r}, {self.zswap!r}>"

    async def __aenter__(self) -> Self:
        if self._parts.state != "new":
            error = StoreOpenError if self._parts.state == "open" else StoreClosedError
            raise error(f"this swap space is {self._parts.state}; open another one")
        try:
            await self.zswap.__aenter__()
        except BaseException:
            self._parts.state = "closed"
            self.device.close()
            raise
        try:
            self.zswap.swapon(self.device.nr_slots)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._parts.state = "open"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._parts.state = "closed"
        timeout = self._params.close_timeout
        try:
            if not await self._parts.in_flight.ended(timeout):
                self._parts.locks.invalidate_all()
            await self.zswap.__aexit__(kind, error, traceback)
            landed = await self._parts.io.in_flight.ended(timeout)
        finally:
            self.zswap.close_now()
            self._parts.locks.invalidate_all()
            self._parts.io.close()
        if not landed:
            raise CloseTimeoutError(f"the swap device did not answer within {timeout} s; it is closed when it does")

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and offset >= 0 and self._parts.pages.get(offset) != EMPTY

    def where(self, offset: int) -> Placed | None:
        """Where the page at this offset is at the moment; None if there is none, or its store has not ended yet.

        A plain call that changes nothing. A page that went to ZSWAP is on the DEVICE once it was written back.
        """
        self._check()
        slot = self._parts.pages.get(check_slots(offset))
        if slot == EMPTY or self._parts.marks[slot] == NOTHING[0]:
            return None
        if self._parts.is_zero(slot):
            return Placed.ZERO
        return Placed.ZSWAP if slot in self.zswap else Placed.DEVICE

    def __len__(self) -> int:
        """Pages stored, wherever they are."""
        return len(self._parts.pages)

    def __iter__(self) -> Iterator[int]:
        """The offsets of all stored pages, ascending."""
        return iter(self._parts.pages)

    def _check(self) -> None:
        if self._parts.state != "open":
            raise StoreClosedError(f"the swap space is {self._parts.state}; do this inside its context")
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
        lease = self._parts.locks.request(folio.offset, folio.nr_pages)
        placed: Placed | None = None
        self._parts.in_flight.begin()
        try:
            await lease.wait()
            self._parts.forget(folio.offset, folio.nr_pages)
            where = await self._place(folio, lease)
            self._check_wanted(lease)
            placed = where
            return where
        finally:
            if placed is None:
                if not lease.held:
                    self._parts.locks.invalidate(folio.offset, folio.nr_pages, before=lease)
                self._parts.forget(folio.offset, folio.nr_pages)
            lease.release()
            self._parts.in_flight.end()

    async def _place(self, folio: Folio, lease: SlotLease) -> Placed:
        self._check_wanted(lease)
        slot = self._parts.allocate(folio.offset, folio.nr_pages)
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
        self._parts.map(slot, folio)
        events = self.zswap.events
        if folio.data[:PAGE_SIZE] == ZERO_PAGE and folio.data == bytes(len(folio.data)):
            self._parts.mark(slot, folio.nr_pages, ZERO)
            events["swpout_zero"] += folio.nr_pages
            if folio.cgroup is not None:
                folio.cgroup.count("swpout_zero", folio.nr_pages)
            return Placed.ZERO
        if await self.zswap.store(Folio(slot, folio.data, cgroup=folio.cgroup, node=folio.node)):
            self._parts.mark(slot, folio.nr_pages, STORED)
            return Placed.ZSWAP
        self._check_wanted(lease)
        if folio.cgroup is not None and not folio.cgroup.may_write_back:
            raise OSError(EPERM, f"the compressed store refused it, and {folio.cgroup.path} forbids writeback")
        await self._parts.io.write(slot, folio.data)
        events["pswpout"] += folio.nr_pages
        self._count_large("swpout", folio.nr_pages)
        self._check_wanted(lease)  # else its slots may be another folio's by now
        self._parts.mark(slot, folio.nr_pages, STORED)
        return Placed.DEVICE

    def store_at_once(self, offset: int, page: bytes) -> Placed | None:
        """Swap out a page that is nobody's if that waits for nothing and nothing stands in the way; else None.

        A plain call: where it goes, as from `store`, which is to be called after None. Then nothing has changed, and an
        older page is still there. The page keeps its slot, if it had one.
        """
        self._check()
        return at_once.store_at_once(self._parts, offset, page)

    def _check_wanted(self, lease: SlotLease) -> None:
        if lease.invalidated:
            raise OSError(ECANCELED, "the folio was invalidated, or the swap space closed, while it was stored")

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
        lease = self._parts.locks.request(offset)
        self._parts.in_flight.begin()
        try:
            await lease.wait()
            slot = self._parts.pages.get(offset)
            if slot == EMPTY or lease.invalidated:
                return None
            page = await self._read(slot, keep, lease)
            if page is None or lease.invalidated:
                return None
            if not keep:
                self._parts.forget(offset, 1)
            return page
        finally:
            lease.release()
            self._parts.in_flight.end()

    async def _read(self, slot: int, keep: bool, lease: SlotLease) -> bytes | None:
        """Zero map, then the compressed store, then the device.

        None from the store may also mean that the page was invalidated meanwhile; then the device has nothing to say.
        """
        if self._parts.load_zero(slot):
            return ZERO_PAGE
        page = await self.zswap.load(slot, keep)
        if page is None and not lease.invalidated:
            page = (await self._parts.read_device(slot, 1))[0]
        return page

    async def load_range(self, offset: int, nr_pages: int) -> list[bytes]:
        """Return the pages from this offset on, wherever they are, which stay stored; zeroes where there is none.

        Zero pages and holes are one object, `zswap.ZERO_PAGE`. What the store has is decompressed together, what
        lies side by side on the device is read together. A page that is invalidated meanwhile is what it was, or
        zeroes. Errors as in `load`, for the range as a whole; ECANCELED when the swap space closed meanwhile.
        """
        self._check()
        check_slots(offset, nr_pages)
        return await ranges.load_range(self._parts, offset, nr_pages)

    def extents(self, offset: int, nr_pages: int) -> Iterator[Extent]:
        """What the pages from this offset on are, as runs of (nr_pages, kind), neighbours of different kinds.

        "data": a page, or one that is being stored. "zero": stored, and all zeroes. "hole": no page. A plain call;
        its iterator sees what is there when it gets there.
        """
        self._check()
        check_slots(offset, nr_pages)
        return extents_of(self._parts.pages, self._parts.marks, offset, nr_pages)

    def compressed(self, offset: int) -> tuple[str, bytes] | None:
        """The page at this offset as the compressed store keeps it, and the `cra_name` of the algorithm that made it.

        A plain call that changes nothing, for who keeps pages elsewhere as well and would compress them again. None for
        a page that is not in the store, or there as it came.
        """
        self._check()
        slot = self._parts.pages.get(check_slots(offset))
        return None if slot == EMPTY else self.zswap.compressed(slot)

    def load_at_once(self, offset: int) -> bytes | None:
        """Return the page at this offset, which stays stored, or zeroes if there is none; None if that means waiting.

        A plain call; after None call `load_range`.
        """
        self._check()
        return at_once.load_at_once(self._parts, offset)

    def invalidate(self, offset: int, nr_pages: int = 1) -> int:
        """Forget these pages, now; a plain call. Returns how many there were.

        A load of one of them that is under way ends with None, a store with ECANCELED.
        """
        self._check()
        check_slots(offset, nr_pages)
        self._parts.locks.invalidate(offset, nr_pages)
        return self._parts.forget(offset, nr_pages)

    async def release(self, offset: int, nr_pages: int = 1) -> int:
        """Forget these pages as an exiting process does: see `Zswap.release`. From the call on nobody finds them."""
        self._check()
        check_slots(offset, nr_pages)
        self._parts.locks.invalidate(
            offset, nr_pages
        )  # a load under way must not look for released pages on the device
        slots = self._parts.unmap(offset, nr_pages)
        try:
            for slot, count in runs(slots):
                await self.zswap.release(slot, count)
        finally:
            self._parts.give_back(slots)
        return len(slots)

    async def write_back(self, slot: int, page: bytes) -> None:
        """The store below writes one of its pages to the device (it has locked the slot)."""
        await self._parts.io.write(slot, page)
        self.zswap.events["pswpout"] += 1

    async def sync(self) -> None:
        """Make durable what the device holds (`fsync`)."""
        self._check()
        await self._parts.io.sync()

    async def swapoff(self) -> AsyncIterator[tuple[int, bytes]]:
        """Hand every page back, by ascending offset, until there are none: `async for offset, page in swap.swapoff()`.

        A page is forgotten when it is handed out. One that cannot be read raises as `load` does, and stays.
        """
        for offset in list(self._parts.pages):
            page = await self.load(offset)
            if page is not None:
                yield offset, page
