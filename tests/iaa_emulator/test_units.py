"""Unit requests and arrays on `deflate-iaa`: a descriptor for each unit, all submitted before any is looked at."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from errno import E2BIG, ECANCELED, EINVAL, EIO, ENODEV, ETIMEDOUT
from itertools import count
from typing import Any

import pytest

import acomp
from acomp import CRYPTO_ACOMP_REQ_POLL, CryptoAcomp, CryptoWait, SgEntry, crypto_alloc_acomp, trace
from acomp.testing import check_conformance, compress_one_by_one, sweep_cancel
from iaa_emulator import DriverFeatures, machine
from tests.iaa_emulator.rig import RANDOM, TEXT, assert_balanced, assert_whole, engine_of, page, stepped

PAGES = [page(number) for number in range(8)]
MODES = ["sync", "async", "async_irq"]
MINUTE_NS = 60_000_000_000
"""Between attempts to get a descriptor: on a busy machine nobody gives up."""


class Folio:
    """Pages as a unit request and as arrays, run as often as wanted."""

    def __init__(self, tfm: CryptoAcomp, pages: list[bytes], first: int = 0) -> None:
        self.tfm, self.pages, self.first = tfm, pages, first
        self.data = b"".join([RANDOM] * first + pages)
        self.req = acomp.acomp_request_alloc(tfm)
        self.entries = [SgEntry(bytearray(4096)) for _ in pages]
        self.reqs = [acomp.acomp_request_alloc(tfm) for _ in pages]
        self.dlens, self.errors = [77] * len(pages), [77] * len(pages)
        self.dsts = [bytearray(8192) for _ in pages]
        self.called: list[int] = []
        for req in (self.req, *self.reqs):
            acomp.acomp_request_set_callback(req, 0, lambda _, err: self.called.append(err), None)

    async def units(self) -> int:
        total = len(self.pages) * 4096
        acomp.acomp_request_set_src_folio(self.req, self.data, self.first * 4096, total)
        acomp.acomp_request_set_dst_sg(self.req, self.entries, total)
        acomp.acomp_request_set_unit_size(self.req, 4096)
        return await acomp.crypto_wait_req(acomp.crypto_acomp_compress(self.req), CryptoWait())

    async def array(self) -> bool:
        nr = len(self.pages)
        return await acomp.crypto_acomp_batch_compress(self.reqs, self.pages, self.dsts, self.dlens, self.errors, nr)

    async def unpack(self, blobs: list[bytes]) -> bool:
        nr = len(blobs)
        slens = [len(blob) for blob in blobs]
        return await acomp.crypto_acomp_batch_decompress(
            self.reqs, blobs, self.dsts, slens, self.dlens, self.errors, nr
        )

    @property
    def lengths(self) -> list[int]:
        return [entry.length for entry in self.entries]

    @property
    def outputs(self) -> list[bytes]:
        return [bytes(entry.buffer[: max(entry.length, 0)]) for entry in self.entries]

    def check_left(self) -> None:
        assert self.called == [], "no completion function is called"
        assert not any(req.busy or req.flags & CRYPTO_ACOMP_REQ_POLL for req in (self.req, *self.reqs))


def folio(pages: list[bytes], first: int = 0) -> Folio:
    return Folio(crypto_alloc_acomp("deflate-iaa"), pages, first)


@contextmanager
def failing(point: str, *turns: int) -> Iterator[None]:
    """The n-th question at that point is answered yes, counted from 0; every one where no turn is named."""
    asked = count()

    def decide(what: str) -> bool:
        return what == point and (not turns or next(asked) in turns)

    with acomp.fault.installed(decide):
        yield


async def test_it_is_an_algorithm_like_any_other() -> None:
    async with stepped():
        await check_conformance("deflate-iaa")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("verify", ["0", "1"])
async def test_1_the_bytes_are_those_of_single_requests(mode: str, verify: str) -> None:
    async with stepped(attributes={"sync_mode": mode, "verify_compress": verify}) as platform:
        work = folio(PAGES)
        expected = [blob for _, blob in await compress_one_by_one(work.tfm, PAGES)]
        assert await work.units() == 0 and work.outputs == expected
        assert await work.array() and work.errors == [0] * 8
        assert [bytes(dst[:dlen]) for dst, dlen in zip(work.dsts, work.dlens, strict=True)] == expected
        assert {entry.path for entry in work.entries} == {req.path for req in work.reqs} == {"hardware"}
        work.check_left()
        assert_balanced(platform)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", [Folio.units, Folio.array])
async def test_2_eight_are_submitted_before_the_first_is_looked_at(mode: str, call: Any) -> None:
    async with stepped(machine(devices=4), auto=False, attributes={"sync_mode": mode}) as platform:
        work = folio(PAGES)
        task = asyncio.ensure_future(call(work))
        await asyncio.sleep(0)
        jobs = engine_of(platform).jobs
        assert len(jobs) == 8
        assert len({(job.wq.name, job.slot) for job in jobs}) == 8, "each has a descriptor"
        assert engine_of(platform).step(7) == 7
        await asyncio.sleep(0)
        assert not task.done()
        engine_of(platform).auto = True
        assert await task in (0, True)
        work.check_left()
        assert platform.driver.stats.totals.total_comp_calls == 8
        assert_balanced(platform)


async def test_3_one_page_that_does_not_shrink() -> None:
    async with stepped() as platform:
        work = folio([*PAGES[:3], RANDOM, *PAGES[4:]])
        assert not await work.array()
        assert [bool(error) for error in work.errors] == [number == 3 for number in range(8)]
        assert work.errors[3] == -E2BIG and work.dlens[3] == 0 and all(work.dlens[:3] + work.dlens[4:])
        assert await work.units() == -EINVAL
        assert [min(length, 0) for length in work.lengths] == [-E2BIG if number == 3 else 0 for number in range(8)]
        assert platform.driver.stats.totals.total_comp_calls == 16, "later units were submitted"
        work.check_left()
        assert_balanced(platform)


@pytest.mark.parametrize(("array_errors", "code"), [("v9", -EINVAL), ("real", -EIO)])
async def test_4_a_submission_that_fails(array_errors: Any, code: int) -> None:
    features = DriverFeatures(DriverFeatures.v8().patches, array_errors=array_errors)
    async with stepped(features=features) as platform:
        work = folio(PAGES)
        with failing("iaa.submit", 3):
            assert not await work.array()
        assert work.errors == [code if number == 3 else 0 for number in range(8)]
        with failing("iaa.submit", 3):
            assert await work.units() == -EINVAL
        assert work.lengths[3] == -EIO and all(length > 0 for length in work.lengths[:3] + work.lengths[4:])
        work.check_left()
        assert_balanced(platform)


@pytest.mark.parametrize(("array_errors", "code"), [("v9", -EINVAL), ("real", 0)])
async def test_5_a_unit_that_software_decompressed(array_errors: Any, code: int) -> None:
    features = DriverFeatures(DriverFeatures.v8().patches, array_errors=array_errors)
    async with stepped(features=features) as platform:
        work = folio(PAGES)
        blobs = [blob for _, blob in await compress_one_by_one(work.tfm, PAGES)]
        with failing("iaa.alloc_descriptor", 2, 5):
            assert await work.unpack(blobs) is (not code)
        assert work.errors == [code if number in (2, 5) else 0 for number in range(8)]
        good = [number for number in range(8) if not work.errors[number]]
        assert [bytes(work.dsts[number][:4096]) for number in good] == [PAGES[number] for number in good]
        assert [work.reqs[number].path for number in good if number in (2, 5)] == ["software"] * (0 if code else 2)
        assert platform.driver.stats.totals.total_sw_decomp_calls == 2
        work.check_left()
        assert_balanced(platform)


async def test_a_decompression_that_the_device_fails_is_final() -> None:
    async with stepped() as platform:
        work = folio(PAGES)
        blobs = [blob for _, blob in await compress_one_by_one(work.tfm, PAGES)]
        blobs[4] = bytes(20)
        assert not await work.unpack(blobs)
        assert [bool(error) for error in work.errors] == [number == 4 for number in range(8)]
        assert platform.driver.stats.totals.total_sw_decomp_calls == 0
        assert_balanced(platform)


@pytest.mark.parametrize("first", [0, 1, 5])
async def test_10_each_unit_is_taken_from_its_place_whatever_order_jobs_land_in(first: int) -> None:
    async with stepped(machine(devices=4), auto=False) as platform:
        work = folio(PAGES, first)
        engine = engine_of(platform)
        engine.auto = True
        expected = [blob for _, blob in await compress_one_by_one(work.tfm, PAGES)]
        engine.auto = False
        task = asyncio.ensure_future(work.units())
        await asyncio.sleep(0)
        while engine.running:
            engine.land(engine.running[-1])
            assert all(length >= 0 for length in work.lengths), "nothing that is pending is seen in an entry"
        assert await task == 0 and work.outputs == expected


@pytest.mark.parametrize("reported", [True, False])
async def test_12_errors_found_by_polling(reported: bool) -> None:
    features = DriverFeatures(DriverFeatures.v8().patches, unit_poll_errors=reported)
    async with stepped(features=features):
        work = folio([*PAGES[:3], RANDOM])
        assert await work.units() == (-EINVAL if reported else 0)
        assert work.lengths[3] == -E2BIG
        with failing("iaa.submit", 1):
            assert await work.units() == -EINVAL, "errors of submitting are returned in any case"
        single = folio([RANDOM])
        assert await single.units() == -E2BIG, "and one unit has its own code"


async def test_more_units_than_eight_go_down_in_rounds() -> None:
    async with stepped() as platform:
        pages = [page(number) for number in range(20)]
        work = folio(pages)
        queued: list[trace.Event] = []
        with trace.installed(queued.append):
            assert await work.units() == 0
        seen = [event.fields.get("unit") for event in queued if event.kind == "iaa.queued"]
        assert work.outputs == [blob for _, blob in await compress_one_by_one(work.tfm, pages)]
        assert seen == list(range(20))
        assert platform.driver.stats.totals.total_comp_calls == 40


async def test_a_disabled_driver_does_nothing_and_says_so_in_every_entry() -> None:
    async with stepped() as platform:
        work = folio(PAGES)
        await work.units()
        blobs = work.outputs
        await platform.unbind("wq1.0")
        await platform.unbind("wq3.0")
        assert await work.units() == -ENODEV and work.lengths == [-ENODEV] * 8
        assert not await work.array() and work.errors == [-ENODEV] * 8
        assert await work.unpack(blobs) and work.errors == [0] * 8, "decompression goes to software"
        assert_balanced(platform)


async def test_without_a_descriptor_a_unit_is_enodev() -> None:
    async with stepped() as platform:
        work = folio(PAGES)
        with failing("iaa.alloc_descriptor"):
            assert await work.units() == -ENODEV
            assert work.lengths == [-ENODEV] * 8
        with failing("iaa.alloc_descriptor", 0):
            assert await work.units() == -EINVAL
        assert work.lengths[0] == -ENODEV and min(work.lengths[1:]) > 0
        assert_balanced(platform)


async def test_a_batch_larger_than_its_queue_waits_for_descriptors() -> None:
    async with stepped(machine(devices=1, slots_per_device=3), alloc_pause_ns=MINUTE_NS) as platform:
        work = folio(PAGES)
        assert await work.units() == 0
        assert await work.array()
        assert_balanced(platform)


async def test_a_job_that_never_lands_fails_its_unit_alone() -> None:
    async with stepped(completion_timeout=0.05) as platform:
        work = folio(PAGES)
        with failing("iaa.lost_completion", 2):
            assert await work.units() == -EINVAL
        assert work.lengths[2] == -ETIMEDOUT and sum(length < 0 for length in work.lengths) == 1
        assert not platform.driver.enabled
        assert_balanced(platform)


async def test_a_base_driver_takes_no_units() -> None:
    async with stepped(features=DriverFeatures.base()):
        work = folio(PAGES)
        assert not work.tfm.alg.cra_flags & acomp.CRYPTO_ALG_REQ_SEG and work.tfm.batch_compress is None
        assert await work.units() == -38  # -ENOSYS
        single = folio([TEXT])
        assert await single.units() == 0, "the core's wrapper does one"


@pytest.mark.parametrize("call", [Folio.units, Folio.array])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("verify", ["0", "1"])
@pytest.mark.parametrize("slots", [8, 3])
async def test_the_cancel_sweep(call: Any, mode: str, verify: str, slots: int) -> None:
    config = machine(devices=1, slots_per_device=slots)
    attributes = {"sync_mode": mode, "verify_compress": verify}
    async with stepped(config, attributes=attributes, alloc_pause_ns=MINUTE_NS) as platform:
        work = folio(PAGES)

        async def check() -> None:
            await acomp.requests_idle([work.req, *work.reqs])
            await platform.driver.in_flight.drain()
            assert_whole(platform)
            assert_balanced(platform)
            work.check_left()
            fresh = Folio(work.tfm, PAGES)
            assert await fresh.units() == 0

        await sweep_cancel(lambda: call(work), check)


async def test_whoever_is_cancelled_leaves_at_once_and_the_request_is_busy_until_all_have_landed() -> None:
    async with stepped(auto=False) as platform:
        work = folio(PAGES)
        task = asyncio.ensure_future(work.units())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() and work.lengths == [-ECANCELED] * 8
        for _ in range(8):
            assert work.req.busy
            engine_of(platform).step()
        assert not work.req.busy and work.lengths == [-ECANCELED] * 8
        assert not any(any(entry.buffer) for entry in work.entries)
        engine_of(platform).auto = True
        assert await work.units() == 0
        assert_balanced(platform)


@pytest.mark.parametrize("point", ["iaa.submit", "iaa.analytics_error", "iaa.alloc_descriptor", "iaa.watchdog"])
@pytest.mark.parametrize("call", [Folio.units, Folio.array])
@pytest.mark.parametrize("turn", range(8))
async def test_failing_at_each_unit_in_turn_leaks_nothing(point: str, call: Any, turn: int) -> None:
    async with stepped() as platform:
        work = folio(PAGES)
        with failing(point, turn):
            await call(work)
        failed = [code < 0 for code in (work.lengths if call is Folio.units else work.errors)]
        assert failed.count(True) == 1
        work.check_left()
        assert_whole(platform)
        assert_balanced(platform)
        assert await work.units() == 0 and await work.array()


def test_the_two_fields_are_what_they_may_be() -> None:
    patches = DriverFeatures.v8().patches
    assert (DriverFeatures.v8().array_errors, DriverFeatures.v8().unit_poll_errors) == ("real", True)
    posted = DriverFeatures(patches, array_errors="v9", unit_poll_errors=False)
    assert str(posted) == "v8, array errors of v9, unit poll errors not returned"
    assert posted.without(9).array_errors == "v9" and posted.without(9).with_patches(9) == posted
    with pytest.raises(ValueError, match="'v9' or 'real', not 'v8'"):
        DriverFeatures(patches, array_errors="v8")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="True or False, not 1"):
        DriverFeatures(patches, unit_poll_errors=1)  # type: ignore[arg-type]
