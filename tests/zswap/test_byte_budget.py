"""`max_pool_bytes`: a budget that is used up evicts the oldest pages, and stores wait for that, one run at most."""

import asyncio
from errno import ENOSPC

import pytest

import acomp
import zswap
from tests.zswap.budget import ACCEPT, BUDGET, FileLedger, Gate, Ledger, Sink, fill, null, numbered, opened, params, put
from tests.zswap.null_algorithm import PAGE


async def store_back_to_back(swap: zswap.Swap, written: list[int], folio_pages: int) -> None:
    """More than six times the budget: all of it goes in, and from there the oldest, in their order, to the device."""
    nr_pages = 400 // folio_pages * folio_pages
    for first in range(0, nr_pages, folio_pages):
        assert await put(swap, first, folio_pages) is zswap.Placed.ZSWAP
        assert swap.zswap.stats()["pool_total_size"] < (BUDGET + folio_pages) * PAGE
    assert written == list(range(len(written)))
    kept = nr_pages - len(written)
    assert kept == swap.zswap.stats()["stored_pages"] >= ACCEPT
    for number in reversed(range(nr_pages)):
        assert await swap.load(number) == numbered(number)
    assert swap.zswap.events["pswpin"] == len(written)


@pytest.mark.parametrize("compressor", ["null-async", "null-sync"])
@pytest.mark.parametrize("folio_pages", [1, 16, 40])
async def test_the_oldest_pages_are_on_the_device_and_the_newest_in_memory(folio_pages: int, compressor: str) -> None:
    async with opened(compressor) as (swap, ledger):
        await store_back_to_back(swap, ledger.written, folio_pages)


@pytest.mark.threads
@pytest.mark.parametrize("folio_pages", [1, 16, 40])
async def test_the_same_with_a_file(folio_pages: int) -> None:
    ledger = FileLedger()
    with null():
        async with zswap.Swap.open(params("null-sync"), device=ledger) as swap:
            await store_back_to_back(swap, ledger.written, folio_pages)


async def test_the_same_with_a_codec_whose_pages_take_little() -> None:
    rows = [b"".join(b"%08d row %d;" % (number, i) for i in range(256))[:PAGE] for number in range(600)]
    async with zswap.Swap.open(params("lz4", nr_pages=16), device=zswap.MemoryDevice(1 << 12)) as swap:
        for first in range(0, 600, 25):
            folio = zswap.Folio(first, b"".join(rows[first : first + 25]))
            assert await swap.store(folio) is zswap.Placed.ZSWAP
        gone = swap.zswap.stats()["written_back_pages"]
        assert 0 < gone < 600
        for number, row in enumerate(rows):
            before = swap.zswap.events["pswpin"]
            assert await swap.load(number) == row
            assert swap.zswap.events["pswpin"] - before == (number < gone)


async def test_stores_at_once_wait_for_the_same_run() -> None:
    async with opened() as (swap, ledger):
        numbers = range(0, 1600, 16)
        for batch in range(0, 100, 20):
            placed = await asyncio.gather(*(put(swap, first, 16) for first in numbers[batch : batch + 20]))
            assert set(placed) == {zswap.Placed.ZSWAP}
            assert swap.zswap.stats()["pool_total_size"] <= (BUDGET + 20 * 16) * PAGE, "they overshoot by themselves"
        assert sorted(ledger.written) == list(range(1600 - swap.zswap.stats()["stored_pages"]))


async def test_every_cgroup_and_node_gives_in_turn() -> None:
    groups = [zswap.Cgroup(name, zswap.Cgroup("root")) for name in "ab"]
    async with opened() as (swap, ledger):
        for number in range(400):
            folio = zswap.Folio(number, numbered(number), cgroup=groups[number % 2], node=number // 2 % 2)
            assert await swap.store(folio) is zswap.Placed.ZSWAP
        for owner in range(4):
            gone = [number for number in ledger.written if number % 4 == owner]
            assert gone == list(range(owner, 4 * len(gone), 4)), "the oldest of each"
            assert len(gone) * 4 == pytest.approx(len(ledger.written), rel=0.1), "and as many of each"


async def test_who_may_not_write_back_is_left_alone_and_does_not_stop_the_others() -> None:
    never = zswap.Cgroup("n", zswap.Cgroup("root"), zswap_writeback=False)
    async with opened() as (swap, ledger):
        for number in range(40):
            await swap.store(zswap.Folio(number, numbered(number), cgroup=never))
        for number in range(40, 100):
            assert await put(swap, number) is zswap.Placed.ZSWAP
        assert ledger.written == list(range(40, 40 + len(ledger.written)))
        assert swap.zswap.stats()["stored_pages"] == 100 - len(ledger.written)


async def test_where_nothing_may_be_written_back_a_folio_is_refused_at_once() -> None:
    never = zswap.Cgroup("n", zswap.Cgroup("root"), zswap_writeback=False)
    async with opened() as (swap, ledger):
        for number in range(BUDGET):
            await swap.store(zswap.Folio(number, numbered(number), cgroup=never))
        assert await put(swap, 100) is zswap.Placed.DEVICE
        assert ledger.written == [100] and swap.zswap.stats()["reject_reclaim_fail"] == 0


async def test_a_full_device_ends_a_run_after_16_pages_in_a_row() -> None:
    async with opened() as (swap, ledger):
        number = await fill(swap)
        ledger.full = True
        for run in (1, 2):
            ledger.attempts = 0
            with pytest.raises(OSError, match="full") as caught:
                await put(swap, number)
            assert caught.value.errno == ENOSPC
            assert ledger.attempts == 16 + 1, "the run, and then the folio itself"
            assert swap.zswap.stats()["reject_reclaim_fail"] == 16 * run
        ledger.full = False
        assert await put(swap, number) is zswap.Placed.ZSWAP
        for page in range(number + 1):
            assert await swap.load(page) == numbered(page), "nothing was lost"


async def test_where_every_page_is_in_use_a_run_visits_each_twice_and_ends() -> None:
    ledger = Ledger()
    with null() as device:
        async with zswap.Swap.open(params(), device=ledger) as swap:
            number = await fill(swap)
            device.automatic = False
            loads = [asyncio.ensure_future(swap.load(page, keep=True)) for page in range(number)]
            await asyncio.sleep(0)
            assert await put(swap, number) is zswap.Placed.DEVICE
            assert ledger.written == [number]
            assert swap.zswap.stats()["reject_reclaim_fail"] == BUDGET
            device.automatic = True
            device.land()
            assert await asyncio.gather(*loads) == [numbered(page) for page in range(number)]
            assert await put(swap, number) is zswap.Placed.ZSWAP


async def test_a_run_gives_the_loop_its_turns() -> None:
    with null():
        async with zswap.Zswap.open(params("null-sync", 640, threshold=50), backing=Sink()) as store:
            for offset in range(640):
                assert await store.store(zswap.Folio(offset, numbered(offset)))
            storing = asyncio.ensure_future(store.store(zswap.Folio(640, numbered(640))))
            turns = 0
            while not storing.done():
                turns += 1
                await asyncio.sleep(0)
            assert await storing and store.stats()["written_back_pages"] == 320
            assert turns >= (640 + 320) // 32


async def test_without_a_device_a_folio_is_refused_at_once_and_counted_once() -> None:
    with null():
        async with zswap.Zswap.open(params("null-sync", 2)) as store:
            assert await store.store(zswap.Folio(0, numbered(0, 2)))
            assert not await store.store(zswap.Folio(2, numbered(2)))
            assert store.stats()["pool_limit_hit"] == 1


async def test_a_store_that_waits_for_room_can_be_cancelled_and_invalidated() -> None:
    gate = Gate()
    with null():
        async with zswap.Zswap.open(params("null-sync", 4, threshold=50), backing=gate) as store:
            assert await store.store(zswap.Folio(0, numbered(0, 4)))
            storing = [asyncio.ensure_future(store.store(zswap.Folio(10 + i, numbered(i)))) for i in range(3)]
            for _ in range(5):
                await asyncio.sleep(0)
            storing[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await storing[0]
            store.invalidate(11)
            gate.open.set()
            assert [await one for one in storing[1:]] == [False, True], "the run went on for the others"
            assert store.stats()["written_back_pages"] == 2 and await store.load(12) == numbered(2)


async def test_closing_ends_a_run_and_the_stores_that_wait_for_it() -> None:
    with null():
        async with zswap.Zswap.open(params("null-sync", 4), backing=Gate()) as store:
            assert await store.store(zswap.Folio(0, numbered(0, 4)))
            storing = asyncio.ensure_future(store.store(zswap.Folio(10, numbered(0))))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not storing.done()
    assert await storing is False


async def test_the_cancel_sweep_over_a_store_that_makes_room() -> None:
    async with opened() as (swap, _):
        number = await fill(swap)

        async def check() -> None:
            nonlocal number
            while swap.zswap._worker.running:
                await asyncio.sleep(0)
            for page in range(number):
                assert await swap.load(page, keep=True) == numbered(page)
            swap.invalidate(1 << 20)
            number = await fill(swap, number)

        assert await acomp.testing.sweep_cancel(lambda: put(swap, 1 << 20), check) >= 2
