"""Many stores at once under a byte budget: who finds it used up waits in line while the worker's runs free enough."""

import asyncio
from collections import Counter
from errno import ENOSPC

import pytest

import acomp
import zswap
from tests.zswap.budget import ACCEPT, BUDGET, Gate, Sink, fill, null, numbered, opened, params, put
from tests.zswap.null_algorithm import PAGE

AT_ONCE = 50


class TrayOfOne(Sink):
    """A backing that takes a page a turn of the loop, so that there is time during a run."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.broken = False
        self.attempts = 0

    async def write_back(self, slot: int, page: bytes) -> None:
        self.attempts += 1
        if self.broken:
            raise OSError(ENOSPC, "the device is full")
        await asyncio.sleep(0)
        self.written.append(slot)


async def fill_store(store: zswap.Zswap) -> int:
    first = 0
    while store.stats()["pool_total_size"] < BUDGET * PAGE:
        assert await store.store(zswap.Folio(first, numbered(first)))
        first += 1
    return first


@pytest.mark.parametrize("compressor", ["null-async", "null-sync"])
@pytest.mark.parametrize("folio_pages", [1, 16, 40])
async def test_none_of_many_at_once_is_refused(folio_pages: int, compressor: str) -> None:
    """Two waves, the second begins while the first waits: the oldest are on the device, and all is found."""
    async with opened(compressor) as (swap, ledger):
        filled = await fill(swap)
        total = filled + 2 * AT_ONCE * folio_pages
        waves: list[asyncio.Task[zswap.Placed]] = []
        for first in range(filled, total, folio_pages):
            waves.append(asyncio.ensure_future(put(swap, first, folio_pages)))
            if len(waves) % AT_ONCE == 0:
                for _ in range(10):
                    await asyncio.sleep(0)
        assert Counter(await asyncio.gather(*waves)) == {zswap.Placed.ZSWAP: 2 * AT_ONCE}
        assert swap.zswap.stats()["stored_pages"] == total - len(ledger.written)
        assert set(range(filled)) <= set(ledger.written), "what was there before"
        for number in range(0, total, 7):
            assert await swap.load(number) == numbered(number)


async def test_what_is_stored_at_once_on_the_loop_exceeds_the_budget_by_one_folio() -> None:
    """A codec on the loop lets nobody in between: each in line sees what the one before has stored."""
    async with opened("null-sync") as (swap, ledger):
        first = await fill(swap)
        stores = [asyncio.ensure_future(put(swap, first + 16 * i, 16)) for i in range(AT_ONCE)]
        most = 0
        while not all(store.done() for store in stores):
            await asyncio.sleep(0)
            most = max(most, swap.zswap.stats()["pool_total_size"] // PAGE)
        assert most < BUDGET + 16
        assert ledger.written == list(range(len(ledger.written))), "in the order in which they came"


async def test_who_stores_without_pause_does_not_keep_others_waiting() -> None:
    order: list[str] = []
    with null():
        async with zswap.Zswap.open(params("null-sync"), backing=TrayOfOne()) as store:
            await fill_store(store)

            async def work(name: str, first: int, count: int) -> None:
                for offset in range(first, first + count):
                    assert await store.store(zswap.Folio(offset, numbered(offset)))
                    order.append(name)

            await asyncio.gather(work("greedy", 1000, 60), work("second", 2000, 1), work("third", 3000, 1))
            assert order[:3] == ["greedy", "second", "third"]


@pytest.mark.parametrize("victim", [0, 1, AT_ONCE - 1])
async def test_one_of_many_is_cancelled(victim: int) -> None:
    """The one that waits for the run, one in line, the last: at every moment of the wait, and no place gets lost."""
    for turns in range(0, 40, 3):
        with null():
            async with zswap.Zswap.open(params("null-sync"), backing=TrayOfOne()) as store:
                first = await fill_store(store)
                stores = [
                    asyncio.ensure_future(store.store(zswap.Folio(first + i, numbered(first + i))))
                    for i in range(AT_ONCE)
                ]
                for _ in range(turns):
                    await asyncio.sleep(0)
                stores[victim].cancel()
                results = await asyncio.gather(*stores, return_exceptions=True)
                cancelled = [i for i, result in enumerate(results) if isinstance(result, asyncio.CancelledError)]
                assert cancelled in ([], [victim])
                assert results.count(True) == AT_ONCE - len(cancelled)
                assert (first + victim in store) is (not cancelled)


async def test_all_of_many_are_cancelled_and_the_next_gets_in() -> None:
    gate = Gate()
    with null():
        async with zswap.Zswap.open(params("null-sync"), backing=gate) as store:
            first = await fill_store(store)
            stores = [asyncio.ensure_future(store.store(zswap.Folio(first + i, numbered(i)))) for i in range(AT_ONCE)]
            for _ in range(10):
                await asyncio.sleep(0)
            for one in stores:
                one.cancel()
            results = await asyncio.gather(*stores, return_exceptions=True)
            assert {type(result) for result in results} == {asyncio.CancelledError}
            assert store.stats()["stored_pages"] == first
            gate.open.set()
            assert await store.store(zswap.Folio(first, numbered(first)))


async def test_a_device_that_fails_refuses_all_in_line_after_one_run() -> None:
    async with opened() as (swap, ledger):
        first = await fill(swap)
        ledger.full = True
        results = await asyncio.gather(*(put(swap, first + i) for i in range(AT_ONCE)), return_exceptions=True)
        assert {type(result) for result in results} == {OSError}
        assert ledger.attempts == 16 + AT_ONCE, "one run for all of them, and then each folio itself"
        ledger.full = False
        assert await put(swap, first) is zswap.Placed.ZSWAP


async def test_a_device_that_fails_later_refuses_those_who_are_still_in_line() -> None:
    """Each run frees 8 pages and lets one folio of 16 in; the third finds the device broken."""
    backing = TrayOfOne()
    with null():
        async with zswap.Zswap.open(params("null-sync"), backing=backing) as store:
            first = await fill_store(store)
            stores = [
                asyncio.ensure_future(store.store(zswap.Folio(first + 16 * i, numbered(first + 16 * i, 16))))
                for i in range(AT_ONCE)
            ]
            while not stores[1].done():
                await asyncio.sleep(0)
            backing.broken = True
            before = backing.attempts
            results = await asyncio.gather(*stores)
            stored = results.count(True)
            assert 2 <= stored < AT_ONCE and results == [True] * stored + [False] * (AT_ONCE - stored)
            assert backing.attempts - before == 16, "one run found out for all of them"
            backing.broken = False
            assert await store.store(zswap.Folio(first, numbered(first)))


async def test_where_nothing_may_leave_all_in_line_are_refused_after_one_run() -> None:
    never = zswap.Cgroup("n", zswap.Cgroup("root"), zswap_writeback=False)
    backing = TrayOfOne()
    with null():
        async with zswap.Zswap.open(params("null-async"), backing=backing) as store:
            for offset in range(BUDGET):
                assert await store.store(zswap.Folio(offset, numbered(offset), cgroup=never))
            stores = (store.store(zswap.Folio(100 + i, numbered(i))) for i in range(AT_ONCE))
            assert await asyncio.gather(*stores) == [False] * AT_ONCE
            assert backing.attempts == 0
            never.zswap_writeback = True
            assert await store.store(zswap.Folio(100, numbered(100))), "the next one has a run of its own"


class AwaitsStores(Sink):
    """A backing that takes its first page when the stores under way have ended."""

    def __init__(self) -> None:
        self.stores: list[asyncio.Task[bool]] = []

    async def write_back(self, slot: int, page: bytes) -> None:
        await asyncio.wait(self.stores)


async def test_a_run_goes_on_when_stores_under_way_have_added_theirs() -> None:
    """All 64 pages that were there when it began are not enough: it visits those that came meanwhile, too."""
    backing = AwaitsStores()
    with null() as device:
        async with zswap.Zswap.open(params(), backing=backing) as store:
            for offset in range(ACCEPT - 1):
                assert await store.store(zswap.Folio(offset, numbered(offset)))
            device.automatic = False
            for first in (1000, 1040, 1080):
                backing.stores.append(asyncio.ensure_future(store.store(zswap.Folio(first, numbered(first, 40)))))
            await asyncio.sleep(0)
            store.params["compressor"] = "null-sync"
            for offset in range(ACCEPT - 1, BUDGET):
                assert await store.store(zswap.Folio(offset, numbered(offset)))
            device.automatic = True
            late = (store.store(zswap.Folio(2000 + i, numbered(2000 + i))) for i in range(AT_ONCE))
            assert await asyncio.gather(*late) == [True] * AT_ONCE
            assert [one.result() for one in backing.stores] == [True] * 3


@pytest.mark.parametrize("threshold", [99, 100, 250])
async def test_a_threshold_at_the_budget_or_above_it_still_frees_a_page(threshold: int) -> None:
    backing = TrayOfOne()
    with null():
        async with zswap.Zswap.open(params("null-sync", 8, threshold), backing=backing) as store:
            for offset in range(30):
                assert await store.store(zswap.Folio(offset, numbered(offset)))
            assert backing.written == list(range(22))


async def test_a_budget_below_a_page_refuses_everything_and_waits_for_nothing() -> None:
    with null():
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync", max_pool_bytes=0), backing=Sink()) as store:
            stores = (store.store(zswap.Folio(offset, numbered(offset))) for offset in range(AT_ONCE))
            assert await asyncio.gather(*stores) == [False] * AT_ONCE


async def test_closing_refuses_all_who_stand_in_line() -> None:
    with null():
        async with zswap.Zswap.open(params("null-sync"), backing=Gate()) as store:
            first = await fill_store(store)
            stores = [asyncio.ensure_future(store.store(zswap.Folio(first + i, numbered(i)))) for i in range(AT_ONCE)]
            for _ in range(5):
                await asyncio.sleep(0)
            assert not any(one.done() for one in stores)
    assert await asyncio.gather(*stores) == [False] * AT_ONCE


async def test_a_limit_that_is_lifted_lets_in_who_stands_in_line() -> None:
    gate = Gate()
    with null():
        async with zswap.Zswap.open(params("null-sync"), backing=gate) as store:
            first = await fill_store(store)
            stores = [asyncio.ensure_future(store.store(zswap.Folio(first + i, numbered(i)))) for i in range(AT_ONCE)]
            for _ in range(5):
                await asyncio.sleep(0)
            store.invalidate(0, first - 1)
            gate.open.set()
            assert await asyncio.gather(*stores) == [True] * AT_ONCE
            assert store.stats()["written_back_pages"] <= 1


async def test_the_cancel_sweep_over_one_of_several_in_line() -> None:
    async with opened() as (swap, _):
        number = await fill(swap)
        others: list[asyncio.Task[zswap.Placed]] = []

        async def one_of_two() -> None:
            others.append(asyncio.ensure_future(put(swap, 1 << 20)))
            await asyncio.sleep(0)
            await put(swap, 1 << 21)

        async def check() -> None:
            nonlocal number
            while others:
                assert await others.pop() is zswap.Placed.ZSWAP
            while swap.zswap._worker.running:
                await asyncio.sleep(0)
            for page in range(number):
                assert await swap.load(page, keep=True) == numbered(page)
            swap.invalidate(1 << 20)
            swap.invalidate(1 << 21)
            number = await fill(swap, number)

        assert await acomp.testing.sweep_cancel(one_of_two, check) >= 3
