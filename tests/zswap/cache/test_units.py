"""How values become units: by which request of which algorithm, on which thread, and what is kept raw."""

import asyncio
import threading
from errno import EINVAL, EIO, ENODEV
from typing import Any

import pytest

import acomp
import acomp.threads
import iaa_emulator
import zswap
from acomp import fault
from acomp.codecs import BytesLike, CodecError, ZstdCodec
from tests.zswap.cache.rig import KIB, UNIT, check_quiet, noise, opened, text, turns, waiting_cache
from tests.zswap.loop_turns import counted_turns
from tests.zswap.null_algorithm import null_algorithm
from zswap.cache.compressor import INLINE_BYTES, sample_of


def units_of(cache: zswap.Cache, key: str = "key") -> Any:
    return cache._check().values.held[key].units


async def test_one_request_up_to_128_kib_and_units_beyond() -> None:
    async with waiting_cache() as (cache, waiting):
        for size, requests in (
            (1000, [1000]),
            (64 * KIB, [64 * KIB]),
            (UNIT, [3 * 4096, UNIT]),
            (2 * UNIT + 7, [3 * 4096, UNIT, UNIT, 7]),
        ):
            waiting.compressions.clear()
            await cache.set("key", text(size))
            assert waiting.compressions == requests
            assert await cache.get("key") == text(size)


async def test_an_empty_value_asks_nobody() -> None:
    async with waiting_cache() as (cache, waiting):
        await cache.set("key", b"")
        assert await cache.get("key") == b"" and not waiting.compressions and not waiting.decompressions


@pytest.mark.parametrize(("errno", "name"), [(-EINVAL, "EINVAL"), (-EIO, "EIO"), (-ENODEV, "ENODEV"), (-5000, "5000")])
async def test_a_unit_whose_request_fails_is_kept_raw_and_counted(errno: int, name: str) -> None:
    async with waiting_cache() as (cache, waiting):
        waiting.errors = {0: errno, 3: errno}
        await cache.set("small", text(1000))
        await cache.set("large", text(3 * UNIT))  # its sample is request 1
        assert units_of(cache, "small") == text(1000)
        assert [len(unit) == UNIT for unit in units_of(cache, "large")] == [False, True, False]
        assert await cache.get("small") == text(1000) and await cache.get("large") == text(3 * UNIT)
        assert cache.stats()["raw"] == 2 and cache.figures().raw_by_cause == {name: 2}


@pytest.mark.parametrize("compressor", ["zstd", "lz4", "waits"])
async def test_what_does_not_compress_is_kept_raw(compressor: str) -> None:
    async with waiting_cache(compressor=compressor) as (cache, _):
        value = noise(3000)
        await cache.set("key", value)
        assert units_of(cache) is value, "not even a copy"
        assert cache.stats()["raw"] == 1 and cache.stats()["damaged"] == 0


@pytest.mark.parametrize("size", [64 * KIB + 1, UNIT, 5 * UNIT])
async def test_a_value_above_64_kib_is_sampled_first(size: int) -> None:
    async with waiting_cache() as (cache, waiting):
        value = noise(size)
        await cache.set("key", value)
        assert waiting.compressions == [3 * 4096] and units_of(cache) is value
        assert sum(cache.figures().raw_by_cause.values()) == cache.stats()["raw"] == 1


def test_the_sample_is_of_three_places() -> None:
    value = b"a" * 4096 + b"-" * 30_001 + b"b" * 4096 + b"-" * 30_001 + b"c" * 4096
    assert sample_of(value) == b"a" * 4096 + b"b" * 4096 + b"c" * 4096


@pytest.mark.parametrize(("gain", "raw"), [(9, True), (11, False)])
async def test_a_sample_has_to_shrink_by_a_tenth(gain: int, raw: bool) -> None:
    with acomp.registry(), null_algorithm():
        async with zswap.Cache.open(max_bytes=None, compressor="null-async") as cache:
            zeroes = 3 * 4096 * gain // 100  # which are all that this algorithm saves
            await cache.set("key", b"x" * (UNIT - zeroes) + bytes(zeroes))
            assert cache.figures().raw_by_cause == ({"sample": 1} if raw else {})
            assert (len(units_of(cache)) == UNIT) == raw


async def test_an_algorithm_with_units_gets_them_in_one_request() -> None:
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Cache.open(max_bytes=None, compressor="null-async") as cache:
            four = (b"abc" + bytes(UNIT - 3)) * 3 + b"abcd" + bytes(5000)
            await cache.set("key", four)
            assert device.calls == ["compress", "unit"]
            assert units_of(cache) == (b"abc", b"abc", b"abc", b"abcd")
            await cache.set("key", (b"abc" + bytes(UNIT - 3)) * 16 + four)
            assert device.calls[2:] == ["compress", "unit", "unit", "unit"], "eight units at a time"
            assert units_of(cache) == (b"abc",) * 19 + (b"abcd",)


async def test_an_algorithm_with_chains_only_gets_chains() -> None:
    async with waiting_cache(chains=True) as (cache, waiting):
        waiting.errors = {3: -EIO}
        value = noise(UNIT - 100) + text(6 * UNIT)
        await cache.set("key", value)
        raw = [len(unit) == UNIT for unit in units_of(cache)]
        assert waiting.chains == [4, 3] and raw == [True, False, True, False, False, False, False]
        assert await cache.get("key") == value
        assert waiting.chains == [4, 3, 4], "what is raw is not asked for, and one alone is no chain"


async def test_a_cancelled_set_of_many_units_leaves_its_requests_to_the_device() -> None:
    with acomp.registry(), null_algorithm() as device:
        async with zswap.Cache.open(max_bytes=None, compressor="null-async") as cache:
            value = (b"abc" + bytes(UNIT - 3)) * 3
            device.automatic = False
            task = asyncio.ensure_future(cache.set("key", value))
            await turns()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            device.automatic = True
            await device.quiesce()
            await cache.set("key", value)
            assert units_of(cache) == (b"abc",) * 3
            check_quiet(cache)


async def test_a_value_in_memory_that_cannot_be_read_is_a_miss_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as cache:
        await cache.set("small", text(1000))
        await cache.set("large", text(300 * KIB))

        def broken(src: BytesLike, limit: int) -> bytes:
            raise CodecError("broken")

        for key in ("small", "large"):
            monkeypatch.setattr(cache._check().compressor, "_decompress_now", lambda src, limit: b"")
            assert await cache.get(key) is None and not await cache.contains(key)
        assert cache.stats()["damaged"] == 2 and cache.stats()["misses"] == 2
        await cache.set("small", text(1000))
        monkeypatch.setattr(cache._check().compressor, "_decompress_now", broken)
        assert await cache.get("small") is None
        check_quiet(cache)


async def test_the_loop_gets_a_turn_after_128_kib() -> None:
    async with opened() as cache, counted_turns() as turns:
        await asyncio.sleep(0)  # in which counting begins
        for number in range(64):
            await cache.set(str(number), text(4 * KIB))
        assert turns.count == 2
        for number in range(64):
            await cache.get(str(number))
        assert turns.count == 4
        await cache.set("large", text(1 << 20))
        assert turns.count == 4 + 8
        await cache.get("large")
        assert turns.count == 4 + 16


async def test_no_memory_for_a_unit_keeps_it_raw() -> None:
    async with opened() as cache:
        with fault.installed(lambda point: point == "zswap.cache.unit"):
            await cache.set("key", text(1000))
        assert units_of(cache) == text(1000) and cache.figures().raw_by_cause == {"ENOMEM": 1}


@pytest.mark.threads
async def test_inside_of_threads_small_values_stay_on_the_loop_and_large_ones_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by: dict[int, set[bool]] = {}
    compress, compress_many = ZstdCodec.compress, ZstdCodec.compress_many
    here = threading.current_thread()

    def one(codec: ZstdCodec, src: BytesLike) -> bytes:
        by.setdefault(len(src), set()).add(threading.current_thread() is here)
        return compress(codec, src)

    def many(codec: ZstdCodec, pages: list[BytesLike]) -> list[bytes]:
        for page in pages:
            by.setdefault(len(page), set()).add(threading.current_thread() is here)
        return compress_many(codec, pages)

    monkeypatch.setattr(ZstdCodec, "compress", one)
    monkeypatch.setattr(ZstdCodec, "compress_many", many)
    with acomp.registry():
        async with acomp.threads.open(workers=1), zswap.Cache.open(max_bytes=None) as cache:
            for size in (100, INLINE_BYTES, INLINE_BYTES + 1, 3 * UNIT):
                await cache.set(str(size), text(size))
            by.pop(3 * 4096)  # the sample
            assert by == {100: {True}, INLINE_BYTES: {True}, INLINE_BYTES + 1: {False}, UNIT: {False}}
            for size in (100, INLINE_BYTES, INLINE_BYTES + 1, 3 * UNIT):
                assert await cache.get(str(size)) == text(size)
            check_quiet(cache)


@pytest.mark.threads
async def test_workers_that_close_before_the_cache_leave_everything_readable() -> None:
    with acomp.registry():
        async with acomp.threads.open(workers=1):
            cache = await zswap.Cache.open(max_bytes=None).__aenter__()
            await cache.set("before", text(300 * KIB))
        assert await cache.get("before") == text(300 * KIB)
        for size in (1000, 100 * KIB, 300 * KIB):
            await cache.set("after", text(size))
            assert await cache.get("after") == text(size)
        assert cache.figures().raw_by_cause["ENODEV"] > 0
        await cache.close()


async def test_the_accelerator_takes_every_size_itself() -> None:
    with acomp.registry():
        async with (
            iaa_emulator.Platform.open(engine=iaa_emulator.WorkerThreads(0)),
            zswap.Cache.open(max_bytes=None, compressor="deflate-iaa") as cache,
        ):
            assert cache._check().compressor.now_bytes == 0
            for size in (0, 1, 2, 100, 4096, 100 * KIB, 5 * UNIT + 9):
                for content in (text, noise):
                    await cache.set("key", content(size))
                    assert await cache.get("key") == content(size)
            check_quiet(cache)


async def test_an_accelerator_that_closes_before_the_cache_leaves_everything_readable() -> None:
    with acomp.registry():
        async with iaa_emulator.Platform.open(engine=iaa_emulator.WorkerThreads(0)):
            cache = await zswap.Cache.open(max_bytes=None, compressor="deflate-iaa").__aenter__()
            await cache.set("before", text(4096))
        assert await cache.get("before") == text(4096)
        await cache.set("after", text(4096))
        assert await cache.get("after") == text(4096) and units_of(cache, "after") == text(4096)
        await cache.close()


async def test_figures() -> None:
    async with opened() as cache:
        assert cache.figures() == zswap.CacheFigures(None, None, None, {})
        await cache.set("key", noise(1000))
        await cache.set("other", text(10_000))
        await cache.get("key")
        await cache.get("nothing")
        figures = cache.figures()
        compressed = 1000 + len(units_of(cache, "other"))
        assert figures.ratio == 11_000 / compressed and figures.hit_ratio == 0.5
        assert figures.overhead_bytes == (cache.stats()["bytes"] - compressed) / 2
        assert figures.raw_by_cause == {"E2BIG": 1}
