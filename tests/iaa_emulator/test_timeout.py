"""Jobs that never land: -ETIMEDOUT, a disabled driver, and nothing that hangs or leaks."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO, ENODEV, ETIMEDOUT

import pytest

import acomp
from acomp import CRYPTO_ACOMP_REQ_POLL, compress_pages, crypto_alloc_acomp
from iaa_emulator import Platform, machine, perform
from iaa_emulator.driver import in_flight
from iaa_emulator.testing import SteppedEngine
from tests.iaa_emulator.rig import RANDOM, TEXT, Single, assert_balanced, assert_whole, engine_of, new_chain, stepped

SOON = 0.02  # seconds of loop time


@contextmanager
def losing(*which: int) -> Iterator[None]:
    """The completions of these submissions (counted from 0) are lost."""
    count = iter(range(1_000_000))
    with acomp.fault.installed(lambda point: point == "iaa.lost_completion" and next(count) in which):
        yield


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_lost_completion_times_out_and_disables_the_driver(mode: str) -> None:
    async with stepped(attributes={"sync_mode": mode}, completion_timeout=SOON) as platform:
        single, chain = Single(), new_chain([TEXT] * 8)
        assert await single.compress(TEXT) == 0
        stored = single.output
        with losing(2):
            await chain.run()
        assert chain.errs[2] == -ETIMEDOUT
        if mode == "async":
            assert [err for n, err in enumerate(chain.errs) if n != 2] == [0] * 7
        else:
            assert chain.errs == [0, 0, -ETIMEDOUT] + [-ENODEV] * 5
        assert not platform.enabled
        assert_whole(platform)
        assert platform.driver.stats.totals.total_completion_timeout_errors == 0, "that counts the device's watchdog"
        assert await single.compress(TEXT) == -ENODEV
        assert (await single.decompress(stored), single.output, single.req.path) == (0, TEXT, "software")
        assert_balanced(platform)


async def test_a_lost_decompression_is_redone_in_software() -> None:
    async with stepped(completion_timeout=SOON) as platform:
        single = Single()
        assert await single.compress(TEXT) == 0
        stored = single.output
        with losing(0):
            assert (await single.decompress(stored), single.output) == (0, TEXT)
        assert not platform.enabled
        assert platform.driver.stats.totals.total_sw_decomp_calls == 1


@pytest.mark.parametrize(("mode", "code"), [("async", -ETIMEDOUT), ("async_irq", -EIO)])
async def test_a_lost_completion_nobody_polls_for_still_completes(mode: str, code: int) -> None:
    async with stepped(attributes={"sync_mode": mode}, completion_timeout=SOON):
        single = Single()
        single.req.flags |= CRYPTO_ACOMP_REQ_POLL
        with losing(0):
            assert await single.compress(TEXT) == code


async def test_only_removing_every_queue_and_binding_again_brings_the_driver_back() -> None:
    async with stepped(completion_timeout=SOON) as platform:
        single = Single()
        with losing(0):
            assert await single.compress(TEXT) == -ETIMEDOUT
        enabled = []
        for name in ("wq1.0", ""):
            await platform.unbind(*filter(None, [name]))
            platform.bind()
            enabled.append(platform.enabled)
        assert enabled == [False, True]
        assert await single.compress(TEXT) == 0


async def test_a_late_landing_is_ignored() -> None:
    async with stepped(auto=False, completion_timeout=SOON) as platform:
        single = Single()
        assert await single.compress(TEXT) == -ETIMEDOUT
        (job,) = engine_of(platform).jobs
        job.land(*perform(job.opcode, TEXT, job.limit))
        engine_of(platform).step_all()
        assert (job.record, job.output) == (None, b""), "nobody waits for it"
        assert_whole(platform)


async def test_an_engine_that_is_stuck_lets_time_go_on() -> None:
    """On the virtual loop what asks for every turn keeps the clock, and with it the watchdog, from moving."""
    turns = 0

    class Stuck(SteppedEngine):
        def step(self, n: int = 1) -> int:
            nonlocal turns
            turns += 1
            return 0

    with acomp.registry():
        async with Platform.open(machine(devices=1), engine=Stuck(auto=True), completion_timeout=SOON) as platform:
            assert await Single().compress(TEXT) == -ETIMEDOUT
        assert_whole(platform)
    assert turns == 1, "asked again when something is submitted"


async def test_a_cancelled_caller_does_not_keep_its_request_busy_for_ever() -> None:
    async with stepped(auto=False, completion_timeout=SOON) as platform:
        chain = new_chain([TEXT] * 8)
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        task.cancel()
        idle = asyncio.get_running_loop().create_future()
        await asyncio.wait([task])
        acomp.acomp_request_when_idle(chain.head, lambda: idle.set_result(None))
        await idle
        await platform.driver.in_flight.drain()
        assert_whole(platform)


async def test_leaving_the_platform_waits_for_jobs_bounded() -> None:
    async def leave_with_a_job_in_flight() -> Platform:
        async with stepped(completion_timeout=SOON) as platform:
            with losing(0, 1):
                tasks.append(asyncio.ensure_future(compress_pages(crypto_alloc_acomp("deflate-iaa"), [TEXT, RANDOM])))
                await asyncio.sleep(0)
            assert len(platform.driver.in_flight) == 2
        return platform

    tasks: list[asyncio.Future[list[acomp.PageResult]]] = []
    platform = await leave_with_a_job_in_flight()
    assert [result.err for result in await tasks[0]] == [-ETIMEDOUT] * 2
    assert_whole(platform)


@pytest.mark.threads  # virtual time stands still while a task spins
@pytest.mark.parametrize("pass_s", [0.005, 0.03])
async def test_a_dead_device_is_noticed_by_a_loop_that_is_always_late(pass_s: float) -> None:
    async def keep_busy() -> None:
        while True:
            time.sleep(pass_s)  # noqa: ASYNC251 (what it is about)
            await asyncio.sleep(0)

    async with stepped(completion_timeout=SOON) as platform:
        busy = asyncio.ensure_future(keep_busy())
        with losing(0):
            async with asyncio.timeout(60):
                assert [result.err for result in await compress_pages(crypto_alloc_acomp("deflate-iaa"), [TEXT])] == [
                    -ETIMEDOUT
                ]
        busy.cancel()
        await asyncio.wait([busy])
        assert not platform.enabled


async def test_time_in_which_the_loop_stood_still_is_nobodys_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the watchdog has come late, a busy machine has a minute."""
    monkeypatch.setattr(in_flight, "GRACE_S", 60)
    async with stepped(auto=False, completion_timeout=0.1) as platform:
        single = Single()
        compressing = asyncio.create_task(single.compress(TEXT))
        await asyncio.sleep(0)
        platform.driver.in_flight.timeout_s = 60
        time.sleep(0.15)  # noqa: ASYNC251 (what it is about)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        engine_of(platform).step_all()
        assert await compressing == 0
        assert platform.enabled
