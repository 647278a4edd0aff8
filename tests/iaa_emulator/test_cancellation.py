"""Cancel at every suspension point: nothing is lost, the caller leaves at once, the hardware keeps what it has."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from errno import ECANCELED, ENODEV
from typing import Any

import pytest

import acomp
from acomp import (
    CRYPTO_ACOMP_REQ_POLL,
    acomp_request_free,
    acomp_request_when_idle,
    compress_pages,
    crypto_alloc_acomp,
    decompress_pages,
)
from iaa_emulator import DriverFeatures, Platform, machine
from tests.iaa_emulator.rig import (
    RANDOM,
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

MODES = ["sync", "async", "async_irq"]


def whole_again(platform: Platform, chain: Callable[[], Chain]) -> Callable[[], Awaitable[None]]:
    """A check for the sweep: everything lands, nothing is held, and a full chain runs afterwards."""

    async def check() -> None:
        await platform.driver.in_flight.drain()
        await platform.driver.notice.drain()
        assert_whole(platform)
        assert_balanced(platform)
        fresh = chain()
        await fresh.run()
        assert fresh.errs == [0] * 8
        for req in fresh.reqs:
            acomp_request_free(req)

    return check


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("verify", ["0", "1"])
async def test_sweep_of_a_chain(mode: str, verify: str) -> None:
    async with stepped(attributes={"sync_mode": mode, "verify_compress": verify}) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        pages = [page(n) for n in range(8)]
        chains: list[Chain] = []

        def make() -> Coroutine[Any, Any, int]:
            chains.append(Chain(tfm, pages))
            return chains[-1].run()

        points = await acomp.testing.sweep_cancel(make, whole_again(platform, lambda: Chain(tfm, pages)))
        jobs = 16 if verify == "1" else 8
        assert points == (jobs if mode != "async" else jobs - 7), "a parallel chain waits once for all its jobs"
        assert chains[-1].errs == [0] * 8


@pytest.mark.parametrize("mode", MODES)
async def test_sweep_of_pages(mode: str) -> None:
    async with stepped(attributes={"sync_mode": mode}) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        pages = [page(n) for n in range(9)] + [RANDOM]
        check = whole_again(platform, lambda: Chain(tfm, pages[:8]))
        await acomp.testing.sweep_cancel(lambda: compress_pages(tfm, pages), check)
        blobs = [result.data or b"\xff" * 10 for result in await compress_pages(tfm, pages)]
        await acomp.testing.sweep_cancel(lambda: decompress_pages(tfm, blobs), check)


@pytest.mark.parametrize("features", [DriverFeatures.base(), DriverFeatures.v8().without(10)], ids=str)
async def test_sweep_with_other_patches(features: DriverFeatures) -> None:
    async with stepped(features=features) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")

        async def check() -> None:
            await platform.driver.in_flight.drain()
            assert_whole(platform)

        await acomp.testing.sweep_cancel(lambda: compress_pages(tfm, [page(n) for n in range(3)]), check)


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_sweep_while_descriptors_are_scarce(mode: str) -> None:
    scarce = machine(devices=1, slots_per_device=3)
    async with stepped(scarce, attributes={"sync_mode": mode}, alloc_pause_ns=60_000_000) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        pages = [page(n) for n in range(8)]
        check = whole_again(platform, lambda: Chain(tfm, pages))
        points = await acomp.testing.sweep_cancel(lambda: Chain(tfm, pages).run(), check)
        assert points > 3


async def test_a_cancelled_chain_leaves_at_once_and_is_busy_until_its_jobs_have_landed() -> None:
    async with stepped(auto=False) as platform:
        chain = new_chain([TEXT] * 8)
        task = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        engine = engine_of(platform)
        engine.step(2)
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert task.cancelled()
        assert chain.errs == [-ECANCELED] * 8
        assert [req.busy for req in chain.reqs] == [False] * 2 + [True] * 6
        assert len(platform.driver.in_flight) == 6
        idle: list[int] = []
        for n, req in enumerate(chain.reqs):
            acomp_request_when_idle(req, lambda n=n: idle.append(n))  # type: ignore[misc]  # mypy cannot infer this
        engine.step_all()
        assert idle == list(range(8))
        assert_whole(platform)
        engine.auto = True
        assert await chain.run() == 0


async def test_granted_but_not_yet_running_passes_the_descriptor_on() -> None:
    one = machine(devices=1, slots_per_device=1)
    async with stepped(one, auto=False, alloc_pause_ns=60_000_000) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        holder, waiting, behind = (Single(tfm) for _ in range(3))
        tasks = [asyncio.ensure_future(single.compress(TEXT)) for single in (holder, waiting, behind)]
        await asyncio.sleep(0)
        wq = platform.work_queue("wq1.0")
        assert (wq.in_flight, wq.waiting) == (1, 2)
        engine_of(platform).step()  # the slot goes to the first in line, who is cancelled before it runs
        assert (wq.in_flight, wq.waiting) == (1, 1)
        tasks[1].cancel()
        engine_of(platform).auto = True
        assert await tasks[0] == 0
        assert await tasks[2] == 0
        assert tasks[1].cancelled()


async def test_cancelled_while_waiting_for_a_descriptor_disturbs_nobody() -> None:
    one = machine(devices=1, slots_per_device=1)
    async with stepped(one, auto=False, alloc_pause_ns=60_000_000) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        singles = [Single(tfm) for _ in range(4)]
        tasks = [asyncio.ensure_future(single.compress(TEXT)) for single in singles]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.sleep(0)
        assert platform.work_queue("wq1.0").waiting == 2
        engine_of(platform).auto = True
        assert [await tasks[n] for n in (0, 1, 3)] == [0, 0, 0]


async def test_leaving_the_platform_under_cancellation_gives_up_on_what_is_in_flight() -> None:
    opened: list[Platform] = []

    async def work() -> None:
        async with stepped(auto=False) as platform:
            opened.append(platform)
            with acomp.fault.installed(lambda point: point == "iaa.lost_completion"):
                await Single().compress(TEXT)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # while it drains
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_whole(opened[0])


async def test_leaving_under_cancellation_gives_up_on_second_steps_too() -> None:
    opened: list[Platform] = []
    singles: list[Single] = []

    async def work() -> None:
        async with stepped(attributes={"sync_mode": "async_irq", "verify_compress": "1"}) as platform:
            opened.append(platform)
            singles.append(Single())
            singles[0].req.flags |= CRYPTO_ACOMP_REQ_POLL
            submissions = iter(range(9))
            with acomp.fault.installed(lambda point: point == "iaa.lost_completion" and next(submissions) == 1):
                await singles[0].compress(TEXT)

    task = asyncio.ensure_future(work())
    for _ in range(6):
        await asyncio.sleep(0)
    assert len(opened[0].driver.in_flight) == 1, "the verification is lost"
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # while it drains
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert_whole(opened[0])
    assert not singles[0].req.busy


async def test_sweep_of_removing_and_binding_queues_with_work_in_flight() -> None:
    async with stepped(machine(devices=2)) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
        pages = [page(n) for n in range(8)]
        running: list[asyncio.Future[int]] = []

        async def rebind() -> None:
            running.append(asyncio.ensure_future(Chain(tfm, pages).run()))
            await asyncio.sleep(0)
            await platform.unbind()
            platform.bind()

        async def check() -> None:
            assert await running[-1] in (0, -ENODEV)
            platform.bind()
            await whole_again(platform, lambda: Chain(tfm, pages))()

        assert await acomp.testing.sweep_cancel(rebind, check) > 1


@pytest.mark.parametrize("verify", ["0", "1"])
@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_jobs_handle_leaves_its_request_when_the_job_ends(verify: str, cancelled: bool) -> None:
    """Else each job would keep the one before it, and all their outputs, for as long as the request lives."""
    async with stepped(auto=not cancelled, attributes={"verify_compress": verify}) as platform:
        chain = new_chain([page(n) for n in range(7)] + [RANDOM])
        for req in chain.reqs[1:]:
            req.base.data = req.serial
        task = asyncio.ensure_future(chain.run())
        if cancelled:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(platform.driver.in_flight) == 8
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() == cancelled
        assert [req.base.data for req in chain.reqs[1:]] == [req.serial for req in chain.reqs[1:]]


async def test_a_job_that_has_landed_has_let_go_of_its_source() -> None:
    """Whoever still holds the job, an engine's thread for instance, does not keep the page alive by it."""
    async with stepped(auto=False) as platform:
        chain = new_chain([page(n) for n in range(8)])
        running = asyncio.ensure_future(chain.run())
        await asyncio.sleep(0)
        jobs = list(platform.driver.in_flight)
        assert len(jobs) == 8 and all(job.source is not None for job in jobs)
        engine_of(platform).step_all()
        assert await running == 0
        assert [job.source for job in jobs] == [None] * 8
