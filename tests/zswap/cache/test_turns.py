"""The loop's turns: what all calls of a cache do on its thread in one of them, and who is next."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import zswap
from tests.zswap.cache.rig import KIB, UNIT, check_quiet, opened, text, waiting_cache
from tests.zswap.loop_turns import Turns, cancelled_after, counted_turns
from zswap.cache import compressor
from zswap.cache.inline import TURN_BYTES, InlineWork

CALLS = 40
Call = Callable[[zswap.Cache, int, bytes], Awaitable[Any]]


def tallied(cache: zswap.Cache, turns: Turns) -> Counter[int]:
    """Plain bytes that the cache works on from now on, by the turn of the loop."""
    done: Counter[int] = Counter()
    inline: Any = cache._check().compressor
    compress, decompress = inline._compress_now, inline._decompress_now

    def compress_now(data: bytes) -> Any:
        done[turns.count] += len(data)
        return compress(data)

    def decompress_now(units: bytes, length: int) -> Any:
        done[turns.count] += length
        return decompress(units, length)

    inline._compress_now, inline._decompress_now = compress_now, decompress_now
    return done


async def get(cache: zswap.Cache, number: int, value: bytes) -> None:
    assert await cache.get(str(number)) == value


async def set_again(cache: zswap.Cache, number: int, value: bytes) -> None:
    await cache.set(str(number), value)


async def compute(cache: zswap.Cache, number: int, value: bytes) -> None:
    async def make() -> bytes:
        return value

    assert await cache.get_or_compute(f"computed {number}", make) == value


@pytest.mark.parametrize("call", [get, set_again, compute])
@pytest.mark.parametrize("size", [8 * KIB, 100 * KIB, 4 * UNIT])
async def test_all_calls_together_do_128_kib_in_a_turn(call: Call, size: int) -> None:
    value = text(size)
    async with opened() as cache:
        for number in range(CALLS):
            await cache.set(str(number), value)
        async with counted_turns() as turns:
            await asyncio.sleep(0)  # in which counting begins
            done = tallied(cache, turns)
            await asyncio.gather(*(call(cache, number, value) for number in range(CALLS)))
            assert done.total() >= CALLS * size
            # What was begun before 128 KiB were full is one unit; the count goes up in the middle of a turn.
            assert max(done.values()) <= 2 * (TURN_BYTES + min(size, UNIT))
            assert turns.count <= 6 + 2 * CALLS * size // TURN_BYTES, "and no turn is given for nothing"
        check_quiet(cache)


@pytest.mark.parametrize("call", [get, set_again])
async def test_units_that_others_work_on_count_by_what_is_left_for_the_loop(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain of eight units, for which there are buffers to be made, is an eighth of its bytes: one in a turn."""
    value = text(8 * UNIT)
    begun: Counter[int] = Counter()
    async with waiting_cache(chains=True) as (cache, _):
        for number in range(CALLS):
            await cache.set(str(number), value)
        async with counted_turns() as turns:
            for name in ("compress_pages", "decompress_pages"):
                original = getattr(compressor, name)

                def counted(*args: Any, original: Any = original) -> Any:
                    begun[turns.count] += 1
                    return original(*args)

                monkeypatch.setattr(compressor, name, counted)
            await asyncio.gather(*(call(cache, number, value) for number in range(CALLS)))
        assert begun.total() == CALLS and max(begun.values()) <= 2
        check_quiet(cache)


async def test_first_come_first_served() -> None:
    value = text(3 * UNIT)
    ended: list[int] = []
    async with opened() as cache:
        for number in range(CALLS):
            await cache.set(str(number), value)

        async def one(number: int) -> None:
            await cache.get(str(number))
            ended.append(number)

        await asyncio.gather(*map(one, range(CALLS)))
    assert ended == list(range(CALLS))


async def test_one_alone_waits_one_turn_for_each_128_kib() -> None:
    work = InlineWork()
    async with counted_turns() as turns:
        await asyncio.sleep(0)
        for _ in range(16):
            await work.enter(TURN_BYTES)
        assert turns.count == 15
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not work.busy


@pytest.mark.parametrize("after", range(6))
async def test_who_is_cancelled_in_line_keeps_nobody(after: int) -> None:
    work = InlineWork()
    await work.enter(TURN_BYTES)
    cancelled = [asyncio.ensure_future(cancelled_after(work.enter(TURN_BYTES), after)) for _ in range(3)]
    others = [asyncio.ensure_future(work.enter(TURN_BYTES)) for _ in range(3)]
    await asyncio.gather(*others, *cancelled)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not work.busy and repr(work) == "<InlineWork: 0 bytes done, 0 in the next turn, 0 waiting>"
