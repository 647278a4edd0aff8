"""LRU, second chance, writeback, the dynamic shrinker and the global worker (docs/kernel.md#shrinker)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import acomp
import zswap
from acomp import fault
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of

HUGE = 4000


class Disk:
    """A backing of our own: remembers pages, waits or fails when told to."""

    def __init__(self) -> None:
        self.pages: dict[int, bytes] = {}
        self.gate: asyncio.Event | None = None
        self.full = False
        self.mistakes = 0

    async def write_back(self, slot: int, page: bytes) -> None:
        if self.full:
            raise OSError(28, "disk full")
        if self.mistakes:
            self.mistakes -= 1
            raise ZeroDivisionError
        if self.gate is not None:
            await self.gate.wait()
        self.pages[slot] = page


@asynccontextmanager
async def opened(**params: object) -> AsyncIterator[tuple[zswap.Zswap, Disk, NullDevice]]:
    disk = Disk()
    with acomp.registry(), null_algorithm() as device:
        all_params = zswap.Params(compressor="null-async", **params)  # type: ignore[arg-type]
        async with zswap.Zswap.open(all_params, backing=disk) as store:
            yield store, disk, device
            await device.quiesce()
        assert not len(store._parts.slots)


def kernel_limit(nr_pages: int) -> dict[str, int]:
    """Parameters of a pool limit of the kernel's kind, a percentage of memory; test_byte_budget has the other kind."""
    return {"ram_bytes": nr_pages * PAGE, "max_pool_percent": 100}


async def put(
    store: zswap.Zswap, offset: int, length: int = 9, cgroup: zswap.Cgroup | None = None, node: int = 0
) -> bool:
    return await store.store(zswap.Folio(offset, page_of(length), cgroup=cgroup, node=node))


def order(store: zswap.Zswap) -> list[int]:
    """Slots on the LRU of nobody, oldest first."""
    lru = store._parts.inventory.lrus.find(None, 0)
    assert lru is not None
    entries, found, entry = store._parts.inventory.entries, [], lru.head
    while entry >= 0:
        found.append(entries.slot[entry])
        entry = entries.next[entry]
    assert len(found) == lru.length
    return found


async def test_new_entries_go_to_the_tail_and_a_fresh_one_survives_the_first_visit() -> None:
    async with opened(shrinker_enabled=True) as (store, disk, _):
        for offset in range(4):
            assert await put(store, offset)
        assert await store.shrink(nr_to_scan=2) == 0
        assert order(store) == [2, 3, 0, 1] and not disk.pages, "the second chance: a mark less, and to the tail"
        assert await store.shrink(nr_to_scan=4) == 2
        assert list(disk.pages) == [0, 1] and order(store) == [2, 3]
        assert await store.shrink(nr_to_scan=9) == 2
        stats = store.stats()
        assert stats["written_back_pages"] == store.events["zswpwb"] == 4
        assert stats["stored_pages"] == stats["pool_total_size"] == stats["reject_reclaim_fail"] == 0
        assert disk.pages == {offset: page_of(9) for offset in range(4)}


async def test_the_dynamic_shrinker_is_off_by_default_and_needs_a_device() -> None:
    async with opened() as (store, disk, _):
        assert await put(store, 0)
        assert store.shrinker_count() == 0 and await store.shrink(nr_to_scan=5) == 0 and not disk.pages
    with acomp.registry():
        async with zswap.Zswap.open(zswap.Params(shrinker_enabled=True)) as store:
            assert await put(store, 0)
            assert store.shrinker_count() == 0 and await store.shrink(nr_to_scan=5) == 0


async def test_what_the_dynamic_shrinker_offers() -> None:
    """Length less recent swap-ins from disk, which are consumed, scaled by how well pages compress."""
    group = zswap.Cgroup("g", zswap.Cgroup("root"))
    async with opened(shrinker_enabled=True) as (store, _, _device):
        for offset in range(8):
            assert await put(store, offset, 2048, cgroup=group)
        assert store.shrinker_count(group) == 8 * 4 // 8
        for _ in range(6):
            store.protect(group, 0)
        assert store.shrinker_count(group) == 2 * 4 // 8
        assert store.shrinker_count(group) == 4
        assert store.shrinker_count() == store.shrinker_count(group, 1) == 0
        group.zswap_writeback = False
        assert store.shrinker_count(group) == 0
        for offset in range(100, 108):
            assert await put(store, offset, HUGE)
        assert store.shrinker_count() == 8 * (8 + 8) // 16, "without a cgroup the numbers of the whole pool"


async def test_a_page_in_use_stops_the_dynamic_shrinker() -> None:
    async with opened(shrinker_enabled=True) as (store, disk, device):
        for offset in range(3):
            assert await put(store, offset)
        assert await store.shrink(nr_to_scan=3) == 0
        device.automatic = False
        loading = asyncio.ensure_future(store.load(0))
        await asyncio.sleep(0)
        assert await store.shrink(nr_to_scan=3) == 0 and not disk.pages
        assert store.stats()["reject_reclaim_fail"] == 1
        device.automatic = True
        device.land()
        assert await loading == page_of(9)
        assert await store.shrink(nr_to_scan=3) == 2


@pytest.mark.parametrize("why", ["disk", "folio", "compressor"])
async def test_a_failed_writeback_keeps_the_page(why: str) -> None:
    async with opened(shrinker_enabled=True) as (store, disk, _):
        assert await put(store, 0)
        await store.shrink(nr_to_scan=1)
        disk.full = why == "disk"
        blobs = store._parts.inventory.entries.blob
        good = blobs[0]
        blobs[0] = bytes(PAGE + 1) if why == "compressor" else good
        with fault.installed(lambda point: why == "folio" and point == "zswap.writeback_folio"):
            assert await store.shrink(nr_to_scan=1) == 0
        assert store.stats()["reject_reclaim_fail"] == 1 and store.stats()["written_back_pages"] == 0
        blobs[0] = good
        assert await store.load(0) == page_of(9)


async def test_a_device_that_raises_what_it_should_not_does_not_end_the_worker() -> None:
    loop = asyncio.get_running_loop()
    reported: list[dict[str, Any]] = []
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    try:
        async with opened(**kernel_limit(4), accept_threshold_percent=50) as (store, disk, _):
            for offset in range(4):
                assert await put(store, offset, HUGE)
            disk.mistakes = 2
            assert not await put(store, 9, HUGE)
            await settled(store)
            assert (store.stats()["reject_reclaim_fail"], store.stats()["written_back_pages"]) == (2, 2)
            assert len(disk.pages) == 2 and store.stats()["stored_pages"] == 2
            assert [(type(one["exception"]), one["message"][:15]) for one in reported] == [
                (ZeroDivisionError, "the swap device")
            ] * 2
    finally:
        loop.set_exception_handler(handler)


async def test_writeback_meets_invalidate_store_and_load() -> None:
    async with opened(shrinker_enabled=True) as (store, disk, _):
        for meeting in ("invalidate", "store", "load"):
            assert await put(store, 0)
            await store.shrink(nr_to_scan=1)
            disk.gate, disk.pages = asyncio.Event(), {}
            writing = asyncio.ensure_future(store.shrink(nr_to_scan=1))
            for _ in range(5):
                await asyncio.sleep(0)
            if meeting == "invalidate":
                assert store.invalidate(0) == 1
                disk.gate.set()
                assert await writing == 0 and store.stats()["reject_reclaim_fail"] == 1
                assert await store.load(0) is None
                continue
            other = asyncio.ensure_future(put(store, 0, 5) if meeting == "store" else store.load(0))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not other.done(), "it waits for the slot"
            disk.gate.set()
            assert await writing == 1
            assert await other is (True if meeting == "store" else None)
            assert await store.load(0) == (page_of(5) if meeting == "store" else None)
            disk.gate = None


async def test_the_cancel_sweep_over_writeback_loses_no_page() -> None:
    async with opened(shrinker_enabled=True) as (store, disk, device):
        assert await put(store, 0)
        await store.shrink(nr_to_scan=1)

        async def check() -> None:
            await device.quiesce()
            if store.stats()["stored_pages"]:
                assert await store.load(0, keep=True) == page_of(9)
            else:
                assert disk.pages.pop(0) == page_of(9)
                assert await put(store, 0)
                await store.shrink(nr_to_scan=1)

        assert await acomp.testing.sweep_cancel(lambda: store.shrink(nr_to_scan=1), check) >= 1


async def test_a_cgroup_at_its_limit_is_shrunk_once_per_folio() -> None:
    group = zswap.Cgroup("g", zswap.Cgroup("p", zswap.Cgroup("root"), zswap_max=2 * PAGE))
    async with opened() as (store, disk, _):
        for offset in range(3):
            assert await put(store, offset, HUGE, cgroup=group)
        for offset in range(10, 13):
            assert not await put(store, offset, HUGE, cgroup=group), "-EAGAIN: only marks were cleared"
        assert await put(store, 13, HUGE, cgroup=group), "the owner's oldest page went to the device"
        assert list(disk.pages) == [0]
        assert (group.events["zswpwb"], store.stats()["written_back_pages"]) == (1, 1)
        group.parent.zswap_writeback = False  # type: ignore[union-attr]
        assert not await put(store, 14, HUGE, cgroup=group), "-ENOENT: it may not write back"
        assert list(disk.pages) == [0]


async def test_each_node_gives_one_entry() -> None:
    group = zswap.Cgroup("g", zswap.Cgroup("root"), zswap_max=4 * PAGE)
    async with opened() as (store, disk, _):
        for offset in range(5):
            assert await put(store, offset, HUGE, cgroup=group, node=offset % 2)
        referenced = store._parts.inventory.entries.referenced
        assert not await put(store, 10, HUGE, cgroup=group)
        assert list(referenced[:5]) == [0, 0, 1, 1, 1]
        assert not await put(store, 10, HUGE, cgroup=group)
        assert list(referenced[:5]) == [0, 0, 0, 0, 1]
        assert await put(store, 10, HUGE, cgroup=group), "node 1 has come round to its first entry"
        assert sorted(disk.pages) == [1]


async def settled(store: zswap.Zswap) -> None:
    while store._worker.running:
        await asyncio.sleep(0)


async def test_the_worker_empties_full_pools_down_to_the_threshold() -> None:
    async with opened(**kernel_limit(20), accept_threshold_percent=50) as (store, disk, _):
        groups = [zswap.Cgroup(name, zswap.Cgroup("root")) for name in "ab"]
        for offset in range(20):
            assert await put(store, offset, HUGE, cgroup=groups[offset % 2])
        rounds = 0
        while not await put(store, 99, HUGE, cgroup=groups[0]):
            await settled(store)
            rounds += 1
            assert rounds < 10
        assert rounds == 2, "16 failures end the first run: every entry had its second chance"
        assert store.stats()["pool_total_size"] == 11 * PAGE
        assert sorted(disk.pages) == list(range(10)), "in turn from both cgroups, oldest first"
        assert not store._parts.limit.full


async def test_the_worker_gives_up_after_16_failures() -> None:
    async with opened(**kernel_limit(40)) as (store, disk, _):
        for offset in range(40):
            assert await put(store, offset, HUGE)
        for run in (1, 2):
            assert not await put(store, 99, HUGE)
            await settled(store)
            assert store._parts.inventory.entries.referenced[:40].count(0) == 16 * run, "second chances are failures"
        assert not disk.pages


async def test_the_worker_goes_on_behind_the_cgroup_that_it_visited_last() -> None:
    async with opened(**kernel_limit(8)) as (store, disk, _):
        groups = [zswap.Cgroup(name, zswap.Cgroup("root")) for name in "abcd"]
        for offset in range(8):
            assert await put(store, offset, HUGE, cgroup=groups[offset // 2])
        for offset in (100, 101, 102):
            while not await put(store, offset, HUGE):
                await settled(store)
        assert list(disk.pages) == [0, 2, 4], "one of each cgroup: threshold and limit are one page apart"


async def test_a_round_without_candidates_is_one_failure_of_16() -> None:
    group = zswap.Cgroup("n", zswap.Cgroup("root"), zswap_writeback=False)
    async with opened(**kernel_limit(2)) as (store, disk, _):
        for offset in range(2):
            assert await put(store, offset, HUGE, cgroup=group)
        assert not await put(store, 2, HUGE)
        for _ in range(6):
            assert store._worker.running
            await asyncio.sleep(0)
        group.zswap_writeback = True
        await settled(store)
        assert list(disk.pages) == [0]
        disk.pages.clear()
        group.zswap_writeback = False
        assert await put(store, 2, HUGE, cgroup=group)
        assert not await put(store, 3, HUGE)
        turns = 0
        while store._worker.running:
            turns += 1
            await asyncio.sleep(0)
        assert 16 <= turns <= 18 and not disk.pages


async def test_the_worker_is_not_pinned_to_the_cpu_of_the_store_that_called_it() -> None:
    async with opened(**kernel_limit(2), offline_timeout=0) as (store, disk, _):
        assert await put(store, 0, HUGE) and await put(store, 1, HUGE)
        await store.offline_cpu(5)
        with acomp.cpu.on_cpu(5):
            assert not await put(store, 2, HUGE), "refused before it needs its cpu"
        await settled(store)
        assert sorted(disk.pages) == [0]


async def test_the_worker_gives_up_where_nothing_can_be_written() -> None:
    never = zswap.Cgroup("n", zswap.Cgroup("root"), zswap_writeback=False)
    async with opened(**kernel_limit(2)) as (store, disk, _):
        for offset in range(2):
            assert await put(store, offset, HUGE, cgroup=never)
        assert not await put(store, 2, HUGE, cgroup=never)
        await settled(store)
        assert not disk.pages and store.stats()["reject_reclaim_fail"] == 0


async def test_closing_stops_the_worker() -> None:
    async with opened(**kernel_limit(2)) as (store, disk, _):
        for offset in range(2):
            assert await put(store, offset, HUGE)
        disk.gate = asyncio.Event()
        for _ in range(3):
            assert not await put(store, 2, HUGE)
            await asyncio.sleep(0)
        assert store._worker.running
    assert not store._worker.running


async def test_a_removed_cgroup_leaves_its_entries_to_its_parent() -> None:
    parent = zswap.Cgroup("p", zswap.Cgroup("root"))
    child = zswap.Cgroup("c", parent)
    async with opened(shrinker_enabled=True) as (store, disk, _):
        assert await put(store, 0, cgroup=child) and await put(store, 1, cgroup=parent)
        store.offline_cgroup(child)
        assert child not in list(parent.walk())
        assert await store.shrink(child, nr_to_scan=9) == 0
        assert await store.shrink(parent, nr_to_scan=4) == 0
        assert await store.shrink(parent, nr_to_scan=4) == 2
        assert sorted(disk.pages) == [0, 1]
        assert (child.zswapped, parent.zswapped, parent.zswap_current) == (0, 0, 0)


async def test_written_back_pages_are_found_through_swap() -> None:
    random = acomp.testing.sample_pages()["random"]
    with acomp.registry(), null_algorithm():
        params = zswap.Params(compressor="null-async", shrinker_enabled=True)
        async with zswap.Swap.open(params, device=zswap.MemoryDevice(64)) as swap:
            for offset in range(8):
                assert await swap.store(zswap.Folio(offset, page_of(offset + 1))) is zswap.Placed.ZSWAP
            assert await swap.store(zswap.Folio(8, random)) is zswap.Placed.DEVICE
            await swap.zswap.shrink(nr_to_scan=8)
            assert await swap.zswap.shrink(nr_to_scan=5) == 5
            assert (swap.zswap.events["pswpout"], swap.zswap.events["zswpwb"]) == (6, 5)
            for offset in range(8):
                assert await swap.load(offset) == page_of(offset + 1)
            assert swap.zswap.events["pswpin"] == 5
            lru = swap.zswap._parts.inventory.lrus.find(None, 0)
            assert lru is not None and lru.protected == 5


async def test_the_worker_runs_where_the_store_was_opened_and_not_where_it_was_made() -> None:
    """On a cpu that nobody has used yet it makes a context, and for that it needs the registry of the store's pool."""
    disk = Disk()
    params = zswap.Params(compressor="null-async", **kernel_limit(4), accept_threshold_percent=50)  # type: ignore[arg-type]
    store = zswap.Zswap.open(params, backing=disk)
    with acomp.registry(), null_algorithm() as device:
        acomp.cpu.host.get().nr_cpus = 1
        async with store:
            acomp.cpu.host.get().nr_cpus = 2
            for offset in range(5):
                await put(store, offset, HUGE)
            await store._worker.ended()
            assert disk.pages
            await device.quiesce()
