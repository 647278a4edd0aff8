"""Misuse is answered with the cause and the remedy, and stored pages survive it."""

import asyncio
from errno import EINVAL, ENOENT
from typing import Any

import pytest

import acomp
import zswap
from acomp import cpu
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of


@pytest.mark.parametrize(
    ("offset", "data", "error", "says"),
    [
        (0, "text", TypeError, "buffer"),
        (0, [1, 2], TypeError, "buffer"),
        (0, memoryview(bytes(2 * PAGE))[::2], TypeError, "contiguous"),
        (0, b"", ValueError, "4096"),
        (0, bytes(PAGE - 1), ValueError, "4096"),
        (0, bytes(PAGE + 1), ValueError, "pad"),
        (-1, bytes(PAGE), ValueError, "2\\*\\*50"),
        ((1 << 50) - 1, bytes(2 * PAGE), ValueError, "2\\*\\*50"),
        ("0", bytes(PAGE), TypeError, "int"),
        (True, bytes(PAGE), TypeError, "int"),
        (0.0, bytes(PAGE), TypeError, "int"),
    ],
)
def test_what_is_no_folio(offset: Any, data: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        zswap.Folio(offset, data)


def test_a_folio_takes_any_contiguous_buffer() -> None:
    for data in (bytes(PAGE), bytearray(PAGE), memoryview(bytes(PAGE)), memoryview(bytes(PAGE)).cast("Q")):
        assert zswap.Folio(0, data).data == bytes(PAGE)


async def test_calls_with_wrong_arguments_leave_stored_pages_alone() -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            assert await store.store(zswap.Folio(0, page_of(9)))
            with pytest.raises(TypeError, match=r"zswap\.Folio"):
                await store.store(bytes(PAGE))  # type: ignore[arg-type]
            for wrong in (-1, 1 << 50):
                with pytest.raises(ValueError, match="slots"):
                    await store.load(wrong)
                with pytest.raises(ValueError, match="slots"):
                    store.invalidate(wrong)
            with pytest.raises(ValueError, match="nr_pages"):
                store.invalidate(0, 0)
            with pytest.raises(TypeError, match="int"):
                await store.load("0")  # type: ignore[arg-type]
            assert await store.load(0) == page_of(9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compressor", ""),
        ("compressor", 3),
        ("zpool", "zbud"),
        ("enabled", "Y"),
        ("max_pool_percent", -1),
        ("max_pool_percent", "20"),
        ("accept_threshold_percent", 1.5),
        ("ram_bytes", -4096),
        ("max_batch_size", 0),
        ("max_batch_size", 9),
        ("long_chains", 1),
        ("context_scope", "page"),
        ("interface", "pipe"),
        ("interface", None),
        ("features", "v8"),
        ("offline_timeout", -1),
        ("close_timeout", float("nan")),
        ("close_timeout", True),
    ],
)
def test_parameters_that_make_no_sense(name: str, value: Any) -> None:
    with pytest.raises(zswap.ParameterError) as caught:
        zswap.Params(**{name: value})
    assert caught.value.name == name
    assert caught.value.value is value
    assert caught.value.remedy in str(caught.value)
    assert caught.value.errno == (ENOENT if name == "zpool" else EINVAL)


def test_long_chains_have_an_end_too() -> None:
    assert zswap.Params(max_batch_size=32, long_chains=True).max_batch_size == 32
    with pytest.raises(zswap.ParameterError, match=r"write 1 \(no chains\) to 8, or up to 32 with long_chains=True"):
        zswap.Params(max_batch_size=32)
    with pytest.raises(zswap.ParameterError, match=r"write 1 \(no chains\) to 32$"):
        zswap.Params(max_batch_size=33, long_chains=True)


def test_two_kinds_of_limit_at_once() -> None:
    with pytest.raises(zswap.ParameterError, match="not both"):
        zswap.Params(ram_bytes=1, max_pool_bytes=1)


async def test_an_unknown_compressor_names_the_nearest() -> None:
    with acomp.registry():
        with pytest.raises(zswap.ParameterError, match="zstd") as caught:
            async with zswap.Zswap.open(zswap.Params(compressor="zstandard")):
                pass
        assert caught.value.errno == ENOENT


async def test_open_twice_and_use_outside() -> None:
    with acomp.registry():
        with pytest.raises(TypeError, match="Params"):
            zswap.Zswap.open("zstd")  # type: ignore[arg-type]
        store = zswap.Zswap.open()
        with pytest.raises(zswap.StoreClosedError, match="enter"):
            await store.load(0)
        async with store:
            with pytest.raises(zswap.StoreOpenError, match="another"):
                await store.__aenter__()
            assert await store.store(zswap.Folio(0, page_of(9)))
        for use in (lambda: store.load(0), lambda: store.store(zswap.Folio(0, page_of(9))), lambda: store.release(0)):
            with pytest.raises(zswap.StoreClosedError, match="context"):
                await use()
        with pytest.raises(zswap.StoreClosedError):
            store.invalidate(0)
        with pytest.raises(zswap.StoreClosedError, match="another"):
            await store.__aenter__()
        assert store.stats()["stored_pages"] == 0


@pytest.mark.threads
async def test_use_from_another_loop() -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            assert await store.store(zswap.Folio(0, page_of(9)))

            def elsewhere() -> None:
                with pytest.raises(acomp.WrongLoopError):
                    asyncio.run(store.load(0))
                with pytest.raises(acomp.WrongLoopError):
                    store.invalidate(0)

            await asyncio.to_thread(elsewhere)
            assert await store.load(0) == page_of(9)


async def test_every_error_has_an_errno_and_one_base() -> None:
    errors = [getattr(zswap, name) for name in zswap.__all__ if name.endswith("Error")]
    assert len(errors) > 5
    for error in errors:
        assert issubclass(error, zswap.ZswapError)
        assert error.errno > 0


async def test_a_corrupt_page_raises_and_stays() -> None:
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            assert await store.store(zswap.Folio(0, page_of(9)))
            blobs = store._parts.inventory.entries.blob
            good, blobs[0] = blobs[0], b"no zstd frame"
            with pytest.raises(zswap.DecompressError, match="page 0") as caught:
                await store.load(0)
            assert caught.value.code < 0
            blobs[0] = good
            assert await store.load(0) == page_of(9)


async def test_closing_waits_for_work_under_way() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device:
        async with zswap.Zswap.open(zswap.Params(compressor="null-async")) as store:
            storing = asyncio.ensure_future(store.store(zswap.Folio(0, page_of(9))))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(let_land, device)
        assert await storing is True
        assert store.stats()["stored_pages"] == 0, "the pages of a closed store are gone"


def let_land(device: NullDevice) -> None:
    device.automatic = True
    device.land()


async def test_closing_is_bounded_and_says_what_is_left() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device, cpu.on_cpu(3):
        store = zswap.Zswap.open(zswap.Params(compressor="null-async", close_timeout=0))
        await store.__aenter__()
        storing = asyncio.ensure_future(store.store(zswap.Folio(0, page_of(9))))
        await asyncio.sleep(0)
        with pytest.raises(zswap.CloseTimeoutError, match="1 calls"):
            await store.__aexit__(None, None, None)
        let_land(device)
        await storing
        assert store.stats()["stored_pages"] == 0
