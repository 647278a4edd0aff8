"""What a cache takes: keys, values of any length, and what it refuses, with the remedy."""

import asyncio
import enum
import inspect
import json
from array import array
from typing import Any

import pytest

import acomp
import zswap
from tests.zswap.cache.rig import KIB, UNIT, check_quiet, noise, opened, text
from tests.zswap.loop_turns import counted_turns


@pytest.mark.parametrize(
    "size", [0, 1, 2, 100, 4095, 4096, 32 * KIB, 32 * KIB + 1, 64 * KIB + 1, UNIT, UNIT + 1, 3 * UNIT + 5]
)
@pytest.mark.parametrize("content", [text, noise], ids=["text", "noise"])
async def test_values_of_any_length_come_back(size: int, content: Any) -> None:
    async with opened() as cache:
        value = content(size)
        await cache.set("key", value)
        assert await cache.get("key") == value
        assert type(await cache.get("key")) is bytes
        check_quiet(cache)


@pytest.mark.parametrize("compressor", ["zstd", "deflate", "lz4", "lzo"])
async def test_every_software_algorithm_serves(compressor: str) -> None:
    async with opened(compressor=compressor) as cache:
        for size in (0, 1, 7, 4096, 100 * KIB, 5 * UNIT + 3):
            await cache.set("key", text(size))
            assert await cache.get("key") == text(size)


async def test_an_empty_value_is_a_value() -> None:
    async with opened() as cache:
        await cache.set("key", b"")
        assert await cache.get("key", "nothing") == b""
        assert await cache.contains("key") and cache.stats()["raw"] == 0


async def test_a_miss_is_the_default() -> None:
    async with opened() as cache:
        assert await cache.get("key") is None
        assert await cache.get("key", default=b"?") == b"?"
        assert cache.stats()["misses"] == 2


async def test_str_and_bytes_are_two_keys() -> None:
    async with opened() as cache:
        await cache.set("a", b"text")
        await cache.set(b"a", b"bytes")
        assert hash("a") == hash(b"a"), "else this shows nothing"
        assert (await cache.get("a"), await cache.get(b"a"), len(cache)) == (b"text", b"bytes", 2)
        assert [key async for key in cache] == ["a", b"a"]


class Odd(str):
    """A str that is like no other."""

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 1

    def __str__(self) -> str:
        return "misleading"


class OddBytes(bytes):
    def __hash__(self) -> int:
        return 1


class Colour(enum.StrEnum):
    RED = "red"


async def test_a_subclass_is_the_key_that_it_spells() -> None:
    async with opened() as cache:
        await cache.set(Odd("key"), b"1")
        await cache.set(OddBytes(b"key"), b"2")
        await cache.set(Colour.RED, b"3")
        assert (await cache.get("key"), await cache.get(b"key"), await cache.get("red")) == (b"1", b"2", b"3")
        assert [type(key) async for key in cache] == [str, bytes, str]


NO_KEYS = [None, 1, 1.5, ("a",), bytearray(b"a"), memoryview(b"a")]


@pytest.mark.parametrize("key", NO_KEYS, ids=lambda key: type(key).__name__)
async def test_other_keys_are_refused(key: Any) -> None:
    async with opened() as cache:
        for call in (cache.set(key, b""), cache.get(key), cache.delete(key), cache.contains(key), cache.touch(key, 1)):
            remedy = "bytes" if isinstance(key, (bytearray, memoryview)) else "str"
            with pytest.raises(TypeError, match=rf"a key is a str or bytes.*; give {remedy}\(key\)"):
                await call


async def test_keys_have_1024_bytes() -> None:
    key: str | bytes
    async with opened() as cache:
        for key in ("x" * 1024, b"x" * 1024, "\u20ac" * 341, "", b"", "\ud800"):
            await cache.set(key, b"value")
            assert await cache.get(key) == b"value"
        assert len(cache) == 6
        for key in ("x" * 1025, b"x" * 1025, "\u20ac" * 342, Odd("x" * 1025)):
            with pytest.raises(ValueError, match=r"at most 1024 bytes .* digest"):
                await cache.set(key, b"value")
        assert len(cache) == 6
        check_quiet(cache)


BUFFERS = [
    bytearray(b"abcd"),
    memoryview(b"abcd"),
    array("i", [1, 2, 3]),
    memoryview(array("d", [1.0])),
    memoryview(b"abcd")[1:3],
]


@pytest.mark.parametrize("value", BUFFERS, ids=lambda value: type(value).__name__)
async def test_any_contiguous_buffer_is_a_value(value: Any) -> None:
    async with opened() as cache:
        await cache.set("key", value)
        assert await cache.get("key") == memoryview(value).tobytes()


@pytest.mark.parametrize("size", [64, 4096, 100 * KIB, 3 * UNIT])
async def test_what_is_written_to_a_buffer_later_does_not_count(size: int) -> None:
    async with opened() as cache:
        value = bytearray(text(size))
        task = asyncio.ensure_future(cache.set("key", value))
        await asyncio.sleep(0)  # it has been called now, and goes on
        value[:] = bytes(size)
        await task
        value += b"it can be resized, too"
        assert await cache.get("key") == text(size)


async def test_what_is_no_contiguous_buffer_is_refused_and_the_old_value_stays() -> None:
    async with opened() as cache:
        await cache.set("key", b"old")
        for value in ("text", None, 5, [1], object()):
            with pytest.raises(TypeError, match=r"contiguous buffer such as bytes, not .*serializer"):
                await cache.set("key", value)
        with pytest.raises(TypeError, match="must be contiguous"):
            await cache.set("key", memoryview(b"abcdef")[::2])
        assert await cache.get("key") == b"old"


def dumps(value: Any) -> Any:
    if value == "bad":
        raise RuntimeError("cannot be written")
    return b"text" if value == "unreadable" else repr(value).encode()


def loads(data: bytes) -> Any:
    return eval(data, {"__builtins__": {}})


async def test_a_serializer_makes_values_of_objects() -> None:
    async with opened(serializer=(dumps, loads)) as cache:
        await cache.set("key", [1, (2, None)])
        first = await cache.get("key")
        assert first == [1, (2, None)] and first is not await cache.get("key")
        await cache.set("none", None)
        assert await cache.get("none", "nothing") is None
        with pytest.raises(RuntimeError, match="cannot be written"):
            await cache.set("key", "bad")
        assert await cache.get("key") == [1, (2, None)]


async def test_what_loads_raises_is_the_callers_and_the_value_stays() -> None:
    async with opened(serializer=(dumps, loads)) as cache:
        await cache.set("key", "unreadable")
        for _ in range(2):
            with pytest.raises(NameError):
                await cache.get("key")
        assert await cache.contains("key") and cache.stats()["damaged"] == 0


async def test_a_serializer_that_makes_no_buffer_is_refused() -> None:
    async with opened(serializer=(json.dumps, json.loads)) as cache:
        with pytest.raises(TypeError, match=r"contiguous buffer .* not str; let dumps encode"):
            await cache.set("key", 5)
    async with opened(serializer=(lambda value: json.dumps(value).encode(), json.loads)) as cache:
        await cache.set("key", {"a": [1]})
        assert await cache.get("key") == {"a": [1]}


async def test_a_value_longer_than_max_value_bytes_is_refused_and_the_old_one_stays() -> None:
    async with opened(max_value_bytes=1000) as cache:
        await cache.set("key", text(1000))
        with pytest.raises(
            zswap.ValueTooLargeError, match=r"1001 bytes is larger than 1000: max_value_bytes"
        ) as caught:
            await cache.set("key", text(1001))
        assert (caught.value.size, caught.value.limit) == (1001, 1000)
        assert await cache.get("key") == text(1000)
        assert cache.stats()["rejected"] == 1


OPTIONS: list[tuple[str, Any]] = [
    ("max_bytes", 0), ("max_bytes", -1), ("max_bytes", True), ("max_bytes", 1e6), ("max_bytes", "64M"),
    ("compressor", ""), ("compressor", None),
    ("ttl", 0), ("ttl", -1), ("ttl", float("nan")), ("ttl", float("inf")), ("ttl", True), ("ttl", "1"),
    ("ttl", 10**400),
    ("serializer", len), ("serializer", (len,)), ("serializer", (len, 1)), ("serializer", [len, len]),
    ("spill", False), ("spill", ""), ("spill", 1), ("spill", b"/tmp/x"),
    ("max_spill_bytes", 4095), ("max_spill_bytes", None), ("max_spill_bytes", 1 << 60),
    ("max_value_bytes", 0), ("max_value_bytes", None),
    ("on_gone", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OPTIONS, ids=lambda value: str(value)[:20])
def test_options_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    with pytest.raises(zswap.ParameterError) as caught:
        zswap.Cache.open(**{"max_bytes": None, name: value})
    assert caught.value.name == name and caught.value.remedy and caught.value.remedy in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_file_behind_no_limit_is_refused() -> None:
    with pytest.raises(zswap.ParameterError, match="without max_bytes nothing would ever go to the file"):
        zswap.Cache.open(max_bytes=None, spill=True)


def test_other_ways_to_open_a_cache_name_the_right_one() -> None:
    right = r"`async with zswap\.Cache\.open\(max_bytes=\.\.\.\) as cache:`"
    wrong: Any = zswap.Cache
    with pytest.raises(TypeError, match=right):
        wrong()
    with pytest.raises(TypeError, match=right):
        wrong(max_bytes=1 << 20)

    async def awaited() -> None:
        await wrong.open(max_bytes=1 << 20)

    with pytest.raises(TypeError, match=f"not awaited; write {right}"):
        asyncio.run(awaited())
    with pytest.raises(RuntimeError, match=f"running event loop; write {right}"):
        zswap.Cache.open(max_bytes=1 << 20).__aenter__().send(None)


@pytest.mark.parametrize("digits", [400, 5000])
async def test_a_ttl_with_more_digits_than_python_writes_is_refused_in_words(digits: int) -> None:
    with pytest.raises(zswap.ParameterError, match=r"ttl = inf: .*for ever is None"):
        zswap.Cache.open(max_bytes=None, ttl=10**digits)
    async with opened() as cache:
        with pytest.raises(ValueError, match="not inf; for ever is None"):
            await cache.set("key", b"", ttl=10**digits)
        with pytest.raises(ValueError, match="not -inf; to delete, call delete"):
            await cache.touch("key", -(10**digits))


def test_help_shows_no_internals_of_a_default() -> None:
    for method in (zswap.Cache.set, zswap.Cache.get_or_compute):
        assert repr(inspect.signature(method).parameters["ttl"].default) == "UNSET"


async def test_an_unknown_compressor_is_refused_on_entering() -> None:
    with pytest.raises(zswap.ParameterError, match="did you mean 'zstd'"):
        async with opened(compressor="zst"):
            pass


@pytest.mark.parametrize(
    ("ttl", "error"),
    [(0, ValueError), (-1, ValueError), (float("nan"), ValueError), (float("inf"), ValueError), (True, TypeError),
     (False, TypeError), ("1", TypeError), (10**400, ValueError)],
)  # fmt: skip
async def test_a_ttl_that_makes_no_sense_is_refused(ttl: Any, error: type[Exception]) -> None:
    async def make() -> bytes:
        raise AssertionError

    async with opened() as cache:
        await cache.set("key", b"old")
        for call in (
            cache.set("key", b"new", ttl=ttl),
            cache.touch("key", ttl),
            cache.get_or_compute("new", make, ttl=ttl),
        ):
            with pytest.raises(error, match="a ttl is"):
                await call
        assert await cache.get("key") == b"old"


async def test_iteration_is_oldest_first_and_skips_what_went() -> None:
    async with opened() as cache:
        for key in ("a", "b", "c", "d"):
            await cache.set(key, b"")
        await cache.set("a", b"again")
        seen = []
        async for found in cache:
            seen.append(found)
            if found == "b":
                await cache.delete("c")
                await cache.set("e", b"new")
        assert seen == ["b", "d", "a"]


async def test_a_long_iteration_gives_turns() -> None:
    async with opened() as cache:
        for number in range(2100):
            await cache.set(str(number), b"")
        async with counted_turns() as turns:
            await asyncio.sleep(0)  # in which counting begins
            assert len([key async for key in cache]) == 2100
        assert turns.count == 2


async def test_delete_contains_clear_and_len() -> None:
    async with opened() as cache:
        for key in ("a", "b", "c"):
            await cache.set(key, text(100))
        assert await cache.contains("a") and not await cache.contains("d")
        assert await cache.delete("a") is True and await cache.delete("a") is False
        assert len(cache) == 2 and await cache.clear() == 2 and len(cache) == 0
        stats = cache.stats()
        assert (stats["deletes"], stats["bytes"], stats["values"], stats["hits"], stats["misses"]) == (3, 0, 0, 0, 0)
        check_quiet(cache)


async def test_looking_like_what_it_is() -> None:
    with acomp.registry():
        cache = zswap.Cache.open(max_bytes=1 << 20)
        assert repr(cache) == "<Cache not entered>" and len(cache) == 0
        async with cache:
            await cache.set("key", b"")
            assert (
                repr(cache)
                == f"<Cache zstd-generic open: 1 values in {cache.stats()['bytes']} of 1048576 bytes, 0 computing>"
            )
        assert repr(cache) == "<Cache zstd-generic closed: 0 values in 0 of 1048576 bytes, 0 computing>"
