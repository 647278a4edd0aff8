"""A cache and its log: what has left the one leaves the other, so that it can be rewritten and nothing comes back."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random

import pytest

from swaplab.service.caches import CacheRoom
from swaplab.service.models import CacheSettings
from swaplab.service.value_log import ValueLog

from .restored import restored

pytestmark = pytest.mark.threads


def noise(seed: int, size: int = 20_000) -> bytes:
    return Random(seed).randbytes(size)


def logged(directory: Path) -> dict[str, bytes]:
    log = ValueLog(directory)
    found = {key.decode(): value for key, value, _ in log.values()}
    log.close()
    return found


def opened(directory: Path, **settings: object) -> AbstractAsyncContextManager[CacheRoom]:
    chosen = CacheSettings(**{"max_bytes": 1 << 20, **settings})  # type: ignore[arg-type]
    return restored(CacheRoom("c", chosen), directory)


async def there(room: CacheRoom) -> dict[str, bytes]:
    return {str(key): await room.cache.get(key) async for key in room.cache}


@pytest.mark.slow
@pytest.mark.parametrize("spill", [False, True])
async def test_evicted_values_are_deleted_in_the_log_by_the_next_change(tmp_path: Path, spill: bool) -> None:
    async with opened(tmp_path, spill=spill) as room:
        for number in range(200):
            await room.put(str(number), noise(number), None)
            assert logged(tmp_path) == await there(room)
        assert room.cache.stats()["evicted"] > 0


async def test_expired_values_are_deleted_when_the_cache_is_closed(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        await room.put("short", b"1", 0.01)
        await room.put("long", b"2", 1000)
        while await room.get("short") is not None:
            await asyncio.sleep(0.01)
        assert logged(tmp_path).keys() == {"short", "long"}
    assert logged(tmp_path) == {"long": b"2"}


async def test_one_that_left_and_came_again_is_not_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path) as room:
        await room.put("k", b"1", 0.01)
        while await room.get("k") is not None:
            await asyncio.sleep(0.01)
        await room.put("k", b"2", None)
        await room.put("other", b"3", None)
    assert logged(tmp_path) == {"k": b"2", "other": b"3"}


async def test_what_has_no_room_when_it_is_restored_is_deleted_in_the_log(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=1 << 22) as room:
        for number in range(100):
            await room.put(str(number), noise(number), None)
    assert len(logged(tmp_path)) == 100
    async with opened(tmp_path) as room:
        assert logged(tmp_path) == await there(room)
        assert 0 < len(room.cache) < 100
