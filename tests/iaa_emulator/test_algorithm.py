"""deflate-iaa as acomp sees it: conformance in every mode, the bytes, and what a request can end in."""

import asyncio
import zlib
from errno import E2BIG, EINVAL, ENODEV

import pytest

import acomp
from acomp import (
    CRYPTO_ACOMP_REQ_POLL,
    PAGE_SIZE,
    acomp_request_set_params,
    compress_pages,
    crypto_acomp_batch_size,
    crypto_acomp_compress,
    crypto_acomp_decompress,
    crypto_alloc_acomp,
    crypto_wait_req,
    decompress_pages,
)
from iaa_emulator import DriverFeatures, Platform, machine
from tests.deflate_inspector import inspect
from tests.iaa_emulator.rig import RANDOM, SAMPLES, TEXT, Single, assert_balanced, engine_of, new_chain, page, stepped

MODES = ["sync", "async", "async_irq"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("verify", ["0", "1"])
async def test_it_conforms_on_the_stepped_engine(mode: str, verify: str) -> None:
    async with stepped(attributes={"sync_mode": mode, "verify_compress": verify}) as platform:
        await acomp.testing.check_conformance("deflate-iaa")
        assert_balanced(platform)


@pytest.mark.threads
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_it_conforms_on_worker_threads(mode: str) -> None:
    with acomp.registry():
        async with Platform.open(attributes={"sync_mode": mode}) as platform:
            await acomp.testing.check_conformance("deflate-iaa")
            assert_balanced(platform)


@pytest.mark.parametrize("features", [DriverFeatures.base(), *(DriverFeatures.of(n) for n in range(1, 12))], ids=str)
async def test_it_conforms_with_every_patch_alone(features: DriverFeatures) -> None:
    async with stepped(features=features):
        await acomp.testing.check_conformance("deflate-iaa")


async def test_streams_are_one_fixed_block_within_the_window() -> None:
    async with stepped():
        tfm = crypto_alloc_acomp("deflate-iaa")
        for name, plain in SAMPLES.items():
            (result,) = await compress_pages(tfm, [plain * 4 if name == "text" else plain])
            if result.err:
                assert (name, result.err) == ("random", -E2BIG)
                continue
            found = inspect(result.data)
            assert [(block.type, block.final) for block in found.blocks] == [("fixed", True)]
            assert found.max_distance <= 4096
            assert zlib.decompress(result.data, -15) == found.output


async def test_an_incompressible_page_is_too_big() -> None:
    async with stepped() as platform:
        single = Single()
        assert await single.compress(RANDOM) == -E2BIG
        assert single.req.dlen == PAGE_SIZE
        totals = platform.driver.stats.totals
        assert totals.total_completion_comp_buf_overflow_errors == 1
        assert (totals.total_comp_calls, totals.total_comp_bytes_out) == (1, 0)
        assert await single.compress(RANDOM, 2 * PAGE_SIZE) == 0, "it fits where there is room"
        assert single.req.dlen > PAGE_SIZE, "the device emits no stored blocks"


async def test_a_single_request_is_synchronous_and_calls_no_completion() -> None:
    async with stepped():
        single = Single()
        assert await single.compress(TEXT) == 0
        assert single.completions == []
        assert single.req.path == "hardware"


async def test_poll_set_by_hand_outside_of_a_chain_is_completed_when_the_job_lands() -> None:
    async with stepped(auto=False) as platform:
        single = Single()
        data = single.req.base.data
        single.req.flags |= CRYPTO_ACOMP_REQ_POLL
        task = asyncio.ensure_future(single.compress(TEXT))
        await asyncio.sleep(0)
        assert single.completions == []
        assert single.req.busy
        engine_of(platform).step()
        assert single.completions == [0]
        assert await task == 0
        assert single.req.base.data is data
        assert zlib.decompress(single.output, -15) == TEXT


async def test_interrupt_mode_collapses_errors_and_falls_back_on_a_bad_stream() -> None:
    async with stepped(attributes={"sync_mode": "async_irq", "verify_compress": "1"}) as platform:
        single = Single()
        single.req.flags |= CRYPTO_ACOMP_REQ_POLL
        assert await single.compress(TEXT) == 0
        assert single.completions == [0]
        blob = single.output
        assert await single.compress(RANDOM) == -5, "every failure is -EIO"
        assert await single.decompress(blob) == 0
        assert single.output == TEXT
        assert await single.decompress(b"\xff" * 100) == -5
        assert platform.driver.stats.totals.total_sw_decomp_calls == 1
        assert_balanced(platform)


@pytest.mark.parametrize("mode", MODES)
async def test_a_chain_gives_the_bytes_of_single_requests(mode: str) -> None:
    async with stepped(attributes={"sync_mode": mode}):
        pages = [page(n) for n in range(8)]
        chain, single = new_chain(pages), Single()
        assert await chain.run() == 0
        assert chain.errs == [0] * 8
        for plain, blob in zip(pages, chain.outputs, strict=True):
            assert await single.compress(plain) == 0
            assert single.output == blob
        back = new_chain(chain.outputs)
        assert await back.run(decompress=True) == 0
        assert back.outputs == pages


@pytest.mark.parametrize("mode", MODES)
async def test_members_fail_alone(mode: str) -> None:
    async with stepped(attributes={"sync_mode": mode}):
        chain = new_chain([page(0), RANDOM, page(2), RANDOM])
        assert await chain.run() == (-E2BIG if mode != "async" else 0), "parallel: the head's, serial: the last one's"
        assert chain.errs == [0, -E2BIG, 0, -E2BIG]


@pytest.mark.parametrize("mode", MODES)
async def test_the_batch_size_is_eight_in_every_mode(mode: str) -> None:
    async with stepped(attributes={"sync_mode": mode}):
        assert crypto_acomp_batch_size(crypto_alloc_acomp("deflate-iaa")) == 8
    async with stepped(features=DriverFeatures.v8().without(4)):
        assert crypto_acomp_batch_size(crypto_alloc_acomp("deflate-iaa")) == 1


async def test_another_batch_size_is_reported_when_asked_for() -> None:
    async with stepped(batch_size=32):
        assert crypto_acomp_batch_size(crypto_alloc_acomp("deflate-iaa")) == 32


@pytest.mark.parametrize("mode", MODES)
async def test_bad_requests_are_refused(mode: str) -> None:
    async with stepped(attributes={"sync_mode": mode}) as platform:
        single = Single()
        for src, dst in ((None, bytearray(10)), (TEXT, None)):
            acomp_request_set_params(single.req, src, dst, len(src or b""), 10 if dst else 0)
            assert await crypto_wait_req(crypto_acomp_compress(single.req), single.wait) == -EINVAL
            assert await crypto_wait_req(crypto_acomp_decompress(single.req), single.wait) == -EINVAL
        assert platform.driver.stats.totals.total_comp_calls == 0
        assert_balanced(platform)


async def test_deflate_resolves_to_the_device_while_a_platform_is_open() -> None:
    with acomp.registry():
        assert crypto_alloc_acomp("deflate").alg.cra_driver_name == "deflate-generic"
        async with Platform.open(machine()):
            assert crypto_alloc_acomp("deflate").alg.cra_driver_name == "deflate-iaa"
        assert crypto_alloc_acomp("deflate").alg.cra_driver_name == "deflate-generic"


async def test_after_the_platform_has_closed_stored_pages_are_still_readable() -> None:
    async with stepped() as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        (stored,) = await compress_pages(tfm, [TEXT])
    assert [result.err for result in await compress_pages(tfm, [TEXT] * 9)] == [-ENODEV] * 9
    for count in (1, 8):
        results = await decompress_pages(tfm, [stored.data] * count)
        assert [(result.err, result.data, result.path) for result in results] == [(0, TEXT, "software")] * count
    assert platform.driver.stats.totals.total_sw_decomp_calls == 9


@pytest.mark.threads
async def test_worker_threads_serve_many_tasks_and_leave_no_buffer_exported() -> None:
    with acomp.registry():
        async with Platform.open(machine(devices=3)) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            sources = [bytearray(page(n)) for n in range(20)]
            views = [memoryview(source) for source in sources]
            results = await asyncio.gather(*(compress_pages(tfm, views) for _ in range(8)))
            del views
            for many in results:
                assert [zlib.decompress(result.data, -15) for result in many] == [bytes(source) for source in sources]
            for source in sources:
                source.append(0)
            assert_balanced(platform)
            assert platform.driver.stats.totals.total_comp_calls == 160
