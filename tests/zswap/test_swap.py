"""The layer above the store: zero map, compressed store, device; where a folio goes and how it is found again."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from errno import ECANCELED, EIO, ENOSPC, EPERM
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import acomp
import zswap
from acomp import fault
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of, sync_null
from zswap.swap.slots import NO_SLOT, SwapSlots

RANDOM = acomp.testing.sample_pages()["random"]
PARAMS = zswap.Params(compressor="null-async")


@asynccontextmanager
async def opened(
    params: zswap.Params = PARAMS, nr_slots: int = 1 << 12, automatic: bool = True
) -> AsyncIterator[tuple[zswap.Swap, NullDevice]]:
    with acomp.registry(), null_algorithm(automatic=automatic) as device:
        sync_null()
        async with zswap.Swap.open(params, device=zswap.MemoryDevice(nr_slots)) as swap:
            yield swap, device
            check(swap)


def check(swap: zswap.Swap) -> None:
    """I10 and more: slots, pages and entries agree, and nothing is held."""
    parts = swap.zswap._parts
    assert swap.slots.used == len(swap)
    assert not len(swap._parts.locks) and not len(parts.slots) and not swap._parts.io.in_flight.count
    assert len(parts.inventory.tree) == len(parts.inventory.lrus) == len(parts.inventory.entries) <= len(swap)
    assert all(pool.refs - (pool is parts.pools.current) == held(swap, pool.id) for pool in parts.pools.pools)
    assert not any(context.mutex.locked for pool in parts.pools.pools for context in pool.contexts)


def held(swap: zswap.Swap, pool_id: int) -> int:
    inventory = swap.zswap._parts.inventory
    return sum(inventory.pool_of(inventory.tree.get(slot)).id == pool_id for slot in inventory.tree)


async def test_each_folio_goes_where_it_belongs_and_is_found_again() -> None:
    async with opened() as (swap, _):
        zero, mixed = bytes(4 * PAGE), page_of(9) + bytes(PAGE)
        assert await swap.store(zswap.Folio(0, zero)) is zswap.Placed.ZERO
        assert await swap.store(zswap.Folio(10, mixed)) is zswap.Placed.ZSWAP
        assert await swap.store(zswap.Folio(20, RANDOM + page_of(9))) is zswap.Placed.DEVICE
        events = swap.zswap.events
        assert {k: events[k] for k in ("swpout_zero", "zswpout", "pswpout")} == {
            "swpout_zero": 4,
            "zswpout": 2,
            "pswpout": 2,
        }
        assert (events["zswpout-8kB"], events["swpout-8kB"]) == (1, 1)
        assert await swap.load(3) == bytes(PAGE)
        assert [await swap.load(i, keep=True) for i in (10, 11)] == [page_of(9), bytes(PAGE)]
        assert [await swap.load(i) for i in (20, 21)] == [RANDOM, page_of(9)]
        assert {k: events[k] for k in ("swpin_zero", "zswpin", "pswpin")} == {
            "swpin_zero": 1,
            "zswpin": 2,
            "pswpin": 2,
        }
        assert await swap.load(20) is None and await swap.load(99) is None
        assert not any(name.startswith("thp_") for name in events), "that is for 2 MiB"
        assert list(swap) == [0, 1, 2, 10, 11] and 10 in swap and 20 not in swap


def test_a_place_prints_as_its_name() -> None:
    assert [str(place) for place in zswap.Placed] == ["ZERO", "ZSWAP", "DEVICE"]
    assert f"{zswap.Placed.ZSWAP:>6}" == " ZSWAP" and repr(zswap.Placed.ZSWAP) == "<Placed.ZSWAP: 1>"
    assert max(zswap.Placed.DEVICE, zswap.Placed.ZERO) is zswap.Placed.DEVICE


async def test_where_a_page_is() -> None:
    params = zswap.Params(compressor="null-async", shrinker_enabled=True)
    async with opened(params, automatic=False) as (swap, device):
        assert await swap.store(zswap.Folio(0, bytes(2 * PAGE))) is zswap.Placed.ZERO
        storing = asyncio.ensure_future(swap.store(zswap.Folio(10, page_of(9) * 2)))
        await asyncio.sleep(0)
        assert 10 in swap and swap.where(10) is None, "nobody knows yet where it will be"
        device.automatic = True
        device.land()
        assert await storing is zswap.Placed.ZSWAP
        assert await swap.store(zswap.Folio(20, RANDOM)) is zswap.Placed.DEVICE
        assert {offset: swap.where(offset) for offset in (0, 1, 10, 11, 20, 21)} == {
            0: zswap.Placed.ZERO,
            1: zswap.Placed.ZERO,
            10: zswap.Placed.ZSWAP,
            11: zswap.Placed.ZSWAP,
            20: zswap.Placed.DEVICE,
            21: None,
        }
        await swap.zswap.shrink(nr_to_scan=2)
        assert swap.where(10) is zswap.Placed.ZSWAP
        assert await swap.zswap.shrink(nr_to_scan=1) == 1
        assert (swap.where(10), swap.where(11)) == (zswap.Placed.DEVICE, zswap.Placed.ZSWAP)
        assert await swap.load(11, keep=True) == page_of(9) and swap.where(11) is zswap.Placed.ZSWAP
        for offset in (1, 10, 11):
            await swap.load(offset)
        assert swap.invalidate(20) == 1
        assert [swap.where(offset) for offset in (0, 1, 10, 11, 20)] == [zswap.Placed.ZERO, None, None, None, None]
        slots = swap.slots.used
        assert await swap.store(zswap.Folio(30, RANDOM * 4)) is zswap.Placed.DEVICE
        assert swap.slots.used == slots + 4 and swap.where(30) is zswap.Placed.DEVICE
        for nonsense in (-1, 1 << 50):
            with pytest.raises(ValueError, match="slots"):
                swap.where(nonsense)
    with pytest.raises(zswap.StoreClosedError):
        swap.where(0)


async def test_which_pages_the_compressed_store_has() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device:
        async with zswap.Zswap.open(PARAMS) as store:
            storing = asyncio.ensure_future(store.store(zswap.Folio(3, page_of(9))))
            await asyncio.sleep(0)
            assert 3 not in store
            device.automatic = True
            device.land()
            assert await storing
            assert 3 in store and 2 not in store and "3" not in store and -1 not in store
            await store.load(3, keep=True)
            assert 3 in store
            await store.load(3)
            assert 3 not in store


async def test_partly_zero_folios_are_not_zero() -> None:
    async with opened() as (swap, _):
        assert await swap.store(zswap.Folio(0, bytes(PAGE) + page_of(1))) is zswap.Placed.ZSWAP


async def test_a_new_store_replaces_wherever_the_old_page_was() -> None:
    async with opened() as (swap, _):
        for data in (bytes(PAGE), RANDOM, page_of(5), RANDOM, bytes(PAGE), page_of(6), page_of(7)):
            await swap.store(zswap.Folio(4, data))
            assert await swap.load(4, keep=True) == data
            assert swap.slots.used == 1


async def test_no_contiguous_slots_splits_the_folio_and_counts_it() -> None:
    async with opened(nr_slots=16) as (swap, _):
        for i in range(16):
            await swap.store(zswap.Folio(i, page_of(5)))
        for i in range(0, 16, 2):
            swap.invalidate(i)
        data = bytes(PAGE) + page_of(6) + RANDOM + page_of(7)
        assert await swap.store(zswap.Folio(100, data)) is zswap.Placed.DEVICE
        assert swap.zswap.events["swpout_fallback-16kB"] == 1
        assert b"".join([await swap.load(100 + i) or b"" for i in range(4)]) == data
        group = zswap.Cgroup("g", zswap.Cgroup("root"))
        with pytest.raises(OSError, match="16 slots") as caught:
            await swap.store(zswap.Folio(200, b"".join(page_of(8) for _ in range(16)), cgroup=group))
        assert caught.value.errno == ENOSPC
        assert group.events["fail"] == 2, "for the folio, and for the first of its pages that found no slot"
        assert not any(i in swap for i in range(200, 216)), "nothing of it is left"


async def test_folios_of_2_mib_are_counted_as_huge_pages_too() -> None:
    async with opened(nr_slots=1024) as (swap, _):
        assert await swap.store(zswap.Folio(0, RANDOM * 512)) is zswap.Placed.DEVICE
        events = swap.zswap.events
        assert (events["thp_swpout"], events["swpout-2048kB"], events["pswpout"]) == (1, 1, 512)
        await swap.store(zswap.Folio(600, page_of(5)))
        assert await swap.store(zswap.Folio(1000, page_of(5) * 256 + RANDOM * 255)) is zswap.Placed.DEVICE
        assert (events["thp_swpout"], events["thp_swpout_fallback"]) == (1, 0), "511 pages are another size"
        swap.invalidate(1000, 511)
        await swap.store(zswap.Folio(601, page_of(5) * 2))
        with pytest.raises(OSError, match="taken"):
            await swap.store(zswap.Folio(1000, page_of(5) * 512))
        assert (events["thp_swpout_fallback"], events["swpout_fallback-2048kB"]) == (1, 1)
        assert events["thp_swpout"] == 1


async def test_a_cgroup_is_told_of_its_zero_pages() -> None:
    async with opened() as (swap, _):
        parent = zswap.Cgroup("p", zswap.Cgroup("root"))
        group = zswap.Cgroup("g", parent)
        assert await swap.store(zswap.Folio(0, bytes(4 * PAGE), cgroup=group)) is zswap.Placed.ZERO
        assert [await swap.load(i) for i in range(3)] == [bytes(PAGE)] * 3
        for one in (group, parent):
            assert one.events == {"swpout_zero": 4, "swpin_zero": 3}


async def test_a_cgroup_that_forbids_writeback_keeps_its_folio() -> None:
    async with opened() as (swap, _):
        parent = zswap.Cgroup("p", zswap.Cgroup("root"), zswap_writeback=False)
        with pytest.raises(OSError, match="/p/g") as caught:
            await swap.store(zswap.Folio(0, RANDOM, cgroup=zswap.Cgroup("g", parent)))
        assert caught.value.errno == EPERM
        assert 0 not in swap and swap.zswap.events["pswpout"] == 0


@pytest.mark.parametrize("point", ["swap.device_write", "swap.device_read"])
async def test_a_device_error_is_reported_and_loses_nothing(point: str) -> None:
    async with opened() as (swap, _):
        if point == "swap.device_read":
            await swap.store(zswap.Folio(0, RANDOM))
        with fault.installed(lambda asked: asked == point), pytest.raises(OSError, match="device") as caught:
            await (swap.store(zswap.Folio(0, RANDOM)) if point == "swap.device_write" else swap.load(0))
        assert caught.value.errno == EIO
        assert await swap.load(0) == (RANDOM if point == "swap.device_read" else None)


async def test_invalidated_while_it_was_stored() -> None:
    async with opened(automatic=False) as (swap, device):
        folio = zswap.Folio(0, page_of(5) * 4)
        storing = asyncio.get_running_loop().create_task(swap.store(folio))
        await asyncio.sleep(0)
        assert swap.invalidate(1) == 1
        device.automatic = True
        device.land()
        with pytest.raises(OSError, match="invalidated") as caught:
            await storing
        assert caught.value.errno == ECANCELED
        assert len(swap) == 0
        assert swap.zswap.events["pswpout"] == 0
        assert swap.device.read(0, 4) == bytes(4 * PAGE), "it was not written where others may be by now"


async def test_a_page_of_a_split_folio_invalidated_while_a_later_one_is_stored() -> None:
    async with opened(nr_slots=4, automatic=False) as (swap, device):
        for offset in (90, 91, 92):
            await swap.store(zswap.Folio(offset, bytes(PAGE)))
        swap.invalidate(91)
        storing = asyncio.get_running_loop().create_task(swap.store(zswap.Folio(0, page_of(5) * 2)))
        await asyncio.sleep(0)
        device.land()
        while not device.jobs:
            await asyncio.sleep(0)
        assert swap.invalidate(0) == 1, "the first page is stored, the second one under way"
        device.automatic = True
        device.land()
        with pytest.raises(OSError, match="invalidated"):
            await storing
        assert list(swap) == [90, 92]


async def test_invalidated_while_it_was_loaded_from_the_device() -> None:
    async with opened() as (swap, _):
        await swap.store(zswap.Folio(0, RANDOM))
        loading = asyncio.get_running_loop().create_task(swap.load(0))
        await asyncio.sleep(0)
        assert swap.invalidate(0) == 1
        assert await loading is None


@pytest.mark.parametrize("how", ["invalidate", "release"])
async def test_invalidated_while_it_was_decompressed_the_device_is_not_asked(how: str) -> None:
    async with opened() as (swap, device):
        await swap.store(zswap.Folio(0, page_of(9)))
        await swap.store(zswap.Folio(8, page_of(9)))
        device.automatic = False
        loading = asyncio.get_running_loop().create_task(swap.load(0))
        while not device.jobs:
            await asyncio.sleep(0)
        with fault.installed("swap.device_read".__eq__):
            assert (swap.invalidate(0, 9) if how == "invalidate" else await swap.release(0, 9)) == 2
            device.automatic = True
            device.land()
            assert await loading is None
        assert swap.zswap.events["pswpin"] == swap.zswap.events["zswpin"] == 0
        lru = swap.zswap._parts.inventory.lrus.find(None, 0)
        assert lru is not None and lru.protected == 0


async def test_a_slot_is_not_used_again_before_its_write_has_landed() -> None:
    slots = SwapSlots(4)
    first = slots.allocate(4)
    slots.hold(first, 2)
    slots.free(first, 4)
    assert slots.used == 2 and slots.allocate(2) == 2
    assert slots.allocate() == NO_SLOT
    slots.drop(first, 2)
    assert slots.allocate(2) == 0


@given(st.lists(st.tuples(st.sampled_from([1, 1, 2, 3, 4, 8, 16, 512]), st.booleans()), max_size=60), st.data())
def test_slots_are_disjoint_aligned_and_complete(steps: list[tuple[int, bool]], data: st.DataObject) -> None:
    slots, runs = SwapSlots(1300), list[tuple[int, int]]()
    for nr, freeing in steps:
        if freeing and runs:
            slots.free(*runs.pop(data.draw(st.integers(0, len(runs) - 1))))
        slot = slots.allocate(nr)
        taken = {one for first, count in runs for one in range(first, first + count)}
        if slot == NO_SLOT:
            assert nr > 1 or len(taken) == 1300, "single slots are found as long as there are some"
            continue
        assert taken.isdisjoint(range(slot, slot + nr)) and slot + nr <= 1300
        assert slot // 512 == (slot + nr - 1) // 512
        assert nr & (nr - 1) or slot % nr == 0
        runs.append((slot, nr))
    assert slots.used == sum(count for _, count in runs)


@pytest.mark.threads
async def test_a_file_of_your_own_stays_and_one_of_ours_does_not(tmp_path: Path) -> None:
    path = tmp_path / "swapfile"
    with acomp.registry():
        async with zswap.Swap.open(device=zswap.FileDevice(path, nr_slots=64)) as swap:
            assert await swap.store(zswap.Folio(7, RANDOM * 3)) is zswap.Placed.DEVICE
            await swap.sync()
            assert path.stat().st_size == 64 * PAGE
            assert path.stat().st_blocks * 512 < 64 * PAGE, "sparse"
            assert [await swap.load(7 + i) for i in range(3)] == [RANDOM] * 3
        assert path.exists()
        with pytest.raises(FileExistsError, match="content"):
            zswap.FileDevice(path)
        before = set(os.listdir("/proc/self/fd"))
        async with zswap.Swap.open() as swap:
            assert await swap.store(zswap.Folio(7, RANDOM)) is zswap.Placed.DEVICE
            assert await swap.load(7) == RANDOM
        del swap
        zswap.Swap.open()  # never entered
        gc.collect()
        assert set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.threads
async def test_a_cancelled_write_keeps_its_slots_until_it_has_landed() -> None:
    gate = threading.Event()

    class Gated(zswap.MemoryDevice):
        blocks = True

        def write(self, slot: int, data: bytes) -> None:
            assert gate.wait(10)
            super().write(slot, data)

    with acomp.registry():
        async with zswap.Swap.open(device=Gated(2)) as swap:
            storing = asyncio.ensure_future(swap.store(zswap.Folio(0, RANDOM * 2)))
            while not swap._parts.io.in_flight.count:
                await asyncio.sleep(0)
            storing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await storing
            with pytest.raises(OSError, match="taken"):
                await swap.store(zswap.Folio(5, page_of(5)))
            gate.set()
            while swap._parts.io.in_flight.count:
                await asyncio.sleep(0)
            assert await swap.store(zswap.Folio(5, RANDOM[::-1])) is zswap.Placed.DEVICE
            assert await swap.load(5) == RANDOM[::-1]


async def test_swapoff_hands_every_page_back() -> None:
    async with opened() as (swap, _):
        pages = {3: RANDOM, 4: bytes(PAGE), 9: page_of(9), 700: page_of(70)}
        for offset, page in pages.items():
            await swap.store(zswap.Folio(offset, page))
        assert [item async for item in swap.swapoff()] == list(pages.items())
        assert swap.slots.used == 0


async def test_misuse() -> None:
    with acomp.registry():
        swap = zswap.Swap.open(device=zswap.MemoryDevice(8))
        with pytest.raises(zswap.StoreClosedError, match="new"):
            await swap.load(0)
        async with swap:
            with pytest.raises(zswap.StoreOpenError):
                await swap.__aenter__()
            with pytest.raises(TypeError, match=r"zswap\.Folio"):
                await swap.store(b"")  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="slots"):
                swap.invalidate(-1)
            with pytest.raises(ValueError, match="swapon"):
                await swap.zswap.load(8)
        with pytest.raises(zswap.StoreClosedError, match="closed"):
            swap.invalidate(0)
        with pytest.raises(ValueError, match="slots"):
            zswap.MemoryDevice(0)
        with pytest.raises(TypeError, match="int"):
            zswap.FileDevice(nr_slots=1.5)  # type: ignore[arg-type]
        with pytest.raises(zswap.ParameterError):
            async with zswap.Swap.open(zswap.Params(compressor="nothing")):
                pass


def several() -> zswap.Folio:
    return zswap.Folio(0, b"".join(page_of(40 + i) for i in range(12)))


@pytest.mark.parametrize("folio", [several(), zswap.Folio(0, RANDOM * 4), zswap.Folio(0, bytes(PAGE * 4))])
async def test_the_cancel_sweep_over_swap(folio: zswap.Folio) -> None:
    async with opened(zswap.Params(compressor="null-async")) as (swap, device):

        async def store() -> zswap.Placed:
            await asyncio.sleep(0)  # zero folios alone do not suspend
            return await swap.store(folio)

        async def after_store() -> None:
            await device.quiesce()
            check(swap)
            pages = [await swap.load(i) for i in range(folio.nr_pages)]
            assert pages in ([None] * folio.nr_pages, folio.pages(0, folio.nr_pages))
            check(swap)

        await acomp.testing.sweep_cancel(store, after_store)
        await swap.store(folio)

        async def load() -> bytes | None:
            await asyncio.sleep(0)
            return await swap.load(0)

        async def after_load() -> None:
            await device.quiesce()
            check(swap)
            if 0 not in swap:
                await swap.store(folio)
            assert await swap.load(0, keep=True) == folio.pages(0, folio.nr_pages)[0][:PAGE]

        await acomp.testing.sweep_cancel(load, after_load)


async def test_every_fault_point_fails_at_every_turn() -> None:
    """N = 1, 2, ... of all fallible steps together: each page reads back as last stored, or the caller still has it."""
    points = ("zswap.", "swap.", "test.null.")
    for n in range(1, 400):
        seen = 0

        def fail_nth(point: str, n: int = n) -> bool:
            nonlocal seen
            seen += point.startswith(points)
            return seen == n and point.startswith(points)

        params = zswap.Params(compressor="null-async", shrinker_enabled=True)
        async with opened(params) as (swap, device):
            cgroup = zswap.Cgroup("g", zswap.Cgroup("root"))
            expected: dict[int, bytes] = {}

            async def put(
                offset: int, data: bytes, expected: dict[int, bytes] = expected, cgroup: zswap.Cgroup = cgroup
            ) -> None:
                folio = zswap.Folio(offset, data, cgroup=cgroup)
                for i in range(folio.nr_pages):
                    expected.pop(offset + i, None)
                try:
                    await swap.store(folio)
                except OSError:
                    return
                expected.update({offset + i: page for i, page in enumerate(folio.pages(0, folio.nr_pages))})

            with fault.installed(fail_nth):
                await put(0, b"".join(page_of(40 + i) for i in range(10)))
                await put(4, RANDOM + page_of(3))
                await put(8, page_of(11))
                try:
                    swap.zswap.params["compressor"] = "null-sync"
                except zswap.ParameterError:
                    pass  # it stays what it was
                await put(20, b"".join(page_of(60 + i) for i in range(9)))
                for _ in range(2):
                    await swap.zswap.shrink(cgroup, nr_to_scan=12)
                check(swap)
                for offset in range(0, 12, 3):
                    try:
                        assert await swap.load(offset, keep=True) == expected.get(offset)
                    except OSError:
                        assert offset in swap
            check(swap)
            assert set(swap) == set(expected)
            for offset, page in expected.items():
                assert await swap.load(offset) == page
            assert (cgroup.zswap_current, cgroup.zswapped, cgroup.memory_current) == (0, 0, 0)
            await device.quiesce()
        if seen < n:
            assert n > 40
            return
    pytest.fail("something fails for ever")
