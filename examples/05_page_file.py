"""Something like a file whose content lives in compressed pages: seek, read, write, truncate.

`PageFile` keeps a few pages open as they are and everything else in a `zswap.Zswap`. It takes a page out, changes it
and puts it back, so that one page is never in two places. If the store refuses a page (it does not compress, or the
pool is full), the file simply keeps it open: after a refusal the caller holds the only copy. One task at a time.
"""

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Self

import zswap

PAGE = 4096


class PageFile:
    """Bytes by position. Positions that were never written read as zeroes, as in a sparse file."""

    def __init__(self, store: zswap.Zswap, open_pages: int = 4) -> None:
        self.size = 0
        self._store = store
        self._open: OrderedDict[int, bytearray] = OrderedDict()  # least recently used first
        self._limit = open_pages

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.truncate()

    async def read(self, position: int, count: int) -> bytes:
        parts = []
        for page, start, end in pieces(position, min(position + count, self.size)):
            parts.append((await self._page(page))[start:end])
        return b"".join(parts)

    async def write(self, position: int, data: bytes) -> None:
        taken = 0
        for page, start, end in pieces(position, position + len(data)):
            (await self._page(page))[start:end] = data[taken : taken + end - start]
            taken += end - start
        self.size = max(self.size, position + len(data))

    def truncate(self) -> None:
        """Forget everything. This needs no waiting: forgetting never does."""
        if self.size:
            self._store.invalidate(0, -(-self.size // PAGE))
        self._open.clear()
        self.size = 0

    async def _page(self, page: int) -> bytearray:
        """The page, open; the ones that nobody used for longest go back into the store."""
        if page not in self._open:
            self._open[page] = bytearray(await self._store.load(page) or bytes(PAGE))
        self._open.move_to_end(page)
        wanted = self._open[page]
        for number in list(self._open)[: -self._limit]:
            if await self._store.store(zswap.Folio(number, self._open[number])):
                del self._open[number]
        return wanted

    def __repr__(self) -> str:
        return f"{self.size} bytes, {len(self._open)} pages open, {self._store.stats()['stored_pages']} in the store"


def pieces(position: int, end: int) -> list[tuple[int, int, int]]:
    """The parts of a range of positions, page by page: page number, first and last byte in it."""
    found = []
    while position < end:
        page, start = divmod(position, PAGE)
        stop = min(PAGE, start + end - position)
        found.append((page, start, stop))
        position += stop - start
    return found


async def main() -> None:
    params = zswap.Params(compressor="deflate")
    async with zswap.Zswap.open(params) as store, PageFile(store) as file:
        line = b"the quick brown fox jumps over the lazy dog\n"
        for number in range(4000):
            await file.write(number * len(line), line)
        print(file)
        figures = store.figures()
        print(f"{figures.stored_pages} pages take {figures.pool_bytes} bytes of memory")

        print(await file.read(3999 * len(line), 100))
        await file.write(100_000, b"[over the page boundary]" * 200)
        print(await file.read(100_000 + 199 * 24, 24))
        await file.write(1_000_000, b"far away")
        print(await file.read(999_998, 10))
        print(file)

        whole = await file.read(0, file.size)
        print("lines that came back whole:", whole.count(line))
        file.truncate()
        print(file)


asyncio.run(main())
