"""Pools, switching compressors, and cpus that come and go (docs/kernel.md#pools; patch 12)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EBUSY, EINVAL, ENOENT, ENOMEM

import pytest

import acomp
import zswap
from acomp import cpu, fault
from tests.zswap.null_algorithm import PAGE, null_algorithm, page_of, sync_null
from zswap.pool.context import BUFFER_SIZE

PARAMS = zswap.Params(compressor="null-async")


def compressors(store: zswap.Zswap) -> list[str]:
    return [pool.compressor for pool in store._parts.pools.pools]


async def put(store: zswap.Zswap, offset: int, length: int = 9) -> None:
    assert await store.store(zswap.Folio(offset, page_of(length)))


async def test_entries_keep_the_compressor_that_they_were_stored_with() -> None:
    with acomp.registry():
        async with zswap.Zswap.open(zswap.Params(compressor="lz4")) as store:
            for offset, compressor in enumerate(["lz4", "zstd", "deflate", "lzo"]):
                store.params["compressor"] = f" {compressor}\n"
                assert store.params["compressor"] == compressor
                await put(store, offset, 100 + offset)
            assert compressors(store) == ["lzo", "deflate", "zstd", "lz4"]
            assert store.stats()["pool_total_size"] == sum(p.zs.total_pages for p in store._parts.pools.pools) * PAGE
            for offset in range(4):
                assert await store.load(offset) == page_of(100 + offset)
            assert compressors(store) == ["lzo"], "pools without entries are gone, but for the current one"


async def test_switching_back_resurrects_the_pool_that_still_has_entries() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            first = store._parts.pools.current
            assert first is not None
            await put(store, 0)
            store.params["compressor"] = "zstd"
            assert store._parts.pools.current is not first and first.refs == 1
            store.params["compressor"] = "null-sync"
            assert store._parts.pools.current is first and first.refs == 2
            assert compressors(store) == ["null-sync"], "the other one was empty"
            store.params["compressor"] = "null-sync"
            assert first.refs == 2, "writing the same again does nothing"
            assert await store.load(0) == page_of(9)


async def test_what_cannot_be_had_changes_nothing() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(PARAMS) as store:
            await put(store, 0)
            with pytest.raises(zswap.ParameterError, match="no algorithm") as caught:
                store.params["compressor"] = "nothing"
            assert caught.value.errno == ENOENT
            for point in ("zswap.pool_alloc", "zswap.context_alloc"):
                failing = fault.installed(point.__eq__)
                with failing, pytest.raises(zswap.ParameterError, match="no memory") as caught:
                    store.params["compressor"] = "zstd"
                assert caught.value.errno == EINVAL
            assert compressors(store) == ["null-async"]
            assert store.params["compressor"] == "null-async"
            assert await store.load(0) == page_of(9)


async def test_the_nth_allocation_of_a_pool_fails_and_nothing_is_left_behind() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(zswap.Params()) as store:
            for n in range(1, 1000):
                seen = 0

                def fail_nth(point: str, n: int = n) -> bool:
                    nonlocal seen
                    seen += 1
                    return seen == n

                with fault.installed(fail_nth):
                    try:
                        store.params["compressor"] = "null-async"
                        break
                    except zswap.ParameterError:
                        assert compressors(store) == ["zstd"]
            assert n == 2 + cpu.nr_cpu_ids() * 8, "the pool, then 8 requests for each cpu"


async def test_a_pool_switched_away_under_a_running_store_serves_it_to_the_end() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device:
        async with zswap.Zswap.open(PARAMS) as store:
            storing = asyncio.ensure_future(store.store(zswap.Folio(0, page_of(9) * 8)))
            await asyncio.sleep(0)
            store.params["compressor"] = "zstd"
            device.automatic = True
            device.land()
            assert await storing
            assert compressors(store) == ["zstd", "null-async"]
            assert store.invalidate(0, 8) == 8
            assert compressors(store) == ["zstd"]


async def test_a_pool_is_not_freed_while_an_abandoned_job_uses_its_buffers() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device:
        async with zswap.Zswap.open(PARAMS) as store:
            storing = asyncio.ensure_future(store.store(zswap.Folio(0, page_of(9) * 8)))
            await asyncio.sleep(0)
            storing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await storing
            store.params["compressor"] = "zstd"
            assert compressors(store) == ["zstd", "null-async"]
            device.land()
            assert compressors(store) == ["zstd"]


async def test_memory_per_cpu() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(PARAMS) as store:
            assert store.figures().context_bytes == cpu.nr_cpu_ids() * 8 * BUFFER_SIZE
            store.params["compressor"] = "zstd"
            assert store.figures().context_bytes == cpu.nr_cpu_ids() * BUFFER_SIZE


async def test_an_unpinned_task_moves_to_the_next_cpu_online() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(PARAMS) as store:
            here = cpu.current_cpu()
            await store.offline_cpu(here)
            pool = store._parts.pools.current
            assert pool is not None
            context = await pool.lock_current()
            assert context.cpu == (here + 1) % cpu.nr_cpu_ids()
            context.unlock()
            await put(store, 0)


async def test_a_pinned_task_does_not_wait_for_its_cpu_for_ever() -> None:
    params = zswap.Params(compressor="null-async", offline_timeout=0.02)
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(params) as store:
            await put(store, 0)
            await store.offline_cpu(2)
            with cpu.on_cpu(2):
                with pytest.raises(zswap.CpuOfflineError, match="cpu 2"):
                    await store.load(0)
                with pytest.raises(zswap.CpuOfflineError, match="online_cpu"):
                    await store.store(zswap.Folio(1, page_of(9)))


async def test_a_pinned_task_waits_for_its_cpu() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(zswap.Params(compressor="null-async", offline_timeout=60)) as store:
            await put(store, 0)
            await store.offline_cpu(2)
            with cpu.on_cpu(2):
                asyncio.get_running_loop().call_soon(store.online_cpu, 2)
                assert await store.load(0) == page_of(9)
            assert store.stats()["stored_pages"] == 0


async def test_a_pool_outlives_its_last_entry_as_long_as_a_load_waits_for_a_cpu() -> None:
    params = zswap.Params(compressor="null-async", offline_timeout=60)
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(params) as store:
            await put(store, 0)
            await store.offline_cpu(2)
            with cpu.on_cpu(2):
                loading = asyncio.ensure_future(store.load(0))
                await asyncio.sleep(0)
            store.params["compressor"] = "lz4"
            store.invalidate(0)
            assert compressors(store) == ["lz4", "null-async"]
            store.online_cpu(2)
            assert await loading is None, "the page was invalidated, and that is no error"
            assert compressors(store) == ["lz4"]


async def test_going_offline_waits_for_the_holder_and_coming_back_needs_no_memory() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device, cpu.on_cpu(1):
        async with zswap.Zswap.open(PARAMS) as store:
            storing = asyncio.ensure_future(store.store(zswap.Folio(0, page_of(9) * 8)))
            await asyncio.sleep(0)
            going = asyncio.ensure_future(store.offline_cpu(1))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not going.done()
            device.automatic = True
            device.land()
            await going
            assert await storing
            pool = store._parts.pools.current
            assert pool is not None
            kept = pool.contexts[1].buffers
            with fault.installed(lambda point: point == "zswap.context_alloc"):
                store.online_cpu(1)
            assert pool.contexts[1].buffers is kept and len(kept) == 8
            assert await store.load(0) == page_of(9)


async def test_without_patch_12_a_cpu_loses_its_memory_and_may_not_get_it_back() -> None:
    params = zswap.Params(compressor="null-async", features=zswap.StoreFeatures(pool_lifetime_contexts=False))
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(params) as store:
            pool = store._parts.pools.current
            assert pool is not None
            await store.offline_cpu(1)
            assert pool.contexts[1].nr_reqs == 0 and not pool.contexts[1].buffers
            failing = fault.installed("zswap.context_alloc".__eq__)
            with failing, pytest.raises(zswap.ParameterError, match="stays offline") as caught:
                store.online_cpu(1)
            assert caught.value.errno == ENOMEM
            assert not pool.contexts[1].online
            store.online_cpu(1)
            assert pool.contexts[1].nr_reqs == 8


async def test_a_pool_made_while_a_cpu_is_offline_has_nothing_for_it_until_it_comes() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(zswap.Params()) as store:
            await store.offline_cpu(3)
            store.params["compressor"] = "null-async"
            pool = store._parts.pools.current
            assert pool is not None
            assert [context.nr_reqs for context in pool.contexts[:5]] == [8, 8, 8, 0, 8]
            store.online_cpu(3)
            assert pool.contexts[3].nr_reqs == 8


@contextmanager
def machine_of(nr_cpus: int) -> Iterator[cpu.Host]:
    """A machine of its own, whose number of cpus may be changed as an opened platform does."""
    token = cpu.host.set(cpu.Host(nr_cpus))
    try:
        yield cpu.host.get()
    finally:
        cpu.host.reset(token)


async def test_cpus_that_come_after_the_pool_are_online_and_prepared_when_first_used() -> None:
    params = zswap.Params(compressor="null-async", offline_timeout=0)
    with acomp.registry(), null_algorithm(), machine_of(2) as machine:
        async with zswap.Zswap.open(params) as store:
            await put(store, 0)
            machine.nr_cpus = 64
            for pinned_to in (40, 20, 63):
                with cpu.on_cpu(pinned_to):
                    assert await store.load(0, keep=True) == page_of(9)
            pool = store._parts.pools.current
            assert pool is not None
            assert [context.cpu for context in pool.contexts if context.nr_reqs] == [0, 1, 20, 40, 63]


async def test_cpus_that_come_after_the_pool_go_offline_and_come_back() -> None:
    params = zswap.Params(compressor="null-async", offline_timeout=0)
    with acomp.registry(), null_algorithm(), machine_of(2) as machine:
        async with zswap.Zswap.open(params) as store:
            await put(store, 0)
            machine.nr_cpus = 8
            await store.offline_cpu(5)
            pool = store._parts.pools.current
            assert pool is not None
            for pinned_to, works in ((5, False), (4, True), (7, True), (5, False)):
                with cpu.on_cpu(pinned_to):
                    if works:
                        assert await store.load(0, keep=True) == page_of(9)
                    else:
                        with pytest.raises(zswap.CpuOfflineError, match="cpu 5"):
                            await store.load(0)
            assert pool.contexts[5].nr_reqs == 0
            store.online_cpu(5)
            with cpu.on_cpu(5):
                assert await store.load(0, keep=True) == page_of(9)
            for cpu_id in (0, 1, 2, 3, 4, 5, 7):
                await store.offline_cpu(cpu_id)
            assert await store.load(0) == page_of(9), "an unpinned task finds the one that is left"
            with pytest.raises(zswap.ParameterError, match="last one"):
                await store.offline_cpu(6)


async def test_an_unpinned_task_finds_a_cpu_that_nobody_has_used_yet() -> None:
    with acomp.registry(), null_algorithm(), machine_of(2) as machine:
        async with zswap.Zswap.open(PARAMS) as store:
            await put(store, 0)
            machine.nr_cpus = 4
            for cpu_id in (0, 1, 2):
                await store.offline_cpu(cpu_id)
            assert await store.load(0) == page_of(9)


async def test_a_cpu_that_cannot_come_online_in_one_pool_comes_online_in_none() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(PARAMS) as store:
            await put(store, 0)
            await store.offline_cpu(1)
            store.params["compressor"] = "zstd"  # made without memory for cpu 1
            await put(store, 1)
            store.params["compressor"] = "null-async"
            first, second = store._parts.pools.pools
            failing = fault.installed("zswap.context_alloc".__eq__)
            with failing, pytest.raises(zswap.ParameterError, match="stays offline"):
                store.online_cpu(1)
            assert [pool.contexts[1].online for pool in (first, second)] == [False, False]
            store.online_cpu(1)
            assert [pool.contexts[1].online for pool in (first, second)] == [True, True]


async def test_the_last_cpu_stays_and_wrong_ones_are_refused() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(PARAMS) as store:
            for cpu_id in range(1, cpu.nr_cpu_ids()):
                await store.offline_cpu(cpu_id)
            with pytest.raises(zswap.ParameterError, match="last one") as caught:
                await store.offline_cpu(0)
            assert caught.value.errno == EBUSY
            await put(store, 0)
            with pytest.raises(ValueError, match="no cpu"):
                store.online_cpu(10_000)
            with pytest.raises(TypeError, match="int"):
                await store.offline_cpu("1")  # type: ignore[arg-type]


async def test_the_cancel_sweep_over_offline_cpu() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device, cpu.on_cpu(1):
        async with zswap.Zswap.open(PARAMS) as store:

            async def go_offline_under_a_store() -> None:
                storing = asyncio.get_running_loop().create_task(store.store(zswap.Folio(0, page_of(9) * 8)))
                storing.add_done_callback(lambda task: task.cancelled() or task.exception())
                await asyncio.sleep(0)
                asyncio.get_running_loop().call_later(0, device.land)
                await store.offline_cpu(1)

            async def check() -> None:
                device.automatic = True
                await device.quiesce()
                for _ in range(5):
                    await asyncio.sleep(0)
                pool = store._parts.pools.current
                assert pool is not None
                assert not any(context.mutex.locked for context in pool.contexts)
                store.online_cpu(1)
                await put(store, 0)
                store.invalidate(0)
                device.automatic = False

            assert await acomp.testing.sweep_cancel(go_offline_under_a_store, check) >= 2
