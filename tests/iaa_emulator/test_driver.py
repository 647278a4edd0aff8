"""Queues that come and go, verify, software inflate, attributes, and what is refused."""

import asyncio
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import E2BIG, EINVAL, EIO, ENODEV, EOVERFLOW, ERANGE, ETIMEDOUT
from typing import Any

import pytest

import acomp
from acomp import CRYPTO_ACOMP_REQ_POLL, PAGE_SIZE, compress_pages, cpu, crypto_alloc_acomp, decompress_pages
from iaa_emulator import ConfigurationError, DriverFeatures, Job, Platform, machine
from iaa_emulator.testing import SteppedEngine
from tests.iaa_emulator.rig import (
    RANDOM,
    SAMPLES,
    TEXT,
    Chain,
    Single,
    assert_balanced,
    assert_whole,
    engine_of,
    new_chain,
    page,
    stepped,
)

VERIFYING = {"verify_compress": "1"}


@contextmanager
def always(*points: str) -> Iterator[None]:
    with acomp.fault.installed(lambda point: point in points):
        yield


# Binding and removal.


async def test_i8_after_the_last_queue_and_after_a_new_bind() -> None:
    async with stepped(machine(devices=2)) as platform:
        single = Single()
        assert await single.compress(TEXT) == 0
        stored = single.output
        await platform.unbind("wq1.0")
        assert (await single.compress(TEXT), single.req.path) == (0, "hardware")
        await platform.unbind("wq3.0")
        assert acomp.crypto_has_acomp("deflate-iaa"), "the algorithm stays registered"
        assert await single.compress(TEXT) == -ENODEV
        assert (await single.decompress(stored), single.req.path) == (0, "software")
        chain = new_chain([TEXT] * 8)
        assert await chain.run() == -ENODEV
        back = new_chain([stored] * 8)
        assert (await back.run(decompress=True), back.outputs) == (0, [TEXT] * 8)
        platform.bind("wq3.0")
        assert (await single.compress(TEXT), single.req.path) == (0, "hardware")
        assert (await single.decompress(stored), single.req.path) == (0, "hardware")
        assert_balanced(platform)


async def test_a_device_removed_with_work_in_flight() -> None:
    async with stepped(machine(devices=2), auto=False) as platform:
        with cpu.on_cpu(0):
            chain = new_chain([page(n) for n in range(8)])
            task = asyncio.ensure_future(chain.run())
            await asyncio.sleep(0)
            assert platform.work_queue("wq1.0").in_flight == 8
            removal = asyncio.ensure_future(platform.unbind("wq1.0"))
            await asyncio.sleep(0)
            assert not removal.done(), "it drains"
            single = Single()
            other = asyncio.ensure_future(single.compress(TEXT))
            await asyncio.sleep(0)
            assert platform.work_queue("wq3.0").in_flight == 1, "new work goes to the device that is left"
            engine_of(platform).auto = True
            await removal
        assert (await task, await other) == (0, 0)
        assert [zlib.decompress(blob, -15) for blob in chain.outputs] == [page(n) for n in range(8)]
        assert_balanced(platform)


async def test_a_queue_can_be_bound_again_and_not_twice() -> None:
    async with stepped() as platform:
        for _ in range(3):
            chain = new_chain([TEXT] * 8)
            assert await chain.run() == 0
            await platform.unbind("wq1.0")
            platform.bind("wq1.0")
        with pytest.raises(ConfigurationError, match="bound already") as refused:
            platform.bind("wq1.0")
        assert refused.value.errno == 16
        with pytest.raises(ConfigurationError, match="there is no work queue"):
            platform.bind("wq9.9")
        await platform.unbind("wq3.0")
        with pytest.raises(ConfigurationError, match="not bound"):
            await platform.unbind("wq3.0")


async def test_two_platforms_in_one_registry_and_in_two() -> None:
    async with stepped() as first:
        with pytest.raises(ConfigurationError, match=r"acomp\.registry") as refused:
            async with Platform.open(engine=SteppedEngine()):
                pass
        assert refused.value.errno == 17
        assert await Single().compress(TEXT) == 0, "the first one is not disturbed"
        async with stepped() as second:
            assert await Single().compress(TEXT) == 0
        assert first.stats.totals.total_comp_calls == second.stats.totals.total_comp_calls == 1


async def test_the_machine_of_the_registry_is_the_platforms_while_it_is_open() -> None:
    with acomp.registry():
        before = cpu.nr_cpu_ids()
        async with Platform.open(machine(packages=2, cores_per_package=28, threads_per_core=2), engine=SteppedEngine()):
            assert cpu.nr_cpu_ids() == 112
        assert cpu.nr_cpu_ids() == before


async def test_the_default_registry_has_a_machine_too() -> None:
    before = cpu.nr_cpu_ids()
    async with Platform.open(machine(cores_per_package=12), engine=SteppedEngine()):
        assert cpu.nr_cpu_ids() == 12
    assert cpu.nr_cpu_ids() == before
    assert not acomp.crypto_has_acomp("deflate-iaa")


async def test_a_package_without_a_device_is_served_by_the_one_there_is() -> None:
    async with stepped(machine(packages=2, devices=1)) as platform:
        with cpu.on_cpu(15):
            assert await Single().compress(TEXT) == 0
        assert platform.work_queue("wq1.0").stats.comp_calls == 1


async def test_a_machine_without_devices_says_no_and_still_decompresses() -> None:
    async with stepped(machine(devices=0)) as platform:
        single = Single()
        assert await single.compress(TEXT) == -ENODEV
        blob = zlib.compress(TEXT, wbits=-15)
        assert (await single.decompress(blob), single.output) == (0, TEXT)
        assert not platform.enabled


# Software inflate.


def too_far() -> bytes:
    """A stream with a match beyond the device's window, which is longer than a page."""
    return zlib.compress(RANDOM + bytes(8) + RANDOM, wbits=-15)


@pytest.mark.parametrize("features", [DriverFeatures.v8(), DriverFeatures.base()], ids=str)
@pytest.mark.parametrize("stream", [b"\xff" * 50, too_far()], ids=["corrupt", "too far"])
async def test_a_stream_the_device_cannot_read_is_tried_in_software(features: DriverFeatures, stream: bytes) -> None:
    async with stepped(features=features) as platform:
        single = Single()
        assert await single.decompress(stream, 2 * PAGE_SIZE) == -EINVAL, "software is limited to a page"
        totals = platform.stats.totals
        assert (totals.total_completion_einval_errors, totals.total_sw_decomp_calls) == (1, 1)
        assert_balanced(platform)


async def test_a_polled_member_has_no_fallback() -> None:
    async with stepped() as platform:
        good = zlib.compress(TEXT, wbits=-12)
        chain = new_chain([good, b"\xff" * 50, good])
        assert await chain.run(decompress=True) == 0
        assert chain.errs == [0, -EINVAL, 0]
        assert platform.stats.totals.total_sw_decomp_calls == 0
        short = new_chain([good, good], capacity=PAGE_SIZE - 1)
        assert await short.run(decompress=True) == -EOVERFLOW


async def test_a_destination_one_byte_too_small() -> None:
    async with stepped() as platform:
        single = Single()
        assert await single.compress(TEXT) == 0
        stored = single.output
        assert await single.compress(TEXT, len(stored) - 1) == -E2BIG
        assert await single.compress(TEXT, len(stored)) == 0
        assert await single.decompress(stored, PAGE_SIZE - 1) == -EINVAL
        assert platform.stats.totals.total_sw_decomp_calls == 1


@pytest.mark.parametrize(
    ("features", "point", "code"),
    [
        (DriverFeatures.v8(), "iaa.submit", 0),
        (DriverFeatures.v8(), "iaa.watchdog", 0),
        (DriverFeatures.v8(), "iaa.analytics_error", 0),
        (DriverFeatures.base(), "iaa.submit", -EIO),
        (DriverFeatures.base(), "iaa.watchdog", -ETIMEDOUT),
        (DriverFeatures.base(), "iaa.analytics_error", 0),
    ],
    ids=str,
)
async def test_what_decompression_recovers_from(features: DriverFeatures, point: str, code: int) -> None:
    async with stepped(features=features) as platform:
        single = Single()
        with always(point):
            assert await single.decompress(zlib.compress(TEXT, wbits=-12)) == code
        assert platform.enabled, "the device's own watchdog disables nothing"
        assert platform.stats.totals.total_completion_timeout_errors == (point == "iaa.watchdog")
        assert_balanced(platform)


@pytest.mark.parametrize("patch_11", [True, False])
async def test_software_inflates_are_serialised_by_patch_eleven(patch_11: bool) -> None:
    features = DriverFeatures.v8() if patch_11 else DriverFeatures.v8().without(11)
    costs = {"deflate.decompress": 2_000_000, "iaa.submit": 0, "iaa.reap": 0}
    async with stepped(machine(devices=0), features=features) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        blob = zlib.compress(TEXT, wbits=-12)
        order: list[str] = []

        async def one(name: str) -> None:
            results = await decompress_pages(tfm, [blob])
            assert results[0].data == TEXT
            order.append(name)

        began = asyncio.get_running_loop().time()
        with cpu.costs(costs):
            await asyncio.gather(*(one(name) for name in "abcd"))
        assert order == list("abcd")
        took = asyncio.get_running_loop().time() - began
        if patch_11:
            assert took > 0.0079, "one after the other"
        assert platform.stats.totals.total_sw_decomp_calls == 4


# Verify.


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_verify_finds_corrupted_output_and_without_it_nobody_does(mode: str) -> None:
    for verify, expected in (("1", -EINVAL), ("0", 0)):
        async with stepped(attributes={"sync_mode": mode, "verify_compress": verify}) as platform:
            single, chain = Single(), new_chain([page(n) for n in range(4)])
            with always("iaa.corrupt_output"):
                assert await single.compress(TEXT) == expected
                await chain.run()
            assert chain.errs == [expected] * 4
            totals = platform.stats.totals
            assert totals.total_comp_calls == 5, "verify jobs are no calls"
            assert totals.total_comp_bytes_out > 0, "bytes are counted before the verification"
            assert totals.total_decomp_calls == 0
            assert_balanced(platform)


async def test_verify_is_on_in_the_base_and_doubles_the_work() -> None:
    async with stepped(features=DriverFeatures.base()) as platform:
        engine = engine_of(platform)
        submitted: list[str] = []
        submit = engine.submit

        def noted(job: Job) -> None:
            submitted.append(job.opcode.name)
            submit(job)

        engine.submit = noted  # type: ignore[method-assign]  # the engine's own, with a note
        assert await Single().compress(TEXT) == 0
        assert submitted == ["COMPRESS", "DECOMPRESS"]


async def test_verify_without_a_descriptor_is_final_when_polled() -> None:
    """In the kernel, -EAGAIN would read as not finished, and the runner would poll a freed job."""
    async with stepped(machine(devices=1, slots_per_device=1), attributes=VERIFYING) as platform:
        chain, asked = new_chain([TEXT]), iter(range(99))
        single = Single()
        with acomp.fault.installed(lambda point: point == "iaa.alloc_descriptor" and next(asked) % 2 == 1):
            assert await chain.run() == -EIO
            assert await single.compress(TEXT) == -11
        assert_whole(platform)


async def test_verify_waits_for_a_descriptor_while_others_hold_them() -> None:
    scarce = machine(devices=1, slots_per_device=2)
    async with stepped(scarce, attributes=VERIFYING, alloc_pause_ns=60_000_000) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        many = await asyncio.gather(*(compress_pages(tfm, [page(n)] * 8) for n in range(4)))
        assert [result.err for results in many for result in results] == [0] * 32
        assert_balanced(platform)


# Attributes.


async def test_attributes_are_busy_while_enabled_and_writable_after_unbinding() -> None:
    async with stepped() as platform:
        for name in platform.attributes.names():
            with pytest.raises(ConfigurationError, match="Unbind") as refused:
                platform.attributes.write(name, "1")
            assert refused.value.errno == 16
        old = Single()
        await platform.unbind()
        platform.attributes.write("sync_mode", "sync")
        platform.attributes.write("verify_compress", "Y")
        platform.attributes.write("g_wqs_per_iaa", " -3\n")
        assert [platform.attributes.read(name) for name in platform.attributes.names()] == ["1", "sync", "-3", "1"]
        platform.bind()
        old.req.flags |= CRYPTO_ACOMP_REQ_POLL
        assert (await old.compress(TEXT), old.completions) == (0, [0]), "it remembers the mode it was made in"
        new = Single()
        new.req.flags |= CRYPTO_ACOMP_REQ_POLL
        assert (await new.compress(TEXT), new.completions) == (0, [])
        chain = new_chain([TEXT] * 2)
        chain = type(chain)(old.req.tfm, [TEXT] * 2)
        assert await chain.run() == 0, "a chain follows the attributes: serial"


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("sync_mode", "fast", EINVAL),
        ("sync_mode", "", EINVAL),
        ("verify_compress", "maybe", EINVAL),
        ("g_wqs_per_iaa", "many", EINVAL),
        ("g_wqs_per_iaa", "0x2", EINVAL),
        ("g_wqs_per_iaa", "1_0", EINVAL),
        ("g_wqs_per_iaa", "\N{ARABIC-INDIC DIGIT ONE}", EINVAL),
        ("g_wqs_per_iaa", "--1", EINVAL),
        ("g_wqs_per_iaa", "- 1", EINVAL),
        ("g_wqs_per_iaa", "9" * 5000, ERANGE),
        ("g_consec_descs_per_gwq", str(-(2**31) - 1), ERANGE),
        ("g_consec_descs_per_gwq", str(2**31), ERANGE),
        ("mode", "1", 2),
    ],
)
async def test_nonsense_is_refused_with_the_remedy(name: str, text: str, code: int) -> None:
    async with stepped() as platform:
        await platform.unbind()
        with pytest.raises(ConfigurationError) as refused:
            platform.attributes.write(name, text)
        assert refused.value.errno == code
        assert refused.value.remedy


@pytest.mark.parametrize(
    ("text", "value"),
    [("+7", 7), ("-0", 0), ("007", 7), (str(2**31 - 1), 2**31 - 1), (str(-(2**31)), -(2**31)), ("0" * 5000 + "1", 1)],
)
async def test_decimal_integers_are_taken(text: str, value: int) -> None:
    async with stepped(attributes={"g_wqs_per_iaa": text}) as platform:
        assert platform.attributes.g_wqs_per_iaa == value


@pytest.mark.parametrize(
    ("features", "written", "read"),
    [
        (DriverFeatures.v8(), None, "async"),
        (DriverFeatures.base(), None, "sync"),
        (DriverFeatures.base(), "async", "sync"),
        (DriverFeatures.base(), "async_irq", "async_irq"),
        (DriverFeatures.of(5), "async", "async"),
    ],
    ids=str,
)
async def test_without_patch_five_async_is_sync(features: DriverFeatures, written: str | None, read: str) -> None:
    async with stepped(features=features, attributes={"sync_mode": written} if written else None) as platform:
        assert platform.attributes.read("sync_mode") == read


async def test_without_patch_nine_its_attributes_are_not_there() -> None:
    async with stepped(features=DriverFeatures.v8().without(9)) as platform:
        assert platform.attributes.names() == ["verify_compress", "sync_mode"]
        with pytest.raises(ConfigurationError, match="patch 9"):
            platform.attributes.read("g_wqs_per_iaa")


# Modes and features.


async def test_base_interrupts_are_asynchronous_without_poll() -> None:
    async with stepped(features=DriverFeatures.base(), attributes={"sync_mode": "async_irq"}):
        single = Single()
        assert (await single.compress(TEXT), single.completions) == (0, [0])
    async with stepped(attributes={"sync_mode": "async_irq"}):
        single = Single()
        assert (await single.compress(TEXT), single.completions) == (0, []), "patch 3: no POLL, no interrupt"


@pytest.mark.parametrize("mode", ["sync", "async", "async_irq"])
async def test_how_a_chain_is_run_in_each_mode(mode: str) -> None:
    async with stepped(machine(devices=1), auto=False, attributes={"sync_mode": mode}) as platform:
        chain = new_chain([page(n) for n in range(8)])
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        assert len(engine_of(platform).jobs) == (8 if mode == "async" else 1)
        engine_of(platform).auto = True
        assert await task == 0
        assert not any(req.flags & CRYPTO_ACOMP_REQ_POLL for req in chain.reqs)


async def test_poll_is_off_after_a_chain_that_failed_too() -> None:
    async with stepped() as platform:
        chain = new_chain([RANDOM] * 8)
        await chain.run()
        assert not any(req.flags & CRYPTO_ACOMP_REQ_POLL for req in chain.reqs)
        with always("iaa.submit"):
            await chain.run()
        assert not any(req.flags & CRYPTO_ACOMP_REQ_POLL for req in chain.reqs)
        assert_balanced(platform)


async def test_global_queues_take_compressions_and_local_ones_decompressions() -> None:
    built = machine(devices=4, wqs_per_device=2)
    async with stepped(built, attributes={"g_wqs_per_iaa": "1"}) as platform:
        with cpu.on_cpu(0):
            tfm = crypto_alloc_acomp("deflate-iaa")
            results = await compress_pages(tfm, [page(n) for n in range(8)])
            await decompress_pages(tfm, [result.data for result in results])
        queues = [queue for device in platform.stats.wq_stats() for queue in device.queues]
        calls = {name: (stats.comp_calls, stats.decomp_calls) for name, stats in queues}
        assert calls == {
            "wq1.0": (0, 8),
            "wq1.1": (2, 0),
            "wq3.0": (0, 0),
            "wq3.1": (2, 0),
            "wq5.0": (0, 0),
            "wq5.1": (2, 0),
            "wq7.0": (0, 0),
            "wq7.1": (2, 0),
        }


async def test_reprs_show_what_is_in_flight() -> None:
    async with stepped(machine(devices=1), auto=False) as platform:
        chain = new_chain([TEXT] * 3)
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        shown: list[Any] = [platform, platform.devices[0], platform.work_queue("wq1.0"), engine_of(platform)]
        assert [repr(thing) for thing in shown] == [
            "<Platform v8 enabled: 8 cpus, 1 devices, 1 work queues, 3 jobs in flight>",
            "<Device iax1: 1 work queues, 3 descriptors in flight>",
            "<WorkQueue wq1.0 dedicated bound: 3/128>",
            "<SteppedEngine stepped: 2 running, 1 queued>",
        ]
        assert "COMPRESS wq1.0 slot 0 for request #" in repr(engine_of(platform).jobs[0])
        engine_of(platform).auto = True
        await task


async def test_every_kind_of_page_comes_back_through_every_way() -> None:
    for mode in ("sync", "async", "async_irq"):
        async with stepped(attributes={"sync_mode": mode, "verify_compress": "1"}):
            tfm = crypto_alloc_acomp("deflate-iaa")
            for plain in SAMPLES.values():
                (stored,) = await compress_pages(tfm, [plain])
                if not stored.err:
                    (back,) = await decompress_pages(tfm, [stored.data])
                    assert back.data == plain


async def test_engines_of_one_group_do_not_serve_another() -> None:
    built = machine(devices=1, wqs_per_device=2)
    (config,) = built.devices
    config.work_queues[1].group_id = 1
    config.engines = {0: 0} | dict.fromkeys(range(1, 8), 1)
    async with stepped(built, auto=False) as platform:
        chain = new_chain([page(n) for n in range(8)])
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        running = [job.wq.name for job in engine_of(platform).running]
        assert sorted(running) == ["wq1.0", "wq1.1"], "engine 0 and engine 1 compress, each in its own group"
        assert platform.devices[0].compress_engines == 2
        engine_of(platform).auto = True
        assert await task == 0


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_job_may_land_while_the_cpu_still_pays_for_its_submission(mode: str) -> None:
    costs = {"iaa.submit": 2_000_000, "iaa.reap": 1_000_000, "deflate.decompress": 0}
    async with stepped(attributes={"sync_mode": mode} | VERIFYING):
        with cpu.costs(costs):
            single, chain = Single(), new_chain([page(n) for n in range(3)])
            assert await single.compress(TEXT) == 0
            assert await chain.run() == 0
            assert await single.decompress(single.output) == 0
            assert cpu.owed_ns() == 0, "everything was spent"


async def test_a_transform_from_sync_days_in_a_parallel_chain_is_done_in_its_submit() -> None:
    async with stepped(attributes={"sync_mode": "sync"}) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        await platform.unbind()
        platform.attributes.write("sync_mode", "async")
        platform.bind()
        chain = Chain(tfm, [page(n) for n in range(4)])
        assert (await chain.run(), chain.errs) == (0, [0] * 4)
        assert [zlib.decompress(blob, -15) for blob in chain.outputs] == [page(n) for n in range(4)]


async def test_polls_verify_as_the_attribute_says_and_singles_as_their_transform_remembers() -> None:
    async with stepped() as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        await platform.unbind()
        platform.attributes.write("verify_compress", "1")
        platform.bind()
        chain, single = Chain(tfm, [TEXT] * 2), Single(tfm)
        with always("iaa.corrupt_output"):
            assert await single.compress(TEXT) == 0
            await chain.run()
        assert chain.errs == [-EINVAL] * 2


async def test_a_head_that_was_freed_before_its_coroutine_began_takes_no_descriptor() -> None:
    """Also where the driver takes no chains, so that no runner looks at the head."""
    async with stepped(features=DriverFeatures.base()):
        req = acomp.acomp_request_alloc(crypto_alloc_acomp("deflate-iaa"))
        acomp.acomp_request_set_params(req, page(0), bytearray(PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
        acomp.acomp_reqchain_init(req, 0, None, None)
        work = acomp.crypto_acomp_compress(req)
        acomp.acomp_request_free(req)
        with pytest.raises(acomp.ProtocolError, match="was freed"):
            await acomp.crypto_wait_req(work, None)
