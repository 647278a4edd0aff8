"""Pages go in and come back: content, all or nothing, counters, batching and not batching (docs/kernel.md#store)."""

import asyncio
import os
from errno import E2BIG, EINPROGRESS, ENOSPC
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import acomp
import zswap
from acomp import fault, trace
from tests.zswap.loop_turns import counted_turns
from tests.zswap.null_algorithm import PAGE, null_algorithm, page_of, sync_null

DEBUGFS = {
    "pool_limit_hit",
    "reject_reclaim_fail",
    "reject_alloc_fail",
    "reject_kmemcache_fail",
    "reject_compress_fail",
    "reject_compress_poor",
    "written_back_pages",
    "pool_total_size",
    "stored_pages",
}


def rejects(store: zswap.Zswap) -> dict[str, int]:
    """The counters that moved, without the two states."""
    return {k: v for k, v in store.stats().items() if v and k not in ("pool_total_size", "stored_pages")}


def folio_of(offset: int, *lengths: int) -> zswap.Folio:
    return zswap.Folio(offset, b"".join(page_of(length, 1 + i % 250) for i, length in enumerate(lengths)))


@pytest.mark.parametrize("compressor", ["deflate", "zstd", "lz4", "lzo"])
async def test_pages_of_any_content_come_back(compressor: str) -> None:
    pages = [*acomp.testing.sample_pages().values(), b"\0" * 4095 + b"\1", bytes(range(256)) * 16]
    with acomp.registry():
        async with zswap.Zswap.open(zswap.Params(compressor=compressor)) as store:
            stored = [await store.store(zswap.Folio(i, page)) for i, page in enumerate(pages)]
            assert sum(stored) >= len(pages) - 1  # the random page fits into no page
            for i, page in enumerate(pages):
                assert await store.load(i) == (page if stored[i] else None)
            assert store.stats()["stored_pages"] == 0
            assert store.stats()["pool_total_size"] == 0


async def test_stats_are_exactly_the_debugfs_names() -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            assert set(store.stats()) == DEBUGFS
            with pytest.raises(TypeError):
                store.stats()["stored_pages"] = 1  # type: ignore[index] # that is the point


async def test_loads_are_exclusive_unless_kept() -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            assert await store.store(folio_of(5, 100))
            assert await store.load(5, keep=True) == page_of(100)
            assert await store.load(5) == page_of(100)
            assert await store.load(5) is None


async def test_data_is_copied_before_anything_else_happens() -> None:
    data = bytearray(page_of(50))
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            task = asyncio.ensure_future(store.store(zswap.Folio(0, data)))
            await asyncio.sleep(0)
            data[:] = bytes(PAGE)
            assert await task
            assert await store.load(0) == page_of(50)


@pytest.mark.parametrize("nr_pages", [1, 2, 7, 8, 9, 16, 17, 512])
@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
async def test_any_number_of_pages_in_any_batch_size(nr_pages: int, batch_size: int) -> None:
    lengths = [1 + i % 300 for i in range(nr_pages)]
    with acomp.registry(), null_algorithm(batch_size) as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            folio = folio_of(1000, *lengths)
            assert await store.store(folio)
            effective = min(batch_size, 8)
            chained = effective > 1 and nr_pages > 1
            assert device.calls == (["chain"] * -(-nr_pages // effective) if chained else ["compress"] * nr_pages), (
                "one chain per batch, or one request per page"
            )
            assert store.stats()["stored_pages"] == nr_pages
            for i in range(nr_pages):
                assert await store.load(1000 + i) == folio.data[i * PAGE : (i + 1) * PAGE]
            assert not any(device.jobs)


async def test_a_folio_of_one_page_is_no_chain() -> None:
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            assert await store.store(folio_of(0, 10))
            assert device.calls == ["compress"]


async def test_max_batch_size_caps_the_chain_and_1_switches_chains_off() -> None:
    for cap, calls in ((1, ["compress"] * 8), (4, ["chain"] * 2)):
        with acomp.registry(), null_algorithm() as device:
            params = zswap.Params(compressor="null-async", max_batch_size=cap)
            async with zswap.Zswap.open(params) as store:
                assert await store.store(folio_of(0, *[9] * 8))
                assert device.calls == calls


@pytest.mark.parametrize(
    ("nr_pages", "chains"), [(16, 1), (32, 1), (33, 2)], ids=["one folio", "one chain", "a page more"]
)
async def test_a_long_chain_is_as_long_as_was_asked_and_the_folio_is(nr_pages: int, chains: int) -> None:
    with acomp.registry(), null_algorithm(batch_size=100) as device:
        params = zswap.Params(compressor="null-async", max_batch_size=32, long_chains=True)
        async with zswap.Zswap.open(params) as store:
            folio = folio_of(0, *range(1, nr_pages + 1))
            assert await store.store(folio)
            assert device.calls == ["chain"] * chains
            assert [await store.load(i) for i in range(nr_pages)] == folio.pages(0, nr_pages)


async def test_pool_total_size_is_the_class_arithmetic() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            assert await store.store(folio_of(0, 3624))
            assert store.stats()["pool_total_size"] == 8 * PAGE  # class 3632: 9 objects in 8 pages
            assert await store.store(folio_of(1, 3625))
            assert store.stats()["pool_total_size"] == 9 * PAGE  # a whole page


async def test_a_batch_ticks_once_for_each_failing_page_and_stores_nothing() -> None:
    with acomp.registry(), null_algorithm() as device:
        device.errors = {2: -E2BIG, 4: -ENOSPC, 6: -E2BIG}
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            assert not await store.store(folio_of(0, *[9] * 16))
            assert rejects(store) == {"reject_compress_fail": 2, "reject_compress_poor": 1}
            assert device.compressions == 8, "the second batch is not tried"
            assert store.stats()["pool_total_size"] == 0
            device.errors = {}
            assert await store.store(folio_of(0, *[9] * 16)), "the contexts work after a failure"


async def test_page_by_page_only_the_first_failure_ticks() -> None:
    with acomp.registry():
        sync_null(code=lambda page: -ENOSPC if page.startswith(b"\3") else 0)
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            assert not await store.store(folio_of(0, 9, 9, 9, 9, 9, 9, 9, 9))
            assert rejects(store) == {"reject_compress_poor": 1}
            assert store.stats()["pool_total_size"] == 0, "the blobs of the two pages before are gone"


async def test_a_failing_head_counts_for_every_page_of_its_chain() -> None:
    """The head's submit error is copied to all, so eight ticks for one page that was tried."""
    with acomp.registry(), null_algorithm() as device:
        device.alg = acomp.AcompAlg(
            cra_name="refusing",
            cra_driver_name="refusing",
            cra_priority=1,
            cra_flags=device.alg.cra_flags,
            compress=lambda req: acomp.acomp_do_async_req_chain(req, lambda _: -11, lambda _: 0),
            decompress=device.alg.decompress,
            get_batch_size=lambda: 8,
        )
        acomp.crypto_register_acomp(device.alg)
        async with zswap.Zswap.open(zswap.Params(compressor="refusing")) as store:
            assert not await store.store(folio_of(0, *[9] * 8))
            assert rejects(store) == {"reject_compress_fail": 8}


async def test_a_failed_store_takes_older_entries_with_it() -> None:
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            for offset in range(4):
                assert await store.store(folio_of(offset, 20))
            device.errors = {device.compressions + 1: -E2BIG}
            assert not await store.store(folio_of(1, 30, 30))
            assert [await store.load(offset) is not None for offset in range(4)] == [True, False, False, True]


async def test_disabled_it_stores_nothing_forgets_stale_pages_and_still_loads() -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            assert await store.store(folio_of(0, 20)) and await store.store(folio_of(1, 20))
            store.params["enabled"] = "N"
            assert not await store.store(folio_of(1, 30))
            assert await store.load(0) == page_of(20)
            assert await store.load(1) is None
            assert rejects(store) == {}


@pytest.mark.parametrize(
    ("point", "counter"),
    [
        ("test.null.compress", {"reject_compress_fail": 1}),
        ("zswap.entry_alloc", {"reject_kmemcache_fail": 1}),
        ("zswap.zpool_malloc", {"reject_alloc_fail": 1}),
        ("zswap.tree_insert", {"reject_alloc_fail": 1}),
        ("zswap.lru_alloc", {}),
    ],
)
@pytest.mark.parametrize("compressor", ["null-async", "null-sync"])
@pytest.mark.parametrize("interface", ["chain", "array", "unit"])
async def test_the_nth_allocation_fails(
    point: str, counter: dict[str, int], compressor: str, interface: zswap.params.InterfaceName
) -> None:
    """N = 1, 2, ... until nothing fails any more: counters, references, bytes, and stale entries gone."""
    with acomp.registry(), null_algorithm():
        sync_null()
        for n in range(1, 100):
            async with zswap.Zswap.open(zswap.Params(compressor=compressor, interface=interface)) as store:
                seen = 0

                def fail_nth(asked: str, n: int = n) -> bool:
                    nonlocal seen
                    seen += asked == point
                    return asked == point and seen == n

                cgroup = zswap.Cgroup("g", zswap.Cgroup("root"))
                data = b"".join(page_of(40 + i) for i in range(16))
                if point != "zswap.lru_alloc":
                    assert await store.store(zswap.Folio(3, page_of(7), cgroup=cgroup))
                with fault.installed(fail_nth):
                    stored = await store.store(zswap.Folio(0, data, cgroup=cgroup))
                if seen < n:
                    assert stored and n > 1, "the point was never reached"
                    assert (cgroup.zswapped, cgroup.events["zswpout"]) == (16, 17 if point != "zswap.lru_alloc" else 16)
                    break
                assert not stored
                assert rejects(store) == counter
                assert store.stats()["stored_pages"] == store.stats()["pool_total_size"] == 0
                assert (cgroup.zswap_current, cgroup.memory_current, cgroup.zswapped) == (0, 0, 0)
                pool = store._parts.pools.current
                assert pool is not None and pool.refs == 1
                assert len(store._parts.inventory.entries) == len(store._parts.inventory.lrus) == 0
        else:
            pytest.fail("something fails for ever")


async def lock_trace(params: zswap.Params, nr_pages: int) -> list[str]:
    events: list[trace.Event] = []
    async with zswap.Zswap.open(params) as store:
        with trace.installed(events.append):
            assert await store.store(folio_of(0, *[9] * nr_pages))
    return [event.kind.rpartition(".")[2] for event in events if event.kind.startswith("zswap.context")]


async def test_how_often_the_context_is_locked() -> None:
    """A chaining compressor once per folio; software, and a single page, per batch and once to look."""
    with acomp.registry(), null_algorithm():
        sync_null()
        pair = ["lock", "unlock"]
        assert await lock_trace(zswap.Params(compressor="null-async"), 512) == pair
        assert await lock_trace(zswap.Params(compressor="null-sync"), 20) == pair * 4
        assert await lock_trace(zswap.Params(compressor="null-async"), 1) == pair * 2
        assert await lock_trace(zswap.Params(compressor="null-async", context_scope="batch"), 16) == pair * 3
        base = zswap.StoreFeatures.named("base")
        assert await lock_trace(zswap.Params(compressor="null-async", features=base), 16) == pair * 16


@pytest.mark.parametrize("interface", ["chain", "array", "unit"])
async def test_a_cancelled_store_raises_at_once_and_its_context_waits_for_the_jobs(
    interface: zswap.params.InterfaceName,
) -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device, acomp.cpu.on_cpu(0):
        async with zswap.Zswap.open(zswap.Params(compressor="null-async", interface=interface)) as store:
            first = asyncio.ensure_future(store.store(folio_of(0, *[9] * 8)))
            await asyncio.sleep(0)
            second = asyncio.ensure_future(store.store(folio_of(100, *[8] * 8)))
            await asyncio.sleep(0)
            assert len(device.jobs) == 8
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(device.jobs) == 8 and not second.done(), "jobs that have not landed hold the context"
            device.land(7)
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(device.jobs) == 1 and not second.done()
            device.automatic = True
            device.land()
            assert await second
            assert await store.load(0) is None
            assert await store.load(100) == page_of(8)


@pytest.mark.parametrize("compressor", ["null-async", "null-sync", "zstd"])
@pytest.mark.parametrize("scope", ["folio", "batch"])
@pytest.mark.parametrize("interface", ["chain", "array", "unit"])
async def test_the_cancel_sweep_over_store(
    compressor: str, scope: zswap.params.ContextScope, interface: zswap.params.InterfaceName
) -> None:
    with acomp.registry(), null_algorithm() as device, acomp.cpu.on_cpu(0):
        sync_null()
        params = zswap.Params(compressor=compressor, context_scope=scope, interface=interface)
        async with zswap.Zswap.open(params) as store:
            assert await store.store(folio_of(900, 90))

            async def check() -> None:
                await device.quiesce()
                before = device.decompressions
                assert await store.load(900) == page_of(90)
                assert device.decompressions <= before + 1, "a load of one page, not of a chain that was broken off"
                parts = store._parts
                pool = parts.pools.current
                assert pool is not None
                assert not any(context.mutex.locked for context in pool.contexts)
                assert not len(parts.slots)
                whole = [await store.load(i) is not None for i in range(20)]
                assert all(whole) or not any(whole), "a folio is in as a whole or not at all"
                assert store.stats()["stored_pages"] == store.stats()["pool_total_size"] == 0
                assert pool.refs == 1 and store._in_flight.count == 0
                assert await store.store(folio_of(0, *[41] * 16)), "a full chain runs"
                assert store.invalidate(0, 16) == 16
                assert await store.store(folio_of(900, 90))

            assert await acomp.testing.sweep_cancel(lambda: store.store(folio_of(0, *[40] * 20)), check) >= 2


@pytest.mark.parametrize("compressor", ["null-async"])
async def test_the_cancel_sweep_over_load_loses_no_page(compressor: str) -> None:
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Zswap.open(zswap.Params(compressor=compressor)) as store:
            assert await store.store(folio_of(0, 77))

            async def check() -> None:
                await device.quiesce()
                assert store._parts.inventory.stored_pages <= 1
                if store._parts.inventory.stored_pages:
                    assert await store.load(0, keep=True) == page_of(77)
                else:
                    assert await store.store(folio_of(0, 77))
                assert not len(store._parts.slots)

            assert await acomp.testing.sweep_cancel(lambda: store.load(0), check) >= 1
            assert await store.load(0) == page_of(77)


async def test_invalidate_beats_a_store_and_a_load_that_are_under_way() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            storing = asyncio.ensure_future(store.store(folio_of(0, *[9] * 24)))
            await asyncio.sleep(0)
            assert store.invalidate(3) == 0
            device.automatic = True
            device.land()
            assert await storing is False
            assert device.compressions == 8, "nothing more is compressed for a folio that nobody wants"
            assert store.stats()["stored_pages"] == store.stats()["pool_total_size"] == 0
            assert await store.store(folio_of(0, 9))
            device.automatic = False
            loading = asyncio.ensure_future(store.load(0))
            await asyncio.sleep(0)
            assert store.invalidate(0) == 1
            device.automatic = True
            device.land()
            assert await loading is None


async def test_calls_for_one_slot_are_served_in_order() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            calls = [store.store(folio_of(0, *[5] * 8)), store.load(3), store.store(folio_of(3, 6)), store.load(3)]
            results = await asyncio.gather(*calls, store.load(4))
            assert results == [True, page_of(5, 4), True, page_of(6), page_of(5, 5)]


async def test_a_store_cancelled_in_line_leaves_no_older_page_behind() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            older = asyncio.ensure_future(store.store(folio_of(0, 5)))
            newer = asyncio.ensure_future(store.store(folio_of(0, 6)))
            await asyncio.sleep(0)
            newer.cancel()
            with pytest.raises(asyncio.CancelledError):
                await newer
            device.automatic = True
            device.land()
            assert await older is False
            assert await store.load(0) is None


@given(st.data())
async def test_lengths_fill_and_free_agree_with_the_class_table(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 4096), min_size=1, max_size=60))
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            for offset, length in enumerate(lengths):
                assert await store.store(folio_of(offset, length))
            for offset in data.draw(st.sets(st.integers(0, len(lengths) - 1))):
                store.invalidate(offset)
            inventory, pool = store._parts.inventory, store._parts.pools.current
            assert pool is not None
            assert store.stats()["pool_total_size"] == pool.zs.total_pages * PAGE
            assert pool.zs.bytes_stored == sum(lengths[slot] for slot in inventory.tree)
            assert len(inventory.tree) == len(inventory.lrus) == len(inventory.entries)


async def test_real_bytes_through_many_tasks() -> None:
    text = Path(os.__file__).read_bytes()  # noqa: ASYNC240 (before anything else runs)
    pages = [text[i : i + PAGE].ljust(PAGE, b"\0") for i in range(0, len(text), PAGE)]
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            for fill in range(3):
                async with asyncio.TaskGroup() as group:
                    for i in range(0, len(pages), 4):
                        group.create_task(store.store(zswap.Folio(i, b"".join(pages[i : i + 4]))))
                back = await asyncio.gather(*(store.load(i, keep=fill < 2) for i in range(len(pages))))
                assert back == pages
            assert store.stats()["stored_pages"] == 0


async def test_the_loop_gets_a_turn_after_every_8_pages_compressed_and_32_decompressed_inline() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store, counted_turns() as turns:
            for offset in range(64):
                assert await store.store(folio_of(offset, 9))
            assert turns.count in (7, 8)
            assert await store.store(folio_of(0, *[9] * 64))
            assert turns.count in (15, 16)
            for offset in range(64):
                assert await store.load(offset)
            assert turns.count in (17, 18)


async def test_the_wait_of_a_context_is_armed_again_for_the_next_holder() -> None:
    """A single request of the parallel runner leaves its completion counted; that is not the next one's."""
    with acomp.registry(), null_algorithm() as device, acomp.cpu.on_cpu(0):
        results: list[bytes] = []

        def decompress(req: acomp.AcompReq) -> int:
            blob = bytes(req.source())

            def complete() -> None:
                req.deliver(blob.ljust(PAGE, b"\0"))
                results.append(blob)
                assert req.base.complete is not None
                req.base.complete(req.base.data, 0)

            asyncio.get_running_loop().call_soon(complete)
            return -EINPROGRESS

        plain = acomp.AcompAlg(
            cra_name="plain",
            cra_driver_name="plain",
            cra_priority=1,
            cra_flags=device.alg.cra_flags,
            compress=device.alg.compress,
            decompress=decompress,
            get_batch_size=lambda: 8,
        )
        acomp.crypto_register_acomp(plain)
        async with zswap.Zswap.open(zswap.Params(compressor="plain")) as store:
            assert await store.store(folio_of(0, 9))
            assert await store.load(0) == page_of(9)
            assert results == [page_of(9)[:9]]


@pytest.mark.parametrize("as_object", [False, True])
async def test_what_an_algorithm_has_as_an_object_is_not_copied_and_what_it_writes_is(as_object: bool) -> None:
    def end(req: acomp.AcompReq, output: bytes) -> int:
        if as_object:
            req.deliver(output)
        else:
            req.dst[: len(output)], req.dlen = output, len(output)
        return 0

    with acomp.registry():
        plain = acomp.AcompAlg(
            cra_name="plain",
            cra_driver_name="plain",
            cra_priority=1,
            cra_flags=0,
            compress=lambda req: end(req, bytes(req.source()).rstrip(b"\0")),
            decompress=lambda req: end(req, bytes(req.source()).ljust(PAGE, b"\0")),
        )
        acomp.crypto_register_acomp(plain)
        with acomp.cpu.on_cpu(0):
            async with zswap.Zswap.open(zswap.Params(compressor="plain")) as store:
                assert await store.store(folio_of(0, 9, 300))
                assert [await store.load(0), await store.load(1)] == folio_of(0, 9, 300).pages(0, 2)
                pool = store._parts.pools.current
                assert pool is not None
                context = pool.contexts[0]
                assert (any(context.buffers[0]), any(context.page)) == (not as_object, not as_object)


async def test_nobody_sees_a_part_of_a_folio_that_is_being_stored() -> None:
    """I12: with 16 pages the first batch is in the tree while the second is compressed."""
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            storing = asyncio.ensure_future(store.store(zswap.Folio(0, page_of(9) * 16)))
            seen = []
            while not storing.done():
                await asyncio.sleep(0)
                seen.append([offset in store for offset in (0, 7, 8, 15)])
            assert await storing and all(offset in store for offset in range(16))
            assert len(seen) > 2 and not any(map(any, seen[:-1])) and len(set(seen[-1])) == 1
            await device.quiesce()
