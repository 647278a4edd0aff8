"""Completion functions that raise: the loop's handler hears of it, and nobody else's job depends on it (I3, I15)."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EINPROGRESS, EIO, ETIMEDOUT
from typing import Any

import pytest

import acomp
from acomp import (
    CRYPTO_ACOMP_REQ_POLL,
    PAGE_SIZE,
    AcompReq,
    CryptoAcomp,
    acomp_request_alloc,
    acomp_request_set_callback,
    acomp_request_set_params,
    acomp_request_when_idle,
    compress_pages,
    crypto_acomp_compress,
    crypto_alloc_acomp,
)
from iaa_emulator import Platform, WorkerThreads, machine
from swaplab import sim
from tests.iaa_emulator.rig import TEXT, Single, assert_balanced, assert_whole, engine_of, page, stepped

SOON = 0.02  # seconds of loop time
MODES = pytest.mark.parametrize("mode", ["async", "async_irq"])
RAISED = pytest.mark.parametrize("raised", [RuntimeError, asyncio.CancelledError])


@contextmanager
def heard() -> Iterator[list[Any]]:
    """What the loop's exception handler is told."""
    loop = asyncio.get_running_loop()
    former, errors = loop.get_exception_handler(), []
    loop.set_exception_handler(lambda _loop, context: errors.append(context["exception"]))
    try:
        yield errors
    finally:
        loop.set_exception_handler(former)


def submit(tfm: CryptoAcomp, complete: Callable[[Any, int], None], dst: Any = None) -> AcompReq:
    """A page under way that nobody polls for."""
    req = acomp_request_alloc(tfm)
    acomp_request_set_params(req, TEXT, dst or bytearray(PAGE_SIZE), PAGE_SIZE, PAGE_SIZE)
    acomp_request_set_callback(req, 0, complete, None)
    req.flags |= CRYPTO_ACOMP_REQ_POLL
    assert crypto_acomp_compress(req) == -EINPROGRESS
    return req


def raiser(error: BaseException) -> Callable[[Any, int], None]:
    def complete(data: Any, err: int) -> None:
        raise error

    return complete


@MODES
@RAISED
@pytest.mark.threads
async def test_jobs_that_land_together_do_not_hear_of_each_other(mode: str, raised: type[BaseException]) -> None:
    codes: list[int] = []
    error = raised("theirs")
    with acomp.registry(), heard() as errors:
        options: dict[str, Any] = {"engine": WorkerThreads(1), "attributes": {"sync_mode": mode}}
        async with Platform.open(machine(devices=1), **options) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            reqs = [submit(tfm, raiser(error))] + [submit(tfm, lambda _, err: codes.append(err)) for _ in range(6)]
            results = await compress_pages(tfm, [page(n) for n in range(6)])
            assert [result.err for result in results] == [0] * 6
            await platform.driver.in_flight.drain()
            assert platform.enabled
            assert_balanced(platform)
        assert_whole(platform)
    assert (codes, errors) == ([0] * 6, [error])
    assert not any(req.busy for req in reqs)


@MODES
@RAISED
async def test_jobs_that_expire_together_do_not_hear_of_each_other(mode: str, raised: type[BaseException]) -> None:
    codes: list[int] = []
    error = raised("theirs")
    with heard() as errors:
        async with stepped(auto=False, attributes={"sync_mode": mode}, completion_timeout=SOON) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            submit(tfm, raiser(error))
            for _ in range(3):
                submit(tfm, lambda _, err: codes.append(err))
            await asyncio.sleep(SOON / 2)
            platform.driver.binding.enabled = True  # on a busy machine those before it may be over by now
            submit(tfm, lambda _, err: codes.append(err))
            await platform.driver.in_flight.drain()  # the watchdog looks again for the last one
            assert_whole(platform)
            assert_balanced(platform)
    assert (codes, errors) == ([-EIO if mode == "async_irq" else -ETIMEDOUT] * 4, [error])


@MODES
async def test_closing_waits_for_the_rest(mode: str) -> None:
    codes: list[int] = []
    error = RuntimeError("theirs")

    async def leave_with_jobs_in_flight() -> Platform:
        async with stepped(attributes={"sync_mode": mode}, completion_timeout=SOON) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            with acomp.fault.installed(lambda point: point == "iaa.lost_completion"):
                submit(tfm, raiser(error))
                submit(tfm, lambda _, err: codes.append(err))
            submit(tfm, raiser(error))
            submit(tfm, lambda _, err: codes.append(err))
        return platform

    with heard() as errors:
        platform = await leave_with_jobs_in_flight()
        assert_whole(platform)
        assert_balanced(platform)
    assert (codes, errors) == ([0, -EIO if mode == "async_irq" else -ETIMEDOUT], [error] * 2)


async def test_after_a_second_step_too() -> None:
    error = RuntimeError("theirs")
    with heard() as errors:
        async with stepped(attributes={"sync_mode": "async_irq", "verify_compress": "1"}) as platform:
            submit(crypto_alloc_acomp("deflate-iaa"), raiser(error))
            await platform.driver.in_flight.drain()
            await platform.driver.notice.drain()
    assert errors == [error]


async def test_who_waits_for_an_idle_request_may_raise_as_well() -> None:
    error = RuntimeError("theirs")

    def raises() -> None:
        raise error

    with heard() as errors:
        async with stepped(auto=False, attributes={"sync_mode": "sync"}) as platform:
            single = Single()
            task = asyncio.ensure_future(single.compress(TEXT))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            acomp_request_when_idle(single.req, raises)
            assert engine_of(platform).step() == 1
            assert_whole(platform)
    assert errors == [error]


@MODES
async def test_a_destination_that_was_taken_away_is_an_error_of_its_own_request(mode: str) -> None:
    codes: list[int] = []
    with heard() as errors:
        async with stepped(auto=False, attributes={"sync_mode": mode}) as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            reqs = [submit(tfm, lambda _, err: codes.append(err), memoryview(bytearray(PAGE_SIZE))) for _ in range(2)]
            reqs[0].dst.release()
            assert engine_of(platform).step_all() == 2
            assert_balanced(platform)
    assert codes == [-EIO, 0]
    assert [type(error) for error in errors] == [ValueError]
    assert not any(req.busy for req in reqs)


async def submitted_again(timeout: float, apart: float) -> dict[str, float]:
    """A job that nobody lands, one submitted `apart` seconds later, and one that the first one's end submits.

    In the order in which they end, with the times at which they do.
    """
    loop, ended = asyncio.get_running_loop(), dict[str, float]()
    async with stepped(auto=False, attributes={"sync_mode": "async"}, completion_timeout=timeout) as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")

        def note(name: str) -> None:
            ended[name] = loop.time() - began

        def submit_again(data: Any, err: int) -> None:
            platform.driver.binding.enabled = True
            note("first")
            submit(tfm, lambda _, err: note("again"))

        began = loop.time()
        submit(tfm, submit_again)
        await asyncio.sleep(apart)
        submit(tfm, lambda _, err: note("later"))
        await platform.driver.in_flight.drain()
    return ended


async def test_a_completion_that_submits_again_does_not_put_off_the_watchdog() -> None:
    """What it submits is given up after those before it."""
    assert list(await submitted_again(SOON, 0)) == ["first", "later", "again"]


def test_a_completion_that_submits_again_leaves_the_deadlines_of_the_others() -> None:
    """And what it submits has one of its own: in virtual time, where a machine is never late."""
    ended = sim.run(submitted_again(0.5, 0.25))
    assert ended == pytest.approx({"first": 0.5, "later": 0.75, "again": 1.0})


async def test_a_trace_sink_that_raises_breaks_no_landing() -> None:
    """Whoever watches a landing hears of his own error from the loop; the chain that landed ends as ever."""
    error = RuntimeError("the sink's")

    def sink(event: acomp.trace.Event) -> None:
        if event.kind == "iaa.landed":
            raise error

    with heard() as errors:
        async with stepped() as platform:
            tfm = crypto_alloc_acomp("deflate-iaa")
            with acomp.trace.installed(sink):
                results = await compress_pages(tfm, [page(n) for n in range(3)])
            assert [result.err for result in results] == [0] * 3
            assert_balanced(platform)
            acomp.crypto_free_acomp(tfm)
    assert errors == [error] * 3
