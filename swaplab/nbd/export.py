"""The device: bytes by offset, over a `zswap.Swap` of pages. What is asked of it is its own until it is done.

Commands that touch a page are served in the order in which they came. A page of which a part is written is read,
patched and stored; `Swap.store` forgets the old page first, so when it fails the export keeps the new one as it is, and
reads find it there. So a failed write changes nothing outside of its range, and inside every page is old or new.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from errno import ENOSPC
from typing import Any, Final, TypeVar

import zswap
from acomp import PAGE_SIZE
from zswap.slot_locks import SlotLease, SlotLocks

from .ranges import Edge, Touched, pages_of, runs, touched
from .transmission import MAX_EXTENTS, Piece
from .wire import State

FOLIO_PAGES: Final = 64
"""Pages that are stored at a time."""
SPARE_SLOTS: Final = 512
"""Slots of the device beyond one for each page: one that is freed while it is written back comes back later."""
MAX_KEPT_PAGES: Final = 4096
"""Pages that are kept because they could not be stored; from then on writes fail before anything is forgotten."""
PAGES_PER_TURN: Final = 4096
"""Pages that are forgotten, or looked at for extents, before others get their turn."""
_ZEROES: Final = bytes(FOLIO_PAGES * PAGE_SIZE)
_STATES: Final[dict[str, State]] = {"data": State(0), "zero": State.ZERO, "hole": State.HOLE | State.ZERO}

T = TypeVar("T")


def nr_slots(size: int) -> int:
    """Slots that a swap device needs below an export of `size` bytes, so that they cannot run out."""
    return len(pages_of(0, size)) + SPARE_SLOTS


class Export:
    """A device of `size` bytes, zeroes at first. Errors are OSError and those of `Swap`; then see above.

    `kept` are the pages that could not be stored, by number.
    """

    def __init__(self, swap: zswap.Swap, size: int) -> None:
        self.swap = swap
        self.size = size
        self.kept: dict[int, bytes] = {}
        self._locks = SlotLocks()  # of the export's pages
        self._running: set[asyncio.Task[Any]] = set()
        self._unordered = 0  # begun, and not in the line for their pages yet

    def __repr__(self) -> str:
        return (
            f"<Export of {self.size} bytes: {len(self._running)} commands, {len(self.kept)} pages kept, {self.swap!r}>"
        )

    def begin(self, command: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do a command to its end, whatever becomes of its client."""
        self._unordered += 1
        task = asyncio.get_running_loop().create_task(self._in_order(command))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _in_order(self, command: Coroutine[Any, Any, T]) -> T:
        self._unordered -= 1  # in this very step it takes its place in the line for its pages
        return await command

    async def ended(self, timeout: float) -> bool:
        """Wait until nothing is under way, at most `timeout` seconds; whether that is so."""
        deadline = asyncio.get_running_loop().time() + timeout
        while self._running and (left := deadline - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._running, timeout=left)
        return not self._running

    def read_at_once(self, offset: int, length: int) -> list[Piece] | None:
        """`read` within one page, if that would wait for nothing; else None."""
        number, start = divmod(offset, PAGE_SIZE)
        if start + length > PAGE_SIZE or not self._is_free(number):
            return None
        page = self.swap.load_at_once(number)
        return None if page is None else _cut([page], start, length)

    def write_at_once(self, offset: int, data: bytes) -> bool:
        """`write` within one page, if that would wait for nothing and nothing is in the way; else it does nothing."""
        number, start = divmod(offset, PAGE_SIZE)
        end = start + len(data)
        if end > PAGE_SIZE or not self._is_free(number):
            return False
        if len(data) < PAGE_SIZE:
            page = self.swap.load_at_once(number)
            if page is None:
                return False
            data = page[:start] + data + page[end:]
        return self.swap.store_at_once(number, data) is not None

    async def read(self, offset: int, length: int) -> list[Piece]:
        """The bytes of this range, in pieces; runs of zeroes are told by their length."""
        pages = pages_of(offset, length)
        lease = self._locks.request(pages.start, len(pages))
        try:
            if not lease.held:
                await lease.wait()
            if len(pages) == 1:
                found = [await self._page(pages.start)]
            else:
                found = await self.swap.load_range(pages.start, len(pages))
                for page in self.kept.keys() & pages if self.kept else ():
                    found[page - pages.start] = self.kept[page]
        finally:
            lease.release()
        return _cut(found, offset % PAGE_SIZE, length)

    async def write(self, offset: int, data: bytes) -> None:
        """Write bytes. They can be read, by everybody, when this returns."""
        head, whole, tail = touched(offset, len(data))
        lease = self._lock(offset, len(data))
        try:
            if not lease.held:
                await lease.wait()
            at = 0
            if head is not None:
                await self._patch(head, data[: head.length])
                at = head.length
            if whole:
                end = at + len(whole) * PAGE_SIZE
                await self._store_pages(whole.start, data[at:end])
                at = end
            if tail is not None:
                await self._patch(tail, data[at:])
        finally:
            lease.release()

    async def trim(self, offset: int, length: int) -> None:
        """Forget the whole pages of this range, the last of the device too; they are zeroes then. The rest stays."""
        lease = self._lock(offset, length)
        try:
            await lease.wait()
            await self._forget(self._touched_to_the_end(offset, length).whole)
        finally:
            lease.release()

    async def write_zeroes(self, offset: int, length: int, no_hole: bool) -> None:
        """Make this range zeroes. With `no_hole` its pages are there afterwards, as marks of the zero map."""
        head, whole, tail = self._touched_to_the_end(offset, length)
        lease = self._lock(offset, length)
        try:
            await lease.wait()
            for edge in (head, tail):
                if edge is not None:
                    await self._patch(edge, bytes(edge.length))
            if no_hole:
                for first in range(whole.start, whole.stop, FOLIO_PAGES):
                    await self._put(first, _ZEROES[: min(FOLIO_PAGES, whole.stop - first) * PAGE_SIZE])
                    await asyncio.sleep(0)
            else:
                await self._forget(whole)
        finally:
            lease.release()

    def block_status(self, offset: int, length: int) -> list[tuple[int, State]]:
        """What this range is, as (bytes, state); perhaps not all of it, but the beginning."""
        if self.kept:
            return [(length, State(0))]  # what cannot be stored is in no map; to call it data is never wrong
        found: list[tuple[int, State]] = []
        pages, left, seen = pages_of(offset, length), length, 0
        start = offset % PAGE_SIZE
        for nr_pages, kind in self.swap.extents(pages.start, len(pages)):
            size = min(nr_pages * PAGE_SIZE - start, left)
            found.append((size, _STATES[kind]))
            left, start = left - size, 0
            seen += 0 if kind == "hole" else nr_pages
            if seen >= PAGES_PER_TURN or len(found) == MAX_EXTENTS:
                break
        return found

    async def flush(self) -> None:
        """Every write that was acknowledged can be read already. What could not be stored is tried once more."""
        with suppress(OSError):
            await self._put_back()

    def _is_free(self, page: int) -> bool:
        """Whether a command may work on this page at once: nobody was before it, and nothing could not be stored."""
        return not (self._unordered or self.kept) and self._locks.is_free(page)

    def _lock(self, offset: int, length: int) -> SlotLease:
        pages = pages_of(offset, length)
        return self._locks.request(pages.start, len(pages))

    def _touched_to_the_end(self, offset: int, length: int) -> Touched:
        """What a range of zeroes touches. One to the end of the device goes on to that of the last page."""
        at_the_end = offset + length == self.size
        return touched(offset, length + -self.size % PAGE_SIZE if at_the_end else length)

    async def _page(self, number: int) -> bytes:
        """A page, which stays where it is."""
        if (kept := self.kept.get(number)) is not None:
            return kept
        page = await self.swap.load(number, keep=True)
        return page if page is not None else zswap.ZERO_PAGE

    async def _patch(self, edge: Edge, data: bytes) -> None:
        """Write a part of a page."""
        page = await self._page(edge.page)
        await self._put(edge.page, page[: edge.start] + data + page[edge.end :])

    async def _store_pages(self, first: int, data: bytes) -> None:
        """Whole pages, folio by folio; zeroes apart, so that they take no memory."""
        if len(data) == PAGE_SIZE:
            await self._put(first, data)
            return
        for at, nr_pages, are_zeroes in runs(data, FOLIO_PAGES):
            await self._put(first + at, data[at * PAGE_SIZE : (at + nr_pages) * PAGE_SIZE])
            if are_zeroes:
                await asyncio.sleep(0)  # they are stored without a turn for others

    async def _put(self, first: int, data: bytes) -> None:
        """Store pages whose lock is held, or keep them."""
        if self.kept:
            await self._check_kept(first, len(data) // PAGE_SIZE)
        try:
            await self.swap.store(zswap.Folio(first, data))
        except BaseException:
            self.kept.update(
                (first + at // PAGE_SIZE, data[at : at + PAGE_SIZE]) for at in range(0, len(data), PAGE_SIZE)
            )
            raise
        if self.kept:
            self._drop_kept(range(first, first + len(data) // PAGE_SIZE))

    async def _check_kept(self, first: int, nr_pages: int) -> None:
        """OSError before anything is forgotten, if no more pages could be kept, and those cannot be stored now."""
        if len(self.kept) + nr_pages <= MAX_KEPT_PAGES or all(
            page in self.kept for page in range(first, first + nr_pages)
        ):
            return
        await self._put_back()
        if len(self.kept) + nr_pages > MAX_KEPT_PAGES:
            raise OSError(ENOSPC, f"{len(self.kept)} pages could not be stored")

    async def _put_back(self) -> None:
        """Store the pages that could not be stored. OSError when that still is so; nobody is waited for."""
        for page in list(self.kept):
            lease = self._locks.try_request(page)
            if lease is None:
                continue  # somebody works on it
            try:
                if page in self.kept:
                    await self.swap.store(zswap.Folio(page, self.kept[page]))
                    del self.kept[page]
            finally:
                lease.release()

    async def _forget(self, pages: range) -> None:
        for first in range(pages.start, pages.stop, PAGES_PER_TURN):
            some = range(first, min(first + PAGES_PER_TURN, pages.stop))
            self.swap.invalidate(some.start, len(some))
            self._drop_kept(some)
            if some.stop < pages.stop:
                await asyncio.sleep(0)

    def _drop_kept(self, pages: range) -> None:
        for page in self.kept.keys() & pages:
            del self.kept[page]


def _cut(pages: list[bytes], start: int, length: int) -> list[Piece]:
    """Bytes of consecutive pages, from `start` of the first on."""
    pieces: list[Piece] = [PAGE_SIZE if page is zswap.ZERO_PAGE else page for page in pages]
    end = len(pages) * PAGE_SIZE - start - length
    if end:
        last = pieces[-1]
        pieces[-1] = last - end if type(last) is int else last[: PAGE_SIZE - end]  # type: ignore[index]
    if start:
        first = pieces[0]
        pieces[0] = first - start if type(first) is int else first[start:]  # type: ignore[index]
    return pieces
