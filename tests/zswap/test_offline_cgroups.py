"""Cgroups that are removed: whose pages are whose from then on, and that nothing is kept of them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

import acomp
import zswap
from tests.zswap.null_algorithm import PAGE, null_algorithm, page_of, sync_null
from zswap.swap.owners import SlotOwners

HUGE = 4000


def family() -> tuple[zswap.Cgroup, zswap.Cgroup, zswap.Cgroup]:
    """The root, a cgroup below it, and one below that."""
    root = zswap.Cgroup("root")
    parent = zswap.Cgroup("p", root)
    return root, parent, zswap.Cgroup("c", parent)


async def test_a_store_under_way_is_published_as_the_heirs() -> None:
    root, parent, child = family()
    with acomp.registry(), null_algorithm(automatic=False) as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            storing = asyncio.ensure_future(store.store(zswap.Folio(0, page_of(10) * 16, cgroup=child)))
            await asyncio.sleep(0)
            device.land()
            while not device.jobs:
                await asyncio.sleep(0)
            assert [group.zswapped for group in (root, parent, child)] == [8, 8, 8]
            store.offline_cgroup(child)
            assert [group.zswapped for group in (root, parent, child)] == [8, 8, 0]
            store.offline_cgroup(parent)
            device.automatic = True
            device.land()
            assert await storing
            assert [group.zswapped for group in (root, parent, child)] == [16, 0, 0]
            assert [group.zswap_current for group in (root, parent, child)] == [160, 0, 0]
            assert (root.events["zswpout"], child.events["zswpout"]) == (16, 0)
            lru = store._parts.inventory.lrus.find(root, 0)
            assert lru is not None and lru.length == 16
            store.invalidate(0, 16)
            assert [group.memory_current for group in (root, parent, child)] == [0, 0, 0]


async def test_a_later_folio_of_a_removed_cgroup_is_its_heirs() -> None:
    root, parent, child = family()
    child.zswap_max = 0
    with acomp.registry():
        sync_null()
        async with zswap.Swap.open(zswap.Params(compressor="null-sync"), device=zswap.MemoryDevice(64)) as swap:
            assert await swap.store(zswap.Folio(0, page_of(5), cgroup=child)) is zswap.Placed.DEVICE
            swap.zswap.offline_cgroup(child)
            assert await swap.store(zswap.Folio(1, page_of(5), cgroup=child)) is zswap.Placed.ZSWAP
            assert [group.zswapped for group in (root, parent, child)] == [1, 1, 0]
            assert (parent.events["zswpout"], child.events["zswpout"]) == (1, 0)
            assert await swap.load(0) == page_of(5)
            lru = swap.zswap._parts.inventory.lrus.find(parent, 0)
            assert lru is not None and lru.protected == 1, "what the removed one read from disk protects the heir"
            parent.zswap_max = 0
            assert await swap.store(zswap.Folio(2, page_of(5), cgroup=child)) is zswap.Placed.DEVICE
            swap.zswap.offline_cgroup(parent)
            swap.zswap.offline_cgroup(root)
            assert [group.memory_current for group in (root, parent, child)] == [0, 0, 0]
            assert await swap.store(zswap.Folio(3, page_of(5), cgroup=child)) is zswap.Placed.ZSWAP
            assert [await swap.load(i) for i in (1, 2, 3)] == [page_of(5)] * 3
            assert [group.memory_current for group in (root, parent, child)] == [0, 0, 0]


@pytest.mark.slow
async def test_cgroups_come_and_go_without_number() -> None:
    root = zswap.Cgroup("root")
    with acomp.registry():
        sync_null()
        async with zswap.Swap.open(zswap.Params(compressor="null-sync"), device=zswap.MemoryDevice(64)) as swap:
            stays = zswap.Cgroup("stays", root)
            assert await swap.store(zswap.Folio(1, page_of(5), cgroup=stays)) is zswap.Placed.ZSWAP
            for i in range(70_000):
                group = zswap.Cgroup(str(i), root)
                folio = zswap.Folio(0, bytes(PAGE) if i % 64 else page_of(7), cgroup=group)
                assert await swap.store(folio) is (zswap.Placed.ZERO if i % 64 else zswap.Placed.ZSWAP)
                swap.zswap.offline_cgroup(group)
            lrus = swap.zswap._parts.inventory.lrus
            assert list(root.children) == [stays] and lrus.owners() == [stays, root]
            assert len(lrus.lists) == 3 and len(swap._parts.owners) == 2
            assert await swap.load(1) == page_of(5) and await swap.load(0) is not None
            assert len(swap._parts.owners) == 0 and len(lrus) == 0


def test_the_hierarchy_forgets_a_removed_cgroup_when_nothing_is_below_it() -> None:
    root, parent, child = family()
    parent.go_offline()
    assert list(root.walk()) == [root, child], "a cgroup below a removed one is still there"
    child.go_offline()
    child.go_offline()
    assert not root.children and list(root.walk()) == [root]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.integers(0, 3)), max_size=40))
def test_slot_owners_against_a_dict(steps: list[tuple[int, int, int]]) -> None:
    owners, model = SlotOwners(16), dict[int, tuple[None, int]]()
    for slot, nr, node in steps:
        if model.keys() & set(range(slot, slot + nr)):
            for one in sorted(model.keys() & set(range(slot, slot + nr))):
                owners.drop(one, 1)
                del model[one]
        else:
            owners.take(slot, nr, (None, node))
            model.update(dict.fromkeys(range(slot, slot + nr), (None, node)))
        assert {one: owners[one] for one in model} == model
        assert len(owners) == len(set(model.values())) <= len(owners._owners) <= 4


async def test_full_pools_are_emptied_of_the_pages_of_removed_cgroups() -> None:
    root = zswap.Cgroup("root")
    params = zswap.Params(compressor="null-async", max_pool_bytes=20 * PAGE, accept_threshold_percent=50)
    with acomp.registry(), null_algorithm():
        async with zswap.Swap.open(params, device=zswap.MemoryDevice(512)) as swap:
            group = zswap.Cgroup("g", root)
            folios = [zswap.Folio(16 * i, page_of(HUGE) * 16, cgroup=group) for i in range(4)]
            storing = [asyncio.ensure_future(swap.store(folio)) for folio in folios]
            await asyncio.sleep(0)
            swap.zswap.offline_cgroup(group)
            assert {await one for one in storing} == {zswap.Placed.ZSWAP}
            placed = []
            for offset in range(400, 420):
                placed.append(await swap.store(zswap.Folio(offset, page_of(HUGE), cgroup=group)))
                while swap.zswap._worker.running:
                    await asyncio.sleep(0)
            assert zswap.Placed.ZSWAP in placed and swap.zswap.stats()["written_back_pages"] > 40
            assert (group.zswapped, group.zswap_current) == (0, 0)
