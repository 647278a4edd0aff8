"""The short way of a store and of a load through `Swap`: taken when nothing would wait, and nobody can tell."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import acomp
import acomp.threads
import zswap
from acomp import cpu, fault, trace
from acomp.codecs import CodecError, ZstdCodec
from tests.zswap.null_algorithm import null_algorithm
from zswap.swap.slots import CLUSTER, SwapSlots

PAGE = 4096
TEXT = [(b"page %d " % number * 600)[:PAGE] for number in range(4)]
RANDOM = acomp.testing.sample_pages()["random"]


@asynccontextmanager
async def opened(compressor: str = "zstd", generation: Any = "v14", **params: Any) -> AsyncIterator[zswap.Swap]:
    with acomp.registry(), null_algorithm():
        chosen = zswap.Params.for_generation(generation, compressor=compressor, **params)
        async with zswap.Swap.open(chosen, device=zswap.MemoryDevice(64), at_home=True) as swap:
            yield swap
            assert not len(swap._parts.locks) and swap.slots.used == len(swap)


def state(swap: zswap.Swap) -> Any:
    return dict(swap.zswap.events), dict(swap.zswap.stats()), swap.zswap.figures(), list(swap), bytes(swap._parts.marks)


@pytest.mark.parametrize("pages", [TEXT, [RANDOM, TEXT[0]], [bytes(PAGE), TEXT[0]], [TEXT[0], bytes(PAGE), RANDOM]])
async def test_both_ways_leave_the_same_behind(pages: list[bytes]) -> None:
    found = []
    for at_once in (True, False):
        async with opened() as swap:
            for page in pages:  # over and over at the same place
                swap.zswap.turns.given()
                if at_once:
                    assert swap.store_at_once(7, page) is not None
                    assert swap.load_at_once(7) == page
                else:
                    await swap.store(zswap.Folio(7, page))
                    assert await swap.load_range(7, 1) == [page]
            found.append(state(swap))
    assert found[0] == found[1]


@pytest.mark.parametrize("compressor", ["zstd", "lz4", "deflate", "lzo"])
async def test_every_software_compressor_has_a_short_way(compressor: str) -> None:
    async with opened(compressor) as swap:
        assert swap.store_at_once(0, TEXT[0]) is zswap.Placed.ZSWAP
        assert swap.load_at_once(0) == TEXT[0]


@pytest.mark.threads
async def test_so_have_the_threaded_ones_until_their_context_is_left() -> None:
    with acomp.registry():
        async with zswap.Swap.open(device=zswap.MemoryDevice(8)) as outer:
            async with acomp.threads.open(workers=1):
                outer.zswap.params["compressor"] = "zstd-threads"
                assert outer.store_at_once(0, TEXT[0]) is zswap.Placed.ZSWAP
            assert outer.store_at_once(1, TEXT[1]) is None and 1 not in outer
            assert outer.load_at_once(0) == TEXT[0]
            outer.zswap.params["compressor"] = "zstd"


async def test_a_hole_is_zeroes_and_counts_nothing() -> None:
    async with opened() as swap:
        assert swap.load_at_once(3) is zswap.ZERO_PAGE
        assert not swap.zswap.events


async def test_nothing_changes_when_something_would_wait() -> None:
    async with opened() as swap:
        await swap.store(zswap.Folio(0, TEXT[0]))
        before = state(swap)
        parts = swap.zswap._parts
        lease = swap._parts.locks.request(0, 2)
        assert [swap.store_at_once(0, TEXT[1]), swap.store_at_once(1, TEXT[1]), swap.load_at_once(1)] == [None] * 3
        lease.release()
        slot = parts.slots.request(0)  # as a writeback has it
        assert [swap.store_at_once(0, TEXT[1]), swap.load_at_once(0)] == [None] * 2
        slot.release()
        swap.slots.hold(0)
        assert swap.store_at_once(0, TEXT[1]) is swap.store_at_once(0, bytes(PAGE)) is None
        swap.slots.drop(0)
        with trace.installed(lambda event: None):
            assert [swap.store_at_once(0, TEXT[1]), swap.load_at_once(0)] == [None] * 2
        with fault.installed(lambda point: False):
            assert swap.store_at_once(0, TEXT[1]) is None
        with cpu.costs({}):
            assert swap.store_at_once(0, TEXT[1]) is None
        context = parts.pools.current.try_lock_current() if parts.pools.current else None
        assert context is not None
        assert [swap.store_at_once(0, TEXT[1]), swap.store_at_once(9, TEXT[1]), swap.load_at_once(0)] == [None] * 3
        context.unlock()
        swap.zswap.params["enabled"] = False
        assert swap.store_at_once(0, TEXT[1]) is None
        swap.zswap.params["enabled"] = True
        assert state(swap) == before and await swap.load(0) == TEXT[0]


async def test_pages_of_others_and_asynchronous_algorithms_go_the_long_way() -> None:
    async with opened() as swap:
        await swap.store(zswap.Folio(0, TEXT[0], cgroup=zswap.Cgroup("g")))
        assert swap.store_at_once(0, TEXT[1]) is None and await swap.load(0) == TEXT[0]
    async with opened("null-async") as swap:
        assert swap.store_at_once(0, TEXT[0]) is None


async def test_a_page_that_does_not_compress_needs_a_store_that_keeps_it_raw() -> None:
    async with opened(generation="v9") as swap:
        assert swap.store_at_once(0, RANDOM) is None and not len(swap)
        assert await swap.store(zswap.Folio(0, RANDOM)) is zswap.Placed.DEVICE
        assert swap.store_at_once(0, TEXT[0]) is zswap.Placed.ZSWAP
        assert await swap.load(0) == TEXT[0], "and not what the device has"


async def test_a_full_pool_or_slots_that_ran_out_are_the_long_ways_business() -> None:
    async with opened(max_pool_bytes=PAGE) as swap:
        assert swap.store_at_once(0, RANDOM) is zswap.Placed.ZSWAP
        assert swap.store_at_once(1, TEXT[1]) is None and 1 not in swap
        await swap.store(zswap.Folio(1, TEXT[1]))
        assert swap.where(0) is zswap.Placed.DEVICE and swap.load_at_once(0) is None
    async with opened() as swap:
        for offset in range(100, 164):
            await swap.store(zswap.Folio(offset, bytes(PAGE)))
        assert swap.store_at_once(0, TEXT[0]) is None


async def test_a_codec_that_fails_is_told_of_by_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: ZstdCodec, src: Any) -> bytes:
        raise CodecError("no")

    async with opened("zstd-generic") as swap:
        await swap.store(zswap.Folio(0, TEXT[0]))
        tfm = swap.zswap._parts.pools.pools[0].tfm
        monkeypatch.setattr(tfm, "compress_at_once", fail)
        for context in swap.zswap._parts.pools.pools[0].contexts:
            if context.tfm is not None:
                context.tfm.compress_at_once = lambda src: fail(ZstdCodec(), src)
        assert swap.store_at_once(0, TEXT[1]) is None and await swap.load(0) == TEXT[0]


async def test_the_loop_gets_its_turns() -> None:
    async with opened() as swap:
        stored = 0
        while swap.store_at_once(stored, TEXT[stored % 4]) is not None:
            stored += 1
        assert stored == 7 and swap.zswap.turns.is_due, "the eighth gives one"
        swap.zswap.turns.given()
        assert swap.store_at_once(stored, TEXT[0]) is not None


async def test_closed() -> None:
    async with opened() as swap:
        pass
    for call in (lambda: swap.store_at_once(0, TEXT[0]), lambda: swap.load_at_once(0)):
        with pytest.raises(zswap.StoreClosedError):
            call()


async def test_at_home_neighbours_stay_neighbours() -> None:
    async with opened() as swap:
        for offset in (5, 3, 9, 4):
            await swap.store(zswap.Folio(offset, TEXT[0]))
        assert [swap._parts.pages.get(offset) for offset in (5, 3, 9, 4)] == [5, 3, 9, 4]
        await swap.store(zswap.Folio(2, b"".join(TEXT)))
        assert swap._parts.pages.window(2, 4) == [2, 3, 4, 5]
        await swap.store(zswap.Folio(1000, TEXT[0]))  # beyond the device: wherever there is room
        taken = swap._parts.pages.get(1000)
        await swap.store(zswap.Folio(taken, TEXT[1]))
        assert await swap.load_range(taken, 1) == [TEXT[1]] and await swap.load(1000) == TEXT[0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2 * CLUSTER + 40), st.integers(1, CLUSTER)), max_size=30))
def test_slots_that_are_taken_by_number(steps: list[tuple[bool, int, int]]) -> None:
    slots, used = SwapSlots(2 * CLUSTER + 30), set[int]()
    for by_number, first, nr in steps:
        wanted = set(range(first, first + nr))
        if by_number:
            free = max(wanted) < slots.nr_slots and not wanted & used
            assert slots.take(first, nr) is free
        elif free := (slot := slots.allocate(nr)) >= 0:
            wanted = set(range(slot, slot + nr))
            assert not wanted & used
        used |= wanted if free else set()
        assert slots.used == len(used)
        assert sum(slots._room) == slots.nr_slots - len(used)
    for slot in used:
        slots.free(slot)
    assert not slots.used and slots.take(0, slots.nr_slots)
