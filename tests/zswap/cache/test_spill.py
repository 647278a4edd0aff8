"""The file behind a cache: what goes there, what comes back, and what happens when it cannot."""

import asyncio
import logging
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any

import pytest

import zswap
from swaplab import sim
from tests.zswap.cache.rig import KIB, UNIT, Device, check_quiet, devices, noise, opened, text, turns
from zswap.cache.entry import Held, Spilled

BUDGET = 64 * KIB


@pytest.fixture
def made() -> Iterator[list[Device]]:
    with devices() as made:
        yield made


@asynccontextmanager
async def filled(count: int = 100, size: int = 1500, **options: Any) -> AsyncIterator[zswap.Cache]:
    """A cache that has seen more than its memory holds."""
    async with opened(**{"max_bytes": BUDGET, "spill": True, **options}) as cache:
        for number in range(count):
            await cache.set(str(number), noise(size, number))
            assert cache.stats()["bytes"] <= BUDGET
        yield cache


def where(cache: zswap.Cache, key: str) -> Any:
    return type(cache._check().values.find(key))


async def test_the_oldest_go_to_the_file_and_come_back(made: list[Device]) -> None:
    async with filled() as cache:
        stats = cache.stats()
        assert stats["values"] == 100 and stats["spilled"] == stats["evicted"] > 50 and stats["dropped"] == 0
        assert stats["bytes_spilled"] == stats["spilled"] * 4096
        assert where(cache, "0") is Spilled and where(cache, "99") is Held
        for number in range(100):
            assert await cache.get(str(number)) == noise(1500, number)
        assert cache.stats()["hits"] == 100 and cache.stats()["spill_hits"] >= stats["spilled"]
        check_quiet(cache)


async def test_several_small_values_are_one_write(made: list[Device]) -> None:
    async with filled() as cache:
        assert made[0].writes < cache.stats()["spilled"] / 3


async def test_a_value_comes_back_into_memory_only_where_there_is_room(made: list[Device]) -> None:
    async with filled() as cache:
        number = 100
        while cache._check().room.has("0", 1500):
            await cache.set(str(number), noise(500, number))
            number += 1
        evicted = cache.stats()["evicted"]
        assert await cache.get("0") == noise(1500, 0)
        assert where(cache, "0") is Spilled and cache.stats()["evicted"] == evicted
        for number in range(90, 95):
            assert await cache.delete(str(number))
        assert await cache.get("0") == noise(1500, 0)
        assert where(cache, "0") is Held and [key async for key in cache][-1] == "0"
        check_quiet(cache)


def mixed(size: int) -> bytes:
    return noise(size // 2) + text(size - size // 2)


@pytest.mark.parametrize("content", [mixed, noise])
@pytest.mark.parametrize("size", [0, 4096, 100 * KIB, 300 * KIB])
async def test_values_of_any_length_come_back(made: list[Device], content: Any, size: int) -> None:
    async with opened(max_bytes=500 * KIB, spill=True) as cache:
        await cache.set("key", content(size))
        for number in range(40):
            await cache.set(str(number), noise(30 * KIB, number))
        assert await cache.get("key") == (content(size) if size else None)
        check_quiet(cache)


async def test_a_value_that_is_replaced_or_deleted_gives_its_slots_back(made: list[Device]) -> None:
    async with filled() as cache:
        before = cache.stats()["bytes_spilled"]
        await cache.delete("0")
        await cache.set("1", b"")
        assert cache.stats()["bytes_spilled"] == before - 2 * 4096
        await cache.clear()
        assert cache.stats()["bytes_spilled"] == 0
        check_quiet(cache)


async def test_above_max_spill_bytes_the_oldest_there_are_dropped(made: list[Device]) -> None:
    async with filled(max_spill_bytes=10 * 4096) as cache:
        stats = cache.stats()
        assert stats["bytes_spilled"] <= 10 * 4096 and stats["dropped"] > 0
        assert stats["values"] == 100 - stats["dropped"]
        there = [int(str(key)) async for key in cache]
        assert there == list(range(100 - len(there), 100)), "the oldest went"
        check_quiet(cache)


async def test_a_value_larger_than_the_file_is_dropped(made: list[Device]) -> None:
    async with opened(max_bytes=400 * KIB, spill=True, max_spill_bytes=4096) as cache:
        for number in range(3):
            await cache.set(str(number), noise(200 * KIB, number))
        assert cache.stats()["dropped"] == 2 and await cache.get("2") == noise(200 * KIB, 2)
        check_quiet(cache)


async def test_what_is_too_small_for_a_slot_is_dropped(made: list[Device]) -> None:
    async with filled(count=400, size=200) as cache:
        assert cache.stats()["spilled"] == 0 and cache.stats()["dropped"] == cache.stats()["evicted"] > 0


async def test_what_is_known_of_spilled_values_takes_half_of_the_budget_at_most(made: list[Device]) -> None:
    async with filled(count=1000, size=300) as cache:
        values = cache._check().values
        assert values.spilled and values.spilled_bytes <= BUDGET * 0.6 and cache.stats()["dropped"] > 0
        assert values.held
        check_quiet(cache)


async def test_a_damaged_value_is_a_miss_and_gone(made: list[Device]) -> None:
    async with filled() as cache:
        (device,) = made
        places = cache._check().values.spilled["0"].places
        device._pages[places[0] >> 18] = bytes(4096)
        assert await cache.get("0", "nothing") == "nothing"
        stats = cache.stats()
        assert (stats["damaged"], stats["misses"]) == (1, 1) and not await cache.contains("0")
        assert await cache.get_or_compute("0", lambda: asyncio.sleep(0, b"again")) == b"again"
        check_quiet(cache)


async def test_a_crc_finds_what_the_compressor_does_not(made: list[Device]) -> None:
    async with filled() as cache:
        spilled, pages = cache._check().values.spilled, made[0]._pages
        slot, other = (spilled[key].places[0] >> 18 for key in ("0", "1"))
        pages[slot] = pages[other]  # a value of the same length, and kept raw
        assert await cache.get("1") == noise(1500, 1)
        assert await cache.get("0") is None and cache.stats()["damaged"] == 1


async def test_a_value_that_cannot_be_read_is_damaged(made: list[Device]) -> None:
    async with filled() as cache:
        made[0].error = OSError(EIO, "cannot read")
        assert await cache.get("0") is None and cache.stats()["damaged"] == 1
        check_quiet(cache)


@pytest.mark.parametrize("code", [ENOSPC, EIO])
def test_when_the_disk_is_full_or_fails_the_oldest_are_dropped_with_a_warning_a_minute(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        with devices() as made:
            async with opened(max_bytes=BUDGET, spill=True) as cache:
                for number in range(400):
                    if number == 50:
                        made[0].error = OSError(code, os.strerror(code))
                    await cache.set(str(number), noise(1500, number))
                    assert cache.stats()["bytes"] <= BUDGET
                    await asyncio.sleep(0.5)
                stats = cache.stats()
                assert stats["dropped"] > 0 and stats["values"] == 400 - stats["dropped"]
                for number in range(400 - 20, 400):
                    assert await cache.get(str(number)) == noise(1500, number)
                made[0].error = None
                spilled = stats["spilled"]
                for number in range(60):
                    await cache.set(str(number), noise(1500, number))
                assert cache.stats()["spilled"] > spilled, "it serves again"
                check_quiet(cache)

    with caplog.at_level(logging.WARNING, "zswap.cache"):
        sim.run(test())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) in (3, 4) and os.strerror(code) in said[0], "one in each of three minutes"


async def test_a_set_waits_for_the_writes_in_order(made: list[Device]) -> None:
    async with filled(count=30) as cache:
        await asyncio.gather(*(cache.set(str(number), noise(1500, number)) for number in range(100, 160)))
        assert [int(str(key)) async for key in cache] == [*range(30), *range(100, 160)]
        check_quiet(cache)


async def test_a_small_set_takes_no_room_that_another_waits_for(made: list[Device]) -> None:
    async with filled(count=36) as cache:
        large = asyncio.ensure_future(cache.set("large", noise(30 * KIB)))
        await asyncio.sleep(0)
        assert cache._check().room.waited_for and cache._check().room.has("small", 300)
        await cache.set("small", b"")
        await large
        assert [key async for key in cache][-2:] == ["large", "small"]


async def test_a_set_that_is_cancelled_while_it_waits_for_writes_loses_nothing(made: list[Device]) -> None:
    async with filled(count=40) as cache:
        await cache.set("39", noise(1500, 39))
        for number in range(20):
            task = asyncio.ensure_future(cache.set("39", noise(20 * KIB, number)))
            await turns(number)
            task.cancel()
            await asyncio.wait([task])
            assert await cache.get("39") == (noise(1500, 39) if task.cancelled() else noise(20 * KIB, number))
            await cache.set("39", noise(1500, 39))
        for number in range(40):
            assert await cache.get(str(number)) == noise(1500, number)
        await turns()
        check_quiet(cache)


async def test_a_value_that_is_deleted_while_it_is_written_or_read_is_gone(made: list[Device]) -> None:
    async with filled(count=40) as cache:
        setting = asyncio.ensure_future(cache.set("large", noise(40 * KIB)))
        await turns(2)
        gone = [key for key in cache._check().values.held if key != "large"][:5]
        for key in gone:
            assert await cache.delete(key)
        await setting
        assert not [key for key in gone if await cache.contains(key)]
        reading = asyncio.ensure_future(cache.get("0"))
        await asyncio.sleep(0)
        await cache.delete("0")
        # Its slots are not another's before they were read.
        for number in range(50, 70):
            await cache.set(str(number), noise(1500, number))
        assert await reading == (noise(1500, 0) if "0" not in gone else None)
        assert cache.stats()["damaged"] == 0 and not await cache.contains("0")
        check_quiet(cache)


async def test_a_large_value_may_be_deleted_between_two_reads_of_its_units(made: list[Device]) -> None:
    value = b"".join(text(UNIT - 3000, seed) + noise(3000, seed) for seed in range(4))
    async with opened(max_bytes=BUDGET, spill=True, compressor="lz4") as cache:
        await cache.set("large", value)
        await cache.set("more", noise(55 * KIB))
        assert where(cache, "large") is Spilled
        reading = asyncio.ensure_future(cache.get("large"))
        await turns(2)
        await cache.delete("large")
        for number in range(40):
            await cache.set(str(number), noise(20 * KIB, number))
        assert await reading == value
        check_quiet(cache)


async def test_a_read_that_is_cancelled_leaves_the_value(made: list[Device]) -> None:
    async with filled() as cache:
        for count in range(6):
            task = asyncio.ensure_future(cache.get("0"))
            await turns(count)
            task.cancel()
            await asyncio.wait([task])
        assert await cache.get("0") == noise(1500, 0)
        check_quiet(cache)


async def test_an_iteration_over_both_is_oldest_first(made: list[Device]) -> None:
    async with filled() as cache:
        assert [key async for key in cache] == [str(number) for number in range(100)]
        assert len(cache) == 100


@pytest.mark.threads
async def test_a_file_without_a_name(tmp_path: Path) -> None:
    async with filled(count=60, spill=tmp_path / "spill") as cache:
        assert not os.listdir(tmp_path)
        file = cache._check().file
        assert file is not None
        device: Any = file._io._device
        assert stat.S_IMODE(os.fstat(device._fd).st_mode) == 0o600
        for number in range(60):
            assert await cache.get(str(number)) == noise(1500, number)
        assert cache.stats()["spill_hits"] > 0
    assert not os.listdir(tmp_path)


@pytest.mark.threads
async def test_a_temporary_file() -> None:
    async with filled(count=60) as cache:
        for number in range(60):
            assert await cache.get(str(number)) == noise(1500, number)
        check_quiet(cache)


async def test_a_path_that_exists_is_refused_and_left_alone(tmp_path: Path) -> None:
    there, link, dangling = tmp_path / "there", tmp_path / "link", tmp_path / "dangling"
    there.write_bytes(b"mine")
    link.symlink_to(there)
    dangling.symlink_to(tmp_path / "nowhere")
    for path in (there, link, dangling, str(there)):
        with pytest.raises(FileExistsError, match="name a new file"):
            async with opened(max_bytes=BUDGET, spill=path):
                pass
    assert there.read_bytes() == b"mine" and not (tmp_path / "nowhere").exists() and link.is_symlink()
    with pytest.raises(FileNotFoundError):
        async with opened(max_bytes=BUDGET, spill=tmp_path / "no" / "directory"):
            pass


async def test_a_file_is_closed_when_the_compressor_is_unknown(made: list[Device]) -> None:
    with pytest.raises(zswap.ParameterError):
        async with opened(max_bytes=BUDGET, spill=True, compressor="nothing"):
            pass
    assert made[0].closed


async def test_a_unit_is_compressed_and_counted_once(made: list[Device]) -> None:
    async with filled(count=300, size=1000, max_bytes=64 * KIB) as cache:
        assert cache.stats()["spilled"] > 0, "else this shows nothing"
        assert cache.stats()["raw"] == 300
