"""A program whose working set is larger than the memory it may use: records live compressed, under a byte budget.

The records are rows of a made-up sensor log, 64 of them to a page. `zswap.Swap` keeps the pages compressed as long as
the budget lasts. From then on a store waits now and then, while the pages that were stored longest ago move to a file
without a name: a tenth of the budget at a time. (The file is written and read on a worker thread, so the event loop
stays free.) The program only says store and load.
"""

import asyncio

import zswap

PAGE = 4096
ROW = PAGE // 64
PAGES = 2000
BUDGET = 1 << 18  # bytes of memory for compressed pages; the rows themselves are 8 MB
GROWTH = 8 * PAGE  # the most that memory grows by one page; a page is let in as long as the limit is not reached


def rows(page: int) -> bytes:
    """64 rows of text, as a log would hold them."""
    first = page * 64
    lines = (f"{i:08d} sensor-{i % 5} {20 + i % 10}.{i % 10} C, measured;".ljust(ROW) for i in range(first, first + 64))
    return "".join(lines).encode()


async def main() -> None:
    params = zswap.Params(compressor="deflate", max_pool_bytes=BUDGET - GROWTH)
    async with zswap.Swap.open(params) as swap:
        most = 0
        for number in range(PAGES):
            await swap.store(zswap.Folio(number, rows(number)))
            most = max(most, swap.zswap.stats()["pool_total_size"])
            assert most <= BUDGET
        print(f"{PAGES * PAGE >> 10} KiB of rows stored, never in more than {most >> 10} of {BUDGET >> 10} KiB")
        places = [swap.where(number) for number in range(PAGES)]
        moved = places.count(zswap.Placed.DEVICE)
        assert places == [zswap.Placed.DEVICE] * moved + [zswap.Placed.ZSWAP] * (PAGES - moved)
        print(f"the {moved} oldest pages are in the file, the {PAGES - moved} newest in memory")

        # Reading does not care where a page is. `keep` leaves it stored.
        for row in (0, 77_777, PAGES * 64 - 1):
            page = await swap.load(row // 64, keep=True)
            assert page is not None
            print(page[row % 64 * ROW :][:ROW].decode().rstrip())

        # A row changes: take its page out, write it, give it back. What was stored before is replaced.
        page = await swap.load(5)
        assert page is not None
        await swap.store(zswap.Folio(5, b"corrected;".ljust(ROW) + page[ROW:]))
        page = await swap.load(5, keep=True)
        assert page is not None
        print(page[:10].decode())

        wrong = 0
        for number in range(PAGES):
            page = await swap.load(number)
            wrong += page != rows(number) and number != 5
        print(f"{PAGES} pages read back, {wrong} wrong, {len(swap)} left")


asyncio.run(main())
