"""Ranges of pages: read together wherever they are, and told apart as data, zeroes and holes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

import acomp
import zswap
from acomp import fault
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of, sync_null
from zswap.inventory.slot_map import EMPTY, SlotMap
from zswap.swap.extents import extents_of
from zswap.swap.parts import STORED, ZERO

RANDOM = acomp.testing.sample_pages()["random"]


@asynccontextmanager
async def opened(
    compressor: str = "null-async", device: zswap.SwapDevice | None = None
) -> AsyncIterator[tuple[zswap.Swap, NullDevice]]:
    with acomp.registry(), null_algorithm() as null:
        sync_null()
        params = zswap.Params(compressor=compressor, shrinker_enabled=True)
        device = device if device is not None else zswap.MemoryDevice(256)
        async with zswap.Swap.open(params, device=device) as swap:
            yield swap, null
            assert not len(swap._parts.locks) and not swap._parts.in_flight.count and not swap._parts.io.in_flight.count


async def fill(swap: zswap.Swap) -> list[bytes]:
    """Data, zeroes, a hole, three pages on the device, one of them behind a hole, and data again."""
    pages = [page_of(9), page_of(10), bytes(PAGE), bytes(PAGE), bytes(PAGE), RANDOM, RANDOM[::-1], page_of(11)]
    await swap.store(zswap.Folio(0, pages[0] + pages[1]))
    await swap.store(zswap.Folio(2, bytes(2 * PAGE)))
    await swap.store(zswap.Folio(5, RANDOM))
    await swap.store(zswap.Folio(6, RANDOM[::-1]))
    await swap.store(zswap.Folio(7, pages[7]))
    return pages


@pytest.mark.parametrize("compressor", ["null-async", "null-sync", "zstd"])
async def test_a_range_is_read_wherever_its_pages_are(compressor: str) -> None:
    async with opened(compressor) as (swap, _):
        pages = await fill(swap)
        for first in range(8):
            for nr in range(1, 9 - first):
                assert await swap.load_range(first, nr) == pages[first : first + nr]
        assert await swap.load_range(6, 300) == [*pages[6:], *[bytes(PAGE)] * 298]
        assert list(swap) == [0, 1, 2, 3, 5, 6, 7], "nothing was taken out"


async def test_zero_pages_and_holes_are_one_object_and_counted_apart() -> None:
    async with opened() as (swap, _):
        await fill(swap)
        assert all(page is zswap.ZERO_PAGE for page in await swap.load_range(2, 3))
        events = swap.zswap.events
        assert (events["swpin_zero"], events["zswpin"], events["pswpin"]) == (2, 0, 0)
        await swap.load_range(0, 8)
        assert (events["swpin_zero"], events["zswpin"], events["pswpin"]) == (4, 3, 2)


async def test_an_asynchronous_algorithm_gets_a_range_as_one_batch() -> None:
    async with opened() as (swap, null):
        await swap.store(zswap.Folio(0, b"".join(page_of(20 + i) for i in range(8))))
        before = len(null.calls)
        await swap.load_range(0, 8)
        assert len(null.calls) == before + 1


async def test_neighbours_on_the_device_are_read_together() -> None:
    reads: list[tuple[int, int]] = []

    class Watched(zswap.MemoryDevice):
        def read(self, slot: int, nr_pages: int) -> bytes:
            reads.append((slot, nr_pages))
            return super().read(slot, nr_pages)

    async with opened(device=Watched(64)) as (swap, _):
        await swap.store(zswap.Folio(0, RANDOM * 8))
        swap.invalidate(3)
        assert await swap.load_range(0, 8) == [*[RANDOM] * 3, bytes(PAGE), *[RANDOM] * 4]
        assert reads == [(0, 3), (4, 4)]


async def test_a_page_written_back_is_found() -> None:
    async with opened() as (swap, _):
        pages = await fill(swap)
        while swap.where(0) is not zswap.Placed.DEVICE:
            await swap.zswap.shrink(nr_to_scan=8)
        assert await swap.load_range(0, 8) == pages


async def test_a_device_that_cannot_read_fails_the_range_and_nothing_is_lost() -> None:
    async with opened() as (swap, _):
        pages = await fill(swap)
        with fault.installed(lambda point: point == "swap.device_read"), pytest.raises(OSError, match="cannot read"):
            await swap.load_range(0, 8)
        assert await swap.load_range(0, 8) == pages


async def test_a_page_that_does_not_decompress_is_an_error_by_name() -> None:
    async with opened("zstd") as (swap, _):
        await fill(swap)
        entries = swap.zswap._parts.inventory.entries
        entries.blob[next(i for i, blob in enumerate(entries.blob) if blob)] = b"no frame"
        with pytest.raises(zswap.DecompressError):
            await swap.load_range(0, 8)
        assert swap.zswap._parts.counters.decompress_fail == 1


@pytest.mark.parametrize("where", ["store", "device"])
async def test_invalidated_while_it_is_read_it_is_what_it_was_or_zeroes(where: str) -> None:
    class Slow(zswap.MemoryDevice):
        """Its slots are another page's as soon as nobody has them."""

    async with opened(device=Slow(8)) as (swap, _):
        old = page_of(9) if where == "store" else RANDOM
        await swap.store(zswap.Folio(0, old * 4))
        reading = asyncio.create_task(swap.load_range(0, 4))
        await asyncio.sleep(0)
        swap.invalidate(1, 2)
        await swap.store(zswap.Folio(20, b"".join(page_of(30 + i, 7) for i in range(4))))
        first, *middle, last = await reading
        assert first == last == old
        assert all(page in (old, bytes(PAGE)) for page in middle)


async def test_a_range_waits_for_a_store_of_any_of_its_pages() -> None:
    async with opened() as (swap, _):
        await fill(swap)
        storing = asyncio.create_task(swap.store(zswap.Folio(6, page_of(77))))
        await asyncio.sleep(0)
        assert (await swap.load_range(5, 3))[1] == page_of(77)
        await storing


async def test_the_cancel_sweep() -> None:
    async with opened() as (swap, null):
        pages = await fill(swap)

        async def check() -> None:
            await null.quiesce()
            assert not len(swap._parts.locks) and not swap._parts.in_flight.count and not swap.zswap._in_flight.count
            pools = swap.zswap._parts.pools.pools
            assert [pool.refs for pool in pools] == [1 + swap.zswap.stats()["stored_pages"]]
            assert await swap.load_range(0, 8) == pages

        assert await acomp.testing.sweep_cancel(lambda: swap.load_range(0, 8), check) >= 2


async def test_extents() -> None:
    async with opened() as (swap, _):
        await fill(swap)
        assert list(swap.extents(0, 8)) == [(2, "data"), (2, "zero"), (1, "hole"), (3, "data")]
        assert list(swap.extents(1, 2)) == [(1, "data"), (1, "zero")]
        assert list(swap.extents(100, 1 << 40)) == [(1 << 40, "hole")]
        await swap.store(zswap.Folio(8, bytes(PAGE)))
        assert list(swap.extents(7, 3)) == [(1, "data"), (1, "zero"), (1, "hole")]


async def test_a_page_that_is_being_stored_is_data() -> None:
    async with opened() as (swap, _):
        storing = asyncio.create_task(swap.store(zswap.Folio(3, page_of(5))))
        await asyncio.sleep(0)
        assert list(swap.extents(3, 1)) == [(1, "data")]
        await storing


async def test_misuse_of_ranges() -> None:
    async with opened() as (swap, _):
        with pytest.raises(ValueError, match="at least 1"):
            await swap.load_range(0, 0)
        with pytest.raises(ValueError, match="not within"):
            swap.extents(-1, 2)
        with pytest.raises(TypeError):
            await swap.load_range("0", 1)  # type: ignore[arg-type]
    with pytest.raises(zswap.StoreClosedError):
        swap.extents(0, 1)  # at once, and not when it is iterated
    with pytest.raises(zswap.StoreClosedError):
        await swap.load_range(0, 1)


@given(st.dictionaries(st.integers(0, 300), st.booleans()), st.integers(0, 300), st.integers(1, 300))
def test_extents_are_the_pages_one_by_one(model: dict[int, bool], first: int, nr: int) -> None:
    pages = SlotMap()
    for offset in model:
        pages.put_range(offset, [offset])
    kinds = ["hole" if i not in model else "zero" if model[i] else "data" for i in range(first, first + nr)]
    expected = [(len(list(run)), kind) for kind, run in groupby(kinds)]
    marks = bytearray(ZERO[0] if model.get(i) else STORED[0] for i in range(301))
    assert list(extents_of(pages, marks, first, nr)) == expected
    assert pages.get_many(range(first, first + nr)) == pages.window(first, nr)
    assert pages.get_many([first + nr - 1, first]) == [pages.get(first + nr - 1), pages.get(first)]
    assert pages.window(first, nr) == [i if i in model else EMPTY for i in range(first, first + nr)]
