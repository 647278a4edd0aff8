"""What a testbed's cost model sees of the store: names, amounts, and the lock that all processes share."""

import asyncio
from collections import Counter
from collections.abc import Awaitable

import pytest

import acomp
import zswap
from acomp import cpu
from tests.zswap.null_algorithm import null_algorithm, page_of, sync_null

COSTS = {"zswap.lru_hold": 1_000, "zswap.store_page": 10, "zswap.free_hold": 2_000}


class Recording(dict[str, int]):
    """A cost model that remembers what was asked, by name."""

    def __init__(self) -> None:
        super().__init__(COSTS)
        self.asked: Counter[str] = Counter()

    def __getitem__(self, name: str) -> int:
        self.asked[name] += 1
        return super().__getitem__(name)


def folio(offset: int, cgroup: zswap.Cgroup | None = None) -> zswap.Folio:
    return zswap.Folio(offset, page_of(9) * 16, cgroup=cgroup)


async def takes(expected_ns: int, *work: Awaitable[object]) -> None:
    """Do it all at once. Where time passes only as modelled, it must take exactly so long; no other clock is asked."""
    start = cpu.now_ns()
    await asyncio.gather(*work)
    if hasattr(asyncio.get_running_loop(), "time_ns"):
        assert cpu.now_ns() - start == expected_ns


async def test_a_batch_takes_the_lock_once_and_costs_are_settled_at_the_end() -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            model = Recording()
            with cpu.costs(model):
                await takes(16 * 1_010, store.store(folio(0)))
                assert model.asked == {"zswap.lru_hold": 2, "zswap.store_page": 2}, "two batches of eight"
                assert cpu.owed_ns() == 0
                await takes(2_000, store.load(3))
                assert model.asked["zswap.free_hold"] == 1
                await store.load(4, keep=True)
                assert model.asked["zswap.free_hold"] == 1, "a kept entry is not freed"
                await takes(15 * 2_000, store.release(0, 16))
                assert store.stats()["stored_pages"] == 0


async def test_stores_of_one_cgroup_and_node_share_a_lock_and_others_do_not() -> None:
    root = zswap.Cgroup("root")
    one, other = zswap.Cgroup("a", root), zswap.Cgroup("b", root)
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            with cpu.costs({**COSTS, "zswap.store_page": 0}):
                await takes(32_000, store.store(folio(0, one)), store.store(folio(16, one)))
                await takes(16_000, store.store(folio(32, one)), store.store(folio(48, other)))


async def test_invalidating_is_charged_to_the_caller_and_waits_for_nobody() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            await store.store(folio(0))
            with cpu.costs(COSTS):
                store.invalidate(0, 99)
                assert cpu.owed_ns() == 16 * 2_000
                await cpu.settle()


async def test_a_page_invalidated_while_its_costs_were_settled_is_not_stored() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            with cpu.costs({**COSTS, "zswap.lru_hold": 0}):
                storing = asyncio.get_running_loop().create_task(store.store(zswap.Folio(0, page_of(9))))
                await asyncio.sleep(0)
                assert store.invalidate(0) == 1, "it is in the tree already"
                assert await storing is False
                await cpu.settle()
            assert store.events["zswpout"] == 0


async def test_the_cancel_sweep_under_a_cost_model_leaves_the_lock_free() -> None:
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            with cpu.costs(COSTS):

                async def check() -> None:
                    await device.quiesce()
                    assert not any(lru.lock.locked for lru in store._parts.inventory.lrus.lists)
                    assert store.invalidate(0, 16) in (0, 16)
                    await cpu.settle()

                assert await acomp.testing.sweep_cancel(lambda: store.store(folio(0)), check) > 4


async def test_without_a_model_nothing_suspends_for_it() -> None:
    with acomp.registry():
        sync_null()
        async with zswap.Zswap.open(zswap.Params(compressor="null-sync")) as store:
            await store.store(folio(0))
            with pytest.raises(StopIteration) as finished:
                store.load(0).send(None)
            assert finished.value.value == page_of(9)


async def test_pages_that_are_being_released_are_found_by_nobody() -> None:
    """Two runs of slots, so that the release suspends between them; a load in between finds neither page."""
    page = b"released" * (acomp.PAGE_SIZE // 8)
    with acomp.registry():
        async with zswap.Swap.open(zswap.Params(compressor="lz4"), device=zswap.MemoryDevice(8)) as swap:
            for offset in (0, 7, 1):
                await swap.store(zswap.Folio(offset, page))
            with cpu.costs({"zswap.free_hold": 1000, "lz4.decompress": 0}):
                releasing = asyncio.create_task(swap.release(0, 2))
                await asyncio.sleep(0)
                assert [await swap.load(offset, keep=True) for offset in (0, 1)] == [None, None]
                assert await releasing == 2
            assert swap.zswap.events["pswpin"] == 0
            assert await swap.load(7) == page
            assert len(swap) == 0
