"""The store on the emulated accelerator: they meet by name in the registry, and share nothing else."""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import acomp
import iaa_emulator
import zswap
from iaa_emulator.testing import SteppedEngine

PAGE = 4096
SAMPLES = acomp.testing.sample_pages()
PAGES = [SAMPLES[name] for name in ("zero", "one byte", "counters", "text")]


@asynccontextmanager
async def on_accelerator(
    scope: zswap.params.ContextScope = "folio",
    max_batch_size: int = 8,
    interface: zswap.params.InterfaceName = "chain",
) -> AsyncIterator[tuple[zswap.Zswap, iaa_emulator.Platform]]:
    params = zswap.Params(
        compressor="deflate-iaa", context_scope=scope, max_batch_size=max_batch_size, interface=interface
    )
    with acomp.registry():
        machine = iaa_emulator.machine(devices=2)
        async with iaa_emulator.Platform.open(machine, engine=SteppedEngine(auto=True)) as platform:
            async with zswap.Zswap.open(params) as store:
                yield store, platform
                await platform.driver.in_flight.drain()
            for device in platform.devices:
                assert [(wq.in_flight, wq.waiting) for wq in device.work_queues] == [(0, 0)] * len(device.work_queues)


@pytest.mark.parametrize("nr_pages", [1, 9, 16])
@pytest.mark.parametrize("max_batch_size", [1, 8])
async def test_pages_come_back_through_the_device(nr_pages: int, max_batch_size: int) -> None:
    async with on_accelerator(max_batch_size=max_batch_size) as (store, platform):
        folio = zswap.Folio(0, b"".join(PAGES[i % 4] for i in range(nr_pages)))
        assert await store.store(folio)
        assert platform.driver.stats.totals.total_comp_calls == nr_pages
        assert [await store.load(i) for i in range(nr_pages)] == folio.pages(0, nr_pages)


@pytest.mark.parametrize("nr_pages", [1, 24])
@pytest.mark.parametrize("compressor", ["zstd", "deflate-iaa"])
async def test_no_folio_lives_on_because_it_was_stored(nr_pages: int, compressor: str) -> None:
    async with on_accelerator() as (store, _):
        store.params["compressor"] = compressor
        data = PAGES[3] * nr_pages
        before = sys.getrefcount(data)
        assert await store.store(zswap.Folio(0, data))
        gc.collect()
        assert sys.getrefcount(data) == before


async def test_a_page_that_does_not_shrink_counts_as_failed_not_as_poor() -> None:
    """-E2BIG of the device is `reject_compress_fail`; the chain's other pages are wasted."""
    async with on_accelerator() as (store, platform):
        assert not await store.store(zswap.Folio(0, b"".join([*PAGES, SAMPLES["random"], *PAGES])))
        stats = store.stats()
        assert (stats["reject_compress_fail"], stats["reject_compress_poor"], stats["stored_pages"]) == (1, 0, 0)
        assert platform.driver.stats.totals.total_completion_comp_buf_overflow_errors == 1
        assert platform.driver.stats.totals.total_comp_calls == 8


@pytest.mark.parametrize("scope", ["folio", "batch"])
@pytest.mark.parametrize("interface", ["chain", "array", "unit"])
async def test_the_cancel_sweep_on_the_stepped_engine(
    scope: zswap.params.ContextScope, interface: zswap.params.InterfaceName
) -> None:
    async with on_accelerator(scope, interface=interface) as (store, platform):
        folio = zswap.Folio(0, b"".join(PAGES * 3))

        async def check() -> None:
            await platform.driver.in_flight.drain()
            pool = store._parts.pools.current
            assert pool is not None and pool.refs == 1 + store.stats()["stored_pages"]
            assert not any(context.mutex.locked for context in pool.contexts)
            stored = [await store.load(i) for i in range(folio.nr_pages)]
            assert stored in ([None] * folio.nr_pages, folio.pages(0, folio.nr_pages))
            assert await store.store(folio), "a full chain runs"
            assert store.invalidate(0, folio.nr_pages) == folio.nr_pages

        assert await acomp.testing.sweep_cancel(lambda: store.store(folio), check) >= 2


async def test_the_cancel_sweep_over_load_on_the_stepped_engine() -> None:
    async with on_accelerator() as (store, platform):
        folio = zswap.Folio(0, b"".join(PAGES))
        assert await store.store(folio)

        async def check() -> None:
            await platform.driver.in_flight.drain()
            if store.stats()["stored_pages"] == 3:
                assert await store.store(zswap.Folio(2, PAGES[2]))
            assert await store.load(2, keep=True) == PAGES[2]

        assert await acomp.testing.sweep_cancel(lambda: store.load(2), check) >= 1


async def test_stored_pages_outlive_the_platform() -> None:
    with acomp.registry():
        engine = SteppedEngine(auto=True)
        async with iaa_emulator.Platform.open(iaa_emulator.machine(devices=1), engine=engine):
            store = zswap.Zswap.open(zswap.Params(compressor="deflate-iaa"))
            await store.__aenter__()
            assert await store.store(zswap.Folio(0, b"".join(PAGES)))
        assert [await store.load(i) for i in range(4)] == PAGES
        assert not await store.store(zswap.Folio(0, PAGES[0])), "compression answers -ENODEV"
        assert store.stats()["reject_compress_fail"] == 1
        await store.__aexit__(None, None, None)


@pytest.mark.threads
async def test_real_threads() -> None:
    with acomp.registry():
        params = zswap.Params(compressor="deflate-iaa")
        async with iaa_emulator.Platform.open(), zswap.Zswap.open(params) as store:
            folio = zswap.Folio(0, b"".join(PAGES * 16))
            assert await store.store(folio)
            assert [await store.load(i) for i in range(64)] == folio.pages(0, 64)
