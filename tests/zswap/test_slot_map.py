"""The map of slots: ranges take time by what is there, not by what is asked for."""

from hypothesis import given
from hypothesis import strategies as st

import acomp
import zswap
from zswap.inventory.slot_map import EMPTY, SlotMap

FAR = 2**49


def test_what_a_range_holds() -> None:
    slots = SlotMap()
    for slot in (0, 63, 64, 1000, FAR):
        assert slots.put_range(slot, [slot % 7]) == []
    assert slots.values(0, 1) == [0]
    assert slots.values(1, 62) == []
    assert slots.values(1, 64) == [63 % 7, 64 % 7]
    assert slots.values(0, 2**50) == [slot % 7 for slot in (0, 63, 64, 1000, FAR)]
    assert slots.values(65, FAR - 65) == [1000 % 7]
    assert slots.pop_range(1000, 1) == [1000 % 7]
    assert slots.pop_range(1000, 1) == []
    assert slots.values(65, 2**50) == [FAR % 7]
    assert slots.get(1000) == EMPTY


def test_a_range_of_an_empty_map() -> None:
    assert SlotMap().values(0, 2**50) == []
    assert SlotMap().pop_range(0, 2**50) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.integers(1, 150)), max_size=30))
def test_ranges_are_what_single_slots_would_be(calls: list[tuple[bool, int, int]]) -> None:
    slots, model = SlotMap(), dict[int, int]()
    for serial, (put, first, nr) in enumerate(calls):
        before = [model[slot] for slot in range(first, first + nr) if slot in model]
        assert slots.values(first, nr) == before
        if put:
            values = list(range(serial * 1000, serial * 1000 + nr))
            assert slots.put_range(first, values) == before
            model.update(zip(range(first, first + nr), values, strict=True))
        else:
            assert slots.pop_range(first, nr) == before
            for slot in range(first, first + nr):
                model.pop(slot, None)
        assert len(slots) == len(model)
        assert list(slots) == sorted(model)
        assert all(slots.get(slot) == model.get(slot, EMPTY) for slot in range(0, 460))
    assert slots.pop_range(0, 2**50) == [model[slot] for slot in sorted(model)]
    assert len(slots) == 0


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
