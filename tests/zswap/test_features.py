"""Patches switched one by one, and what a running 6.12 would answer."""

from collections import Counter
from math import ceil

import pytest

import acomp
import zswap
from acomp import fault
from tests.zswap.null_algorithm import PAGE, null_algorithm, page_of, sync_null
from tests.zswap.test_size_classes import EXPECTED

RANDOM = acomp.testing.sample_pages()["random"]


async def put(store: zswap.Zswap, offset: int, nr_pages: int) -> bool:
    return await store.store(zswap.Folio(offset, page_of(9) * nr_pages))


def test_the_named_sets() -> None:
    assert zswap.StoreFeatures.named("v8") == zswap.StoreFeatures() == zswap.Params().features
    base, old = zswap.StoreFeatures.named("base"), zswap.StoreFeatures.named("6.12")
    assert (base.large_folios, old.large_folios) == (True, False)
    for features in (base, old):
        assert not (features.batched_store or features.request_arrays or features.pool_lifetime_contexts)
    with pytest.raises(ValueError, match=r"6\.12, base, v8"):
        zswap.StoreFeatures.named("v9")


@pytest.mark.parametrize(
    ("features", "calls"),
    [
        (zswap.StoreFeatures(), ["chain"] * 2),
        (zswap.StoreFeatures(request_arrays=False), ["compress"] * 16),
        (zswap.StoreFeatures(batched_store=False), ["compress"] * 16),
        (zswap.StoreFeatures.named("base"), ["compress"] * 16),
    ],
)
async def test_patches_13_and_14_are_both_needed_for_chains(features: zswap.StoreFeatures, calls: list[str]) -> None:
    with acomp.registry(), null_algorithm() as device:
        params = zswap.Params(compressor="null-async", features=features)
        async with zswap.Zswap.open(params) as store:
            assert await put(store, 0, 16)
            assert device.calls == calls
            assert [await store.load(i) for i in range(16)] == [page_of(9)] * 16
            nr_reqs = 8 if features.request_arrays else 1
            pool = store._parts.pools.current
            assert pool is not None and pool.contexts[0].nr_reqs == nr_reqs


async def test_without_large_folios_they_are_refused_whole_and_forgotten() -> None:
    with acomp.registry():
        sync_null()
        params = zswap.Params(compressor="null-sync", features=zswap.StoreFeatures.named("6.12"))
        async with zswap.Zswap.open(params) as store:
            assert await put(store, 1, 1)
            assert not await put(store, 0, 2)
            stats = store.stats()
            assert not any(stats.values()), "no counter, and no older page"


async def test_page_by_page_a_failure_leaves_what_the_base_leaves() -> None:
    """Base: pages before the failing one were published and are removed by the clean-up; one tick."""
    with acomp.registry():
        sync_null(code=lambda page: -22 if page == RANDOM else 0)
        params = zswap.Params(compressor="null-sync", features=zswap.StoreFeatures.named("base"))
        async with zswap.Zswap.open(params) as store:
            assert not await store.store(zswap.Folio(0, page_of(9) * 5 + RANDOM + page_of(9)))
            assert store.stats()["reject_compress_fail"] == 1
            assert store.stats()["stored_pages"] == store.stats()["pool_total_size"] == 0


def pages_of_pool(lengths: list[int]) -> int:
    """Pages of memory for objects of these lengths, none of which was ever freed."""
    objects = Counter(next(one for one in EXPECTED if one.size >= min(length + 8, PAGE)) for length in lengths)
    return sum(ceil(count / one.objs_per_zspage) * one.pages_per_zspage for one, count in objects.items())


@pytest.mark.parametrize("compressor", ["deflate", "lz4", "zstd", "lzo"])
async def test_columns_of_a_running_6_12(compressor: str) -> None:
    """What `swaplab store --features 6.12` reads: through Swap, in order, before the first load.

    The pool is computed from what the compressor gives for each page alone and the table of classes as typed in: until
    the first page is freed, a class has no more zspages than its objects need.
    """
    samples = acomp.testing.sample_pages()
    pages = [samples["counters"], bytes(PAGE), RANDOM, samples["text"], samples["half random"], bytes(PAGE)]
    pages += [(RANDOM[: 41 * i] + bytes(PAGE - 41 * i)) for i in range(1, 90)] + [samples["text"]] * 40
    params = zswap.Params(compressor=compressor, features=zswap.StoreFeatures.named("6.12"))
    with acomp.registry():
        async with zswap.Swap.open(params, device=zswap.MemoryDevice(256)) as swap:
            for i, page in enumerate(pages):
                await swap.store(zswap.Folio(i, page))
            tfm = acomp.crypto_alloc_acomp(compressor)
            results = await acomp.compress_pages(tfm, [page for page in pages if page not in (RANDOM, bytes(PAGE))])
            acomp.crypto_free_acomp(tfm)
            lengths = [len(result.data) for result in results if result.data is not None]
            stats, events = swap.zswap.stats(), swap.zswap.events
            assert events["swpout_zero"] == 2 and stats["stored_pages"] == len(lengths) == len(pages) - 3
            rejects = (stats["reject_compress_fail"], stats["reject_compress_poor"])
            assert rejects == ((0, 1) if compressor == "lzo" else (1, 0))
            assert events["pswpout"] == 1
            assert stats["pool_total_size"] == pages_of_pool(lengths) * PAGE
            for i, page in enumerate(pages):
                assert await swap.load(i) == page


@pytest.mark.parametrize("compressor", ["null-async", "null-sync"])
async def test_check_15_entries_that_cannot_be_had_in_bulk_are_allocated_one_by_one(compressor: str) -> None:
    """And only when one of those fails, reject_kmemcache_fail ticks; the bulk's own failure does not."""
    asked: list[str] = []
    failing: set[str] = set()

    def decide(point: str) -> bool:
        asked.append(point)
        return point in failing

    def entry_points() -> list[str]:
        points = [point.rpartition(".")[2] for point in asked if "entry" in point]
        asked.clear()
        return points

    params = zswap.Params(compressor=compressor, features=zswap.StoreFeatures(bulk_entries=True))
    with acomp.registry(), null_algorithm():
        sync_null()
        async with zswap.Zswap.open(params) as store:
            with fault.installed(decide):
                assert await put(store, 0, 16)
                assert entry_points() == ["entry_bulk_alloc"] * 2, "once for a batch of 8"
                failing.add("zswap.entry_bulk_alloc")
                assert await put(store, 0, 16)
                assert entry_points() == ["entry_bulk_alloc", *["entry_alloc"] * 8] * 2
                assert store.stats()["reject_kmemcache_fail"] == 0
                failing.add("zswap.entry_alloc")
                assert not await put(store, 0, 16)
                assert entry_points() == ["entry_bulk_alloc", "entry_alloc"]
                assert store.stats()["reject_kmemcache_fail"] == 1
            assert store.stats()["stored_pages"] == 0 and not len(store._parts.inventory.entries)
            assert await put(store, 0, 16)
