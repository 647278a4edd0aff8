"""Concurrent writes of a key: the one called last wins, a reader sees the old or the new, and never nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import zswap
from acomp import AcompReq
from tests.zswap.cache.rig import KIB, check_quiet, noise, opened, text, turns, waiting_cache
from zswap.cache.order import Writes

SLOW, QUICK = text(100 * KIB), text(100)


def until(event: asyncio.Event, slow: int = 10 * KIB) -> Callable[[AcompReq], Awaitable[object]]:
    """Let requests of at least so many bytes wait for the event."""

    async def before(req: AcompReq) -> None:
        if req.slen >= slow:
            await event.wait()

    return before


async def test_the_set_that_was_called_last_wins_though_it_ends_first() -> None:
    async with waiting_cache() as (cache, waiting):
        await cache.set("key", b"old")
        go = asyncio.Event()
        waiting.before = until(go)
        first = asyncio.ensure_future(cache.set("key", SLOW))
        await turns()
        await cache.set("key", QUICK)
        assert await cache.get("key") == QUICK
        go.set()
        await first
        assert await cache.get("key") == QUICK
        check_quiet(cache)


async def test_the_set_that_was_called_last_wins_when_it_ends_last() -> None:
    async with waiting_cache() as (cache, waiting):
        go = asyncio.Event()
        waiting.before = until(go)
        first = asyncio.ensure_future(cache.set("key", QUICK))
        second = asyncio.ensure_future(cache.set("key", SLOW))
        await first
        assert await cache.get("key") == QUICK
        go.set()
        await second
        assert await cache.get("key") == SLOW


async def test_a_set_that_was_cancelled_or_refused_voids_no_earlier_one() -> None:
    async with waiting_cache(max_bytes=64 * KIB) as (cache, waiting):
        go = asyncio.Event()
        waiting.before = until(go, slow=1)
        first = asyncio.ensure_future(cache.set("key", text(100)))
        second = asyncio.ensure_future(cache.set("key", text(200)))
        await turns()
        second.cancel()
        await turns()
        go.set()
        await first
        assert await cache.get("key") == text(100)
        check_quiet(cache)


@pytest.mark.parametrize("how", ["delete", "clear"])
async def test_a_delete_or_clear_that_was_called_later_wins(how: str) -> None:
    async with waiting_cache() as (cache, waiting):
        go = asyncio.Event()
        waiting.before = until(go)
        slow = asyncio.ensure_future(cache.set("key", SLOW))
        await turns()
        if how == "delete":
            assert await cache.delete("key") is False
        else:
            assert await cache.clear() == 0
        go.set()
        await slow
        assert await cache.get("key") is None and cache.stats()["sets"] == 1
        check_quiet(cache)


async def test_a_get_during_a_set_sees_the_old_value() -> None:
    async with waiting_cache() as (cache, waiting):
        await cache.set("key", b"old")
        go = asyncio.Event()
        waiting.before = until(go)
        slow = asyncio.ensure_future(cache.set("key", SLOW))
        await turns()
        assert await cache.get("key") == b"old"
        go.set()
        await slow
        assert await cache.get("key") == SLOW


async def test_a_get_under_way_gives_the_value_that_it_found() -> None:
    async with waiting_cache() as (cache, waiting):
        await cache.set("key", SLOW)
        go = asyncio.Event()
        waiting.before = until(go, slow=0)
        get = asyncio.ensure_future(cache.get("key"))
        await turns()
        await cache.delete("key")
        go.set()
        assert await get == SLOW and await cache.get("key") is None


async def test_a_cancelled_set_leaves_the_old_value_and_its_requests_come_back() -> None:
    async with waiting_cache() as (cache, waiting):
        await cache.set("key", b"old")
        waiting.before = until(asyncio.Event())
        slow = asyncio.ensure_future(cache.set("key", SLOW))
        await turns()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert await cache.get("key") == b"old"
        waiting.before = None
        await cache.set("key", SLOW)
        assert await cache.get("key") == SLOW
        check_quiet(cache)


async def test_a_set_that_is_cancelled_while_it_gives_a_turn_has_published() -> None:
    async with opened() as cache:
        sets: list[asyncio.Task[None]] = []
        for number in range(40):
            sets.append(asyncio.ensure_future(cache.set("key", text(4 * KIB, number))))
            await asyncio.sleep(0)
            if not sets[-1].done():
                sets[-1].cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sets[-1]
                assert await cache.get("key") == text(4 * KIB, number)
                break
        else:
            raise AssertionError("40 values of 4 KiB and not one turn")


async def test_many_sets_of_one_key_end_in_the_last(monkeypatch: Any) -> None:
    async with waiting_cache() as (cache, waiting):

        async def before(req: AcompReq) -> None:
            await turns(req.slen % 7)

        waiting.before = before
        values = [text(100 + (37 * number) % 50, number) for number in range(50)]
        await asyncio.gather(*(cache.set("key", value) for value in values))
        assert await cache.get("key") == values[-1]
        check_quiet(cache)


def test_tickets() -> None:
    writes = Writes()
    first, second = writes.begin("a"), writes.begin("a")
    other = writes.begin("b")
    writes.mark("a", second)
    assert not writes.counts("a", first) and writes.counts("b", other)
    writes.end("a")
    assert not writes.counts("a", first)
    writes.mark_all()
    assert not writes.counts("b", other)
    writes.mark("c")
    writes.end("a")
    writes.end("b")
    assert not writes.open


async def test_what_is_too_large_leaves_the_old_value_and_evicts_nothing() -> None:
    async with opened(max_bytes=64 * KIB) as cache:
        for number in range(10):
            await cache.set(str(number), text(1000, number))
        before = dict(cache.stats())
        with pytest.raises(zswap.ValueTooLargeError, match="90 % of max_bytes"):
            await cache.set("3", noise(60 * KIB))
        after = dict(cache.stats())
        assert after.pop("rejected") == before.pop("rejected") + 1
        assert after.pop("raw") == before.pop("raw") + 1 and after == before
        assert await cache.get("3") == text(1000, 3)
