"""The cancel sweep over both runners and the calls above them, on the stepped device.

At each suspension point the call is cancelled, once and twice; `sweep_cancel` itself asserts that it ends within that
pass of the loop. Then everything lands, and I1 to I4 of docs/invariants.md are looked at: no request is busy, the list
and the head's callback are whole, every request has ended exactly once, and a full chain runs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from errno import EAGAIN, ECANCELED, EINPROGRESS
from typing import Any

import pytest

import acomp
from acomp import (
    AcompReq,
    CryptoWait,
    acomp_chain_members,
    acomp_do_async_req_chain,
    acomp_do_req_chain,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_free,
    acomp_request_set_params,
    compress_pages,
    crypto_acomp_compress,
    crypto_free_acomp,
    crypto_req_done,
    crypto_wait_req,
    decompress_pages,
)
from acomp.testing import sweep_cancel
from tests.acomp.algorithms import Mode, Stepped, copy, errs

MODES: tuple[Mode, ...] = ("parallel", "serial", "interrupt")
each_mode = pytest.mark.parametrize("mode", MODES)
each_count = pytest.mark.parametrize("count", [1, 2, 8])


def pages(count: int) -> list[bytes]:
    return [bytes([number]) * 64 for number in range(count)]


class Batch:
    """A chain of `count` requests of one device, built afresh for each run, and what must be true after it."""

    def __init__(self, device: Stepped, count: int) -> None:
        self.device = device
        self.reqs = [acomp_request_alloc(device.tfm) for _ in range(count)]
        self.wait = CryptoWait()
        self.runs = 0

    def build(self) -> AcompReq:
        head, *members = self.reqs
        acomp_reqchain_init(head, 0, crypto_req_done, self.wait)
        for req, page in zip(self.reqs, pages(len(self.reqs)), strict=True):
            acomp_request_set_params(req, page, bytearray(64), 64, 64)
        for member in members:
            acomp_request_chain(member, head)
        return head

    async def run(self) -> int:
        self.runs += 1
        return await crypto_wait_req(crypto_acomp_compress(self.build()), self.wait)

    async def check(self) -> None:
        head, *members = self.reqs
        await self.device.quiesce()
        assert not any(req.busy for req in self.reqs)
        assert len(acomp_chain_members(head)) == len(members)
        assert set(acomp_chain_members(head)) == set(members)
        assert head.base.complete is crypto_req_done and head.base.data is self.wait
        assert set(errs(self.reqs)) <= {0, -ECANCELED}
        acomp_reqchain_clear(head, self.wait)
        assert not self.wait.done
        # A full chain runs, and gives the right bytes to the right requests.
        assert await self.run() == 0
        assert errs(self.reqs) == [0] * len(self.reqs)
        assert [bytes(req.dst) for req in self.reqs] == pages(len(self.reqs))
        acomp_reqchain_clear(head, self.wait)
        assert not any(req.busy for req in self.reqs)


@each_mode
@each_count
async def test_a_chain_through_the_transforms_method(mode: Mode, count: int) -> None:
    batch = Batch(Stepped(mode, auto=True), count)
    points = await sweep_cancel(batch.run, batch.check)
    assert points == (count if mode == "serial" else 1)
    crypto_free_acomp_after(batch)


def crypto_free_acomp_after(batch: Batch) -> None:
    for req in batch.reqs:
        acomp_request_free(req)
    crypto_free_acomp(batch.device.tfm)


class Suspending:
    """The stepped device's operations as coroutines that suspend wherever they can."""

    def __init__(self, device: Stepped) -> None:
        self.device = device
        self.abandoned: list[AcompReq] = []
        self.landed_late: list[AcompReq] = []

    async def submit(self, req: AcompReq) -> int:
        await asyncio.sleep(0)  # nothing has begun yet
        return self.device.submit(req)

    async def poll(self, req: AcompReq) -> int:
        await asyncio.sleep(0)
        return copy(req) if req.base.data.landed else -EAGAIN

    async def relax(self, pending: Sequence[AcompReq]) -> None:
        await asyncio.sleep(0)
        await self.device.relax(pending)

    async def op(self, req: AcompReq) -> int:
        await asyncio.sleep(0)
        return await self.device.spin(req)

    def parallel(self, head: AcompReq) -> Coroutine[Any, Any, int]:
        return acomp_do_async_req_chain(head, self.submit, self.poll, self.relax, self.abandoned.append)

    def serial(self, head: AcompReq) -> Coroutine[Any, Any, int]:
        return acomp_do_req_chain(head, self.op)


@each_count
async def test_the_parallel_runner_with_operations_that_suspend(count: int) -> None:
    batch = Batch(Stepped(auto=True, passes=3), count)
    ops = Suspending(batch.device)
    points = await sweep_cancel(lambda: ops.parallel(batch.build()), batch.check)
    assert points > 2 * count, "submits, polls, and at least one wait between rounds"
    assert ops.abandoned, "at least one cancellation came when jobs were in flight"


@each_count
async def test_the_serial_runner_with_operations_that_suspend(count: int) -> None:
    batch = Batch(Stepped(auto=True), count)
    ops = Suspending(batch.device)
    points = await sweep_cancel(lambda: ops.serial(batch.build()), batch.check)
    assert points == 2 * count


async def test_without_relax_each_round_is_a_point() -> None:
    batch = Batch(Stepped(auto=True), 4)
    device = batch.device

    def run() -> Coroutine[Any, Any, int]:
        return acomp_do_async_req_chain(batch.build(), device.submit, device.poll, abandon=device.abandon)

    assert await sweep_cancel(run, batch.check) >= 4


@each_mode
@pytest.mark.parametrize("count", [1, 8, 9, 20])
@pytest.mark.parametrize("function", [compress_pages, decompress_pages])
async def test_pages(
    mode: Mode, count: int, function: Callable[..., Coroutine[Any, Any, list[acomp.PageResult]]]
) -> None:
    device = Stepped(mode, auto=True)

    async def check() -> None:
        await device.quiesce()
        assert repr(device.tfm) == "<CryptoAcomp null-test: 0 requests, 0 busy>"
        results = await function(device.tfm, pages(count))
        assert [result.data for result in results] == pages(count)

    points = await sweep_cancel(lambda: function(device.tfm, pages(count)), check)
    assert points >= (count + 7) // 8
    crypto_free_acomp(device.tfm)


@pytest.mark.parametrize("name", ["zstd", "lz4"])
async def test_pages_of_software_never_suspend(name: str) -> None:
    with acomp.registry():
        tfm = acomp.crypto_alloc_acomp(name)
    with pytest.raises(StopIteration) as ended:
        compress_pages(tfm, pages(3)).send(None)
    assert len(ended.value.value) == 3


class TestExactlyOnce:
    """I3: each submitted request ends once, also when it was cancelled; I2: nothing is held at quiescence."""

    @each_mode
    async def test_each_job_of_a_cancelled_chain_is_given_back_once(self, mode: Mode) -> None:
        batch = Batch(Stepped(mode), 8)
        task = asyncio.ensure_future(batch.run())
        for _ in range(3):
            await asyncio.sleep(0)
        flying = len(batch.device.queue)
        assert flying == (8 if mode == "parallel" else 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [req.busy for req in batch.reqs[:flying]] == [True] * flying
        idle: list[AcompReq] = []
        for req in batch.reqs:
            acomp.acomp_request_when_idle(req, lambda req=req: idle.append(req))  # type: ignore[misc]
        await batch.device.quiesce()
        assert sorted(req.serial for req in idle) == [req.serial for req in batch.reqs]
        if mode == "parallel":
            assert batch.device.abandoned == batch.reqs
        batch.device.auto = True
        await batch.check()

    async def test_a_cancellation_when_the_chain_has_landed_but_its_owner_has_not_run(self) -> None:
        """Granted but not yet running."""
        batch = Batch(Stepped(), 8)
        task = asyncio.ensure_future(batch.run())
        for _ in range(3):
            await asyncio.sleep(0)
        batch.device.land(8)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert errs(batch.reqs) == [-ECANCELED] * 8
        batch.device.auto = True
        await batch.check()

    async def test_a_cancellation_after_release_disturbs_nobody(self) -> None:
        batch = Batch(Stepped(auto=True), 8)
        task = asyncio.ensure_future(batch.run())
        assert await task == 0
        assert not task.cancel()
        await batch.check()

    async def test_another_chain_of_the_same_device_is_not_disturbed(self) -> None:
        device = Stepped()
        first, second = Batch(device, 8), Batch(device, 8)
        tasks = [asyncio.ensure_future(batch.run()) for batch in (first, second)]
        for _ in range(3):
            await asyncio.sleep(0)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        device.land(16)
        assert await tasks[1] == 0
        assert errs(second.reqs) == [0] * 8
        assert [bytes(req.dst) for req in second.reqs] == pages(8)
        device.auto = True
        await first.check()

    async def test_a_driver_without_holds_and_abandon_leaves_the_chain_busy_for_good(self) -> None:
        batch = Batch(Stepped(), 2)
        task = asyncio.ensure_future(
            acomp_do_async_req_chain(batch.build(), lambda req: -EINPROGRESS, lambda req: -EAGAIN)
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(req.busy for req in batch.reqs)
        for use in (lambda: acomp_reqchain_clear(batch.reqs[0], batch.wait), batch.build):
            with pytest.raises(acomp.RequestBusyError):
                use()
