"""The map of slots: ranges take time by what is there, not by what is asked for."""

import acomp
import zswap
from zswap.tree import EMPTY, SlotMap

FAR = 2**49


def test_slots_of_a_range() -> None:
    slots = SlotMap()
    for slot in (0, 63, 64, 1000, FAR):
        slots.put(slot, slot % 7)
    assert slots.within(0, 1) == [0]
    assert slots.within(1, 62) == []
    assert slots.within(1, 64) == [63, 64]
    assert slots.within(0, 2**50) == [0, 63, 64, 1000, FAR]
    assert slots.within(65, FAR - 65) == [1000]
    slots.pop(1000)
    assert slots.within(65, 2**50) == [FAR]
    assert slots.get(1000) == EMPTY


def test_a_range_of_an_empty_map() -> None:
    assert SlotMap().within(0, 2**50) == []


async def test_a_huge_range_is_forgotten_at_once() -> None:
    """As a walk over 2**49 slots this would not end before the suite's own timeout."""
    page = b"x" * acomp.PAGE_SIZE
    with acomp.registry():
        async with zswap.Zswap.open(zswap.Params(compressor="lz4")) as store:
            await store.store(zswap.Folio(FAR, page))
            assert store.invalidate(0, 2**49) == 0
            assert store.invalidate(0, 2**49 + 1) == 1
            assert await store.release(0, 2**49) == 0
        async with zswap.Swap.open(zswap.Params(compressor="lz4"), device=zswap.MemoryDevice(64)) as swap:
            await swap.store(zswap.Folio(FAR, page))
            assert swap.invalidate(0, 2**49) == 0
            assert await swap.release(0, 2**49 + 1) == 1
            assert len(swap) == 0
