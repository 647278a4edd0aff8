"""Closing a swap space under way: what outlives a cancelled or timed-out close never touches the device again."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from errno import EBADF, ECANCELED, EINVAL, ESHUTDOWN
from pathlib import Path
from typing import BinaryIO

import pytest

import acomp
import zswap
from tests.zswap.null_algorithm import PAGE, NullDevice, null_algorithm, page_of
from zswap.swap.device_io import DeviceIo
from zswap.swap.slots import SwapSlots

RANDOM = acomp.testing.sample_pages()["random"]


@asynccontextmanager
async def closed_early(
    how: str, begin: Callable[[zswap.Swap], object], tmp_path: Path
) -> AsyncIterator[tuple[NullDevice, BinaryIO]]:
    """A swap space on a file, closed without waiting for what `begin` began; its file's number is somebody else's."""
    with acomp.registry(), null_algorithm() as device:
        file = zswap.FileDevice(nr_slots=64)
        number = file._fd
        params = zswap.Params(compressor="null-async", close_timeout=0 if how == "timeout" else 5)
        swap = zswap.Swap.open(params, device=file)
        await swap.__aenter__()
        await swap.store(zswap.Folio(0, page_of(9)))
        device.automatic = False
        begin(swap)
        while not device.jobs:
            await asyncio.sleep(0)
        closing = asyncio.ensure_future(swap.__aexit__(None, None, None))
        if how == "cancel":
            await asyncio.sleep(0)
            closing.cancel()
        with pytest.raises(zswap.CloseTimeoutError if how == "timeout" else asyncio.CancelledError):
            await closing
        with (tmp_path / "other").open("w+b", buffering=0) as other:
            if other.fileno() != number:
                os.dup2(other.fileno(), number)  # nobody else can have taken it: the number is free, or ours
            try:
                other.write(b"precious")
                yield device, other
                for _ in range(5):
                    await asyncio.sleep(0)
                assert os.fstat(other.fileno()).st_size == len(b"precious")
            finally:
                if other.fileno() != number:
                    os.close(number)


@pytest.mark.threads
@pytest.mark.parametrize("how", ["timeout", "cancel"])
@pytest.mark.parametrize("fails", [True, False], ids=["refused", "compressed"])
async def test_a_store_that_outlives_the_close_writes_to_nobody(how: str, fails: bool, tmp_path: Path) -> None:
    storing: list[asyncio.Future[zswap.Placed]] = []

    def begin(swap: zswap.Swap) -> None:
        storing.append(asyncio.ensure_future(swap.store(zswap.Folio(8, page_of(7) * 16))))
        storing.append(asyncio.ensure_future(swap.store(zswap.Folio(8, bytes(PAGE)))))  # behind it, in line

    async with closed_early(how, begin, tmp_path) as (device, _):
        if fails:
            device.errors = dict.fromkeys(range(1, 40), -EINVAL)
        device.automatic = True
        device.land()
        for one in storing:
            with pytest.raises(OSError, match="closed") as caught:
                await one
            assert caught.value.errno == ECANCELED


@pytest.mark.threads
@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_a_load_that_outlives_the_close_reads_from_nobody(how: str, tmp_path: Path) -> None:
    loading: list[asyncio.Future[bytes | None]] = []

    def begin(swap: zswap.Swap) -> None:
        loading.extend(asyncio.ensure_future(swap.load(0)) for _ in range(2))

    async with closed_early(how, begin, tmp_path) as (device, _):
        device.automatic = True
        device.land()
        assert [await one for one in loading] == [None, None]


async def test_what_ends_between_the_timeout_and_the_close_is_not_stored() -> None:
    with acomp.registry(), null_algorithm(automatic=False) as device:
        params = zswap.Params(compressor="null-async", close_timeout=0.5)
        swap = zswap.Swap.open(params, device=zswap.MemoryDevice(64))
        await swap.__aenter__()
        storing = [asyncio.ensure_future(swap.store(zswap.Folio(8, page_of(7)))) for _ in range(2)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(swap.__aexit__(None, None, None))
        while not swap.zswap._closed:
            await asyncio.sleep(0.001)
        device.land()
        for one in storing:
            with pytest.raises(OSError, match="closed") as caught:
                await one
            assert caught.value.errno == ECANCELED
        await closing


@pytest.mark.threads
async def test_a_closed_file_device_says_so() -> None:
    file = zswap.FileDevice(nr_slots=4)
    file.close()
    file.close()
    for call in (lambda: file.write(0, bytes(PAGE)), lambda: file.read(0, 1), file.sync):
        with pytest.raises(OSError, match="is closed") as caught:
            call()
        assert caught.value.errno == EBADF


async def test_no_call_begins_after_the_close_and_the_device_closes_behind_the_last() -> None:
    class Watched(zswap.MemoryDevice):
        closes = 0

        def close(self) -> None:
            self.closes += 1

    device = Watched(4)
    io = DeviceIo(device, SwapSlots(4))
    writing = asyncio.ensure_future(io.write(0, RANDOM))
    await asyncio.sleep(0)
    io.close()
    assert device.closes == 0
    for late in (io.write(1, RANDOM), io.read(0), io.sync()):
        with pytest.raises(OSError, match="closed") as caught:
            await late
        assert caught.value.errno == ESHUTDOWN
    await writing
    assert device.closes == 1 and device.read(0, 1) == RANDOM
