"""A program whose working set is larger than the memory it may use: records live compressed, under a byte budget.

The records are rows of a made-up sensor log, 64 of them to a page. `zswap.Swap` keeps the pages compressed as long as
the budget lasts; beyond it, the pages that were stored longest ago move to a file without a name (the file is written
and read on a worker thread, so the event loop stays free). The program only says store and load.
"""

import asyncio

import zswap

PAGE = 4096
ROW = PAGE // 64
PAGES = 2000
BUDGET = 1 << 19  # bytes of memory for compressed pages; the rows themselves are 8 MB


def rows(page: int) -> bytes:
    """64 rows of text, as a log would hold them."""
    first = page * 64
    lines = (f"{i:08d} sensor-{i % 7} {20 + i % 13}.{i % 10} C ok;".ljust(ROW) for i in range(first, first + 64))
    return "".join(lines).encode()


async def fill(swap: zswap.Swap) -> None:
    for page in range(0, PAGES, 16):  # sixteen pages at a time go in together
        await swap.store(zswap.Folio(page, b"".join(rows(p) for p in range(page, page + 16))))


async def write_back_what_is_old(swap: zswap.Swap) -> None:
    """Memory pressure, as the program sees it: above the budget, ask for the oldest pages to go to the file.

    The first visit to a page only clears the mark that it is new, so the first rounds write nothing.
    """
    store = swap.zswap
    for _ in range(100):
        if store.stats()["pool_total_size"] <= BUDGET:
            break
        await store.shrink(nr_to_scan=256)


async def main() -> None:
    params = zswap.Params(compressor="deflate", shrinker_enabled=True)
    async with zswap.Swap.open(params) as swap:
        await fill(swap)
        figures = swap.zswap.figures()
        print(f"{figures.original_mib:.1f} MiB of rows in {figures.pool_mib:.1f} MiB, ratio {figures.ratio:.1f}")

        await write_back_what_is_old(swap)
        in_memory = swap.zswap.stats()["stored_pages"]
        print(f"budget of {BUDGET >> 10} KiB: {in_memory} pages compressed, {len(swap) - in_memory} in the file")
        print("within the budget:", swap.zswap.stats()["pool_total_size"] <= BUDGET)

        # Reading does not care where a page is. `keep` leaves it stored.
        for row in (0, 77_777, PAGES * 64 - 1):
            page = await swap.load(row // 64, keep=True)
            assert page is not None
            print(page[row % 64 * ROW :][:ROW].decode().rstrip())

        # A row changes: take its page out, write it, give it back. What was stored before is replaced.
        page = await swap.load(5)
        assert page is not None
        where = await swap.store(zswap.Folio(5, b"corrected;".ljust(ROW) + page[ROW:]))
        page = await swap.load(5, keep=True)
        assert page is not None
        print(page[:10].decode(), "in", where.name)

        wrong = 0
        for number in range(PAGES):
            page = await swap.load(number)
            wrong += page != rows(number) and number != 5
        print(f"{PAGES} pages read back, {wrong} wrong, {len(swap)} left")


asyncio.run(main())
