"""One level up: pages in, results out."""

import asyncio
import dataclasses
import gc
from collections.abc import Iterator
from errno import E2BIG, EINVAL, ENODEV
from typing import Any

import pytest

import acomp
from acomp import (
    AcompReq,
    PageResult,
    acomp_do_async_req_chain,
    compress_pages,
    crypto_alloc_acomp,
    crypto_free_acomp,
    decompress_pages,
)
from acomp.testing import sample_pages
from tests.acomp.algorithms import PAGE, Mode, Stepped, algorithm, copy, transform

SAMPLES = sample_pages()
MODES: tuple[Mode, ...] = ("parallel", "serial", "interrupt")

each_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def zstd() -> Iterator[acomp.CryptoAcomp]:
    with acomp.registry():
        yield crypto_alloc_acomp("zstd")


def pages(count: int) -> list[bytes]:
    """That many pages, all different."""
    return [bytes([number]) * 100 + PAGE[:3996] for number in range(count)]


class TestResults:
    @pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 16, 17])
    @each_mode
    async def test_they_come_in_order_whatever_the_driver_does(self, mode: Mode, count: int) -> None:
        device = Stepped(mode, auto=True)
        plain = pages(count)
        packed = await compress_pages(device.tfm, plain)
        assert packed == [PageResult(0, page, "software") for page in plain]
        assert await decompress_pages(device.tfm, [page.data for page in packed]) == packed
        crypto_free_acomp(device.tfm)

    @pytest.mark.parametrize("name", ["deflate", "zstd", "lz4", "lzo"])
    async def test_software_round_trips(self, name: str) -> None:
        with acomp.registry():
            tfm = crypto_alloc_acomp(name)
        plain = [page for page in SAMPLES.values() if page is not SAMPLES["random"]]
        packed = await compress_pages(tfm, plain)
        assert [result.err for result in packed] == [0] * len(plain)
        assert [result.raise_for_err() for result in await decompress_pages(tfm, (r.data for r in packed))] == plain

    async def test_one_bad_page_does_not_disturb_the_others(self, zstd: acomp.CryptoAcomp) -> None:
        results = await compress_pages(zstd, [SAMPLES["text"], SAMPLES["random"], b"", SAMPLES["zero"]])
        assert [result.err for result in results] == [0, -EINVAL, -EINVAL, 0]
        assert [bool(result.data) for result in results] == [True, False, False, True]

    async def test_one_bad_page_in_a_chain_does_not_disturb_the_others(self) -> None:
        def poll(req: AcompReq) -> int:
            return -E2BIG if bytes(req.src)[:1] == b"\2" else copy(req)

        async def compress(req: AcompReq) -> int:
            return await acomp_do_async_req_chain(req, lambda req: -115, poll)

        tfm = transform(algorithm(compress=compress, batch_size=lambda: 8))
        results = await compress_pages(tfm, pages(8))
        assert [result.err for result in results] == [0, 0, -E2BIG, 0, 0, 0, 0, 0]
        assert results[2].data == b""

    async def test_a_head_that_is_refused_fails_its_whole_batch_and_no_other(self) -> None:
        left = [-ENODEV, 0, 0]

        async def compress(req: AcompReq) -> int:
            refusal = left.pop(0)
            return await acomp_do_async_req_chain(req, lambda req: refusal or copy(req), lambda req: 0)

        tfm = transform(algorithm(compress=compress, batch_size=lambda: 4))
        results = await compress_pages(tfm, pages(9))
        assert [result.err for result in results] == [-ENODEV] * 4 + [0] * 5
        crypto_free_acomp(tfm)

    async def test_the_path_is_each_requests_own(self) -> None:
        def poll(req: AcompReq) -> int:
            req.path = "hardware" if bytes(req.src)[0] % 2 else "software"
            return copy(req)

        async def compress(req: AcompReq) -> int:
            return await acomp_do_async_req_chain(req, lambda req: -115, poll)

        tfm = transform(algorithm(compress=compress, batch_size=lambda: 4))
        assert [result.path for result in await compress_pages(tfm, pages(4))] == ["software", "hardware"] * 2

    async def test_they_are_frozen_bytes_that_do_not_change_afterwards(self, zstd: acomp.CryptoAcomp) -> None:
        source = bytearray(SAMPLES["text"])
        (result,) = await compress_pages(zstd, [source])
        source[:] = bytes(4096)
        assert type(result.data) is bytes
        (back,) = await decompress_pages(zstd, [result.data])
        assert back.data == SAMPLES["text"]
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.err = 5  # type: ignore[misc]

    def test_raise_for_err_gives_the_data_or_an_oserror(self) -> None:
        assert PageResult(0, b"x", "software").raise_for_err() == b"x"
        with pytest.raises(OSError, match="too long") as error:
            PageResult(-E2BIG, b"", "hardware").raise_for_err()
        assert error.value.errno == E2BIG


class TestInput:
    async def test_any_iterable_of_any_contiguous_buffers(self, zstd: acomp.CryptoAcomp) -> None:
        page = SAMPLES["text"]
        kinds = (page, bytearray(page), memoryview(page), memoryview(page).cast("Q"))
        results = await compress_pages(zstd, iter(kinds))
        assert len({result.data for result in results}) == 1
        assert [result.data for result in await decompress_pages(zstd, (r.data for r in results))] == [page] * 4

    async def test_pages_of_any_length(self, zstd: acomp.CryptoAcomp) -> None:
        plain = [bytes(length) for length in (100, 4096, 8192, 131072)]
        packed = await compress_pages(zstd, plain)
        back = await decompress_pages(zstd, [page.raise_for_err() for page in packed], page_size=131072)
        assert [page.data for page in back] == plain

    async def test_page_size_bounds_the_plain_form(self, zstd: acomp.CryptoAcomp) -> None:
        packed = await compress_pages(zstd, [bytes(4096)])
        assert [result.err for result in await decompress_pages(zstd, [packed[0].data], page_size=4095)] == [-EINVAL]

    @pytest.mark.parametrize("wrong", [0, -1, 1.5, None, True, "4096"])
    async def test_page_size_is_a_positive_int(self, zstd: acomp.CryptoAcomp, wrong: Any) -> None:
        with pytest.raises(ValueError, match="page_size must be"):
            await decompress_pages(zstd, [], page_size=wrong)

    @pytest.mark.parametrize("wrong", [5, "text", None, memoryview(bytes(8))[::2]])
    async def test_what_is_no_contiguous_buffer_is_a_type_error(self, zstd: acomp.CryptoAcomp, wrong: Any) -> None:
        for function in (compress_pages, decompress_pages):
            with pytest.raises(TypeError, match="contiguous"):
                await function(zstd, [bytes(8), wrong])
        crypto_free_acomp(zstd)

    async def test_a_freed_transform_is_refused(self, zstd: acomp.CryptoAcomp) -> None:
        crypto_free_acomp(zstd)
        for function in (compress_pages, decompress_pages):
            with pytest.raises(acomp.ProtocolError, match="freed"):
                await function(zstd, [bytes(8)])

    def test_another_loops_transform_is_refused(self, zstd: acomp.CryptoAcomp) -> None:
        with asyncio.Runner() as first, asyncio.Runner() as second:
            first.run(compress_pages(zstd, [PAGE]))
            with pytest.raises(acomp.WrongLoopError):
                second.run(compress_pages(zstd, [PAGE]))


class TestRequests:
    @each_mode
    async def test_none_is_left(self, mode: Mode) -> None:
        device = Stepped(mode, auto=True)
        await compress_pages(device.tfm, pages(11))
        crypto_free_acomp(device.tfm)
        gc.collect()
        assert not [thing for thing in gc.get_objects() if isinstance(thing, AcompReq) and thing.tfm is device.tfm]

    async def test_an_algorithm_that_raises_leaves_none_either(self) -> None:
        async def compress(req: AcompReq) -> int:
            raise ZeroDivisionError

        for batch_size in (None, lambda: 4):
            tfm = transform(algorithm(compress=compress, batch_size=batch_size))
            with pytest.raises(ZeroDivisionError):
                await compress_pages(tfm, pages(6))
            crypto_free_acomp(tfm)

    @each_mode
    async def test_many_callers_share_a_transform(self, mode: Mode) -> None:
        device = Stepped(mode, auto=True)
        batches = [[bytes([turn, number]) * 50 for number in range(turn + 1)] for turn in range(12)]
        results = await asyncio.gather(*(compress_pages(device.tfm, batch) for batch in batches))
        assert [[result.data for result in batch] for batch in results] == batches
        crypto_free_acomp(device.tfm)

    @each_mode
    @pytest.mark.parametrize("count", [1, 8])
    async def test_cancelled_they_are_freed_when_their_jobs_have_landed(self, mode: Mode, count: int) -> None:
        device = Stepped(mode)
        task = asyncio.ensure_future(compress_pages(device.tfm, pages(count)))
        for _ in range(3):
            await asyncio.sleep(0)
        begun = len(device.queue)
        assert begun == (count if mode == "parallel" else 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(acomp.RequestBusyError):
            crypto_free_acomp(device.tfm)
        await device.quiesce()
        crypto_free_acomp(device.tfm)
        assert "freed" in repr(device.tfm)

    async def test_what_a_late_job_writes_to_is_not_the_callers(self) -> None:
        device = Stepped()
        source = [bytearray(page) for page in pages(8)]
        task = asyncio.ensure_future(compress_pages(device.tfm, source))
        for _ in range(3):
            await asyncio.sleep(0)
        targets = [job.req.dst for job in device.queue]
        assert not {id(target) for target in targets} & {id(page) for page in source}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await device.quiesce()

    async def test_a_counted_completion_does_not_end_the_next_single_request(self) -> None:
        """The parallel runner calls back and returns a final code; the next request may be truly asynchronous."""
        begun: list[AcompReq] = []

        def begin(req: AcompReq) -> acomp.Code:
            begun.append(req)
            if len(begun) == 1:
                return acomp_do_async_req_chain(req, copy, lambda req: 0)
            asyncio.get_running_loop().call_soon(land)
            return -115

        def land() -> None:
            compl = begun[-1].base.complete
            assert compl is not None
            compl(begun[-1].base.data, copy(begun[-1]))

        tfm = transform(algorithm(flags=acomp.CRYPTO_ALG_ASYNC, compress=begin))
        assert [result.data for result in await compress_pages(tfm, pages(3))] == pages(3)
        crypto_free_acomp(tfm)
