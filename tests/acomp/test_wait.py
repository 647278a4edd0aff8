"""`crypto_wait_req` and `crypto_req_done`: final and pending codes, notices, stale results, lost waiters."""

import asyncio
from collections.abc import Awaitable
from errno import EBUSY, ECANCELED, EINPROGRESS, EINVAL
from typing import Any

import pytest

from acomp import CryptoWait, ProtocolError, crypto_req_done, crypto_wait_req

each_pending = pytest.mark.parametrize("pending", [-EINPROGRESS, -EBUSY])


def waiting(code: int, wait: CryptoWait) -> asyncio.Task[int]:
    return asyncio.ensure_future(crypto_wait_req(code, wait))


async def passes(count: int = 3) -> None:
    """Some passes of the loop: enough for whatever is not really waiting."""
    for _ in range(count):
        await asyncio.sleep(0)


class TestFinalCodes:
    @pytest.mark.parametrize("code", [0, -EINVAL, -ECANCELED, -11, -7])
    async def test_come_back_at_once_and_leave_the_completion_alone(self, code: int) -> None:
        wait = CryptoWait()
        coroutine = crypto_wait_req(code, wait)
        with pytest.raises(StopIteration) as ended:
            coroutine.send(None)
        assert ended.value.value == code
        assert not wait.done

    async def test_do_not_consume_a_counted_completion(self) -> None:
        wait = CryptoWait()
        crypto_req_done(wait, -EINVAL)
        assert await crypto_wait_req(0, wait) == 0
        assert wait.done and wait.err == -EINVAL

    @pytest.mark.parametrize("code", [0, -EINVAL, -EINPROGRESS, -EBUSY])
    async def test_without_a_wait_the_code_comes_back_unchanged(self, code: int) -> None:
        async def later() -> int:
            await asyncio.sleep(0)
            return code

        assert await crypto_wait_req(code, None) == code
        assert await crypto_wait_req(later(), None) == code


class TestPendingCodes:
    @each_pending
    async def test_block_until_the_completion_and_give_its_err(self, pending: int) -> None:
        wait = CryptoWait()
        task = waiting(pending, wait)
        await passes()
        assert not task.done()
        crypto_req_done(wait, -EINVAL)
        assert await task == -EINVAL

    @each_pending
    async def test_a_completion_may_come_before_the_wait(self, pending: int) -> None:
        wait = CryptoWait()
        crypto_req_done(wait, -EINVAL)
        assert await crypto_wait_req(pending, wait) == -EINVAL

    @each_pending
    async def test_the_wait_is_re_armed_afterwards(self, pending: int) -> None:
        wait = CryptoWait()
        for err in (0, -EINVAL, 0):
            task = waiting(pending, wait)
            await passes()
            assert not task.done(), "it returned with the result before"
            crypto_req_done(wait, err)
            assert await task == err
            assert not wait.done

    @each_pending
    async def test_an_awaitable_is_awaited_and_its_code_followed(self, pending: int) -> None:
        wait = CryptoWait()

        async def work() -> int:
            await asyncio.sleep(0)
            return pending

        task = asyncio.ensure_future(crypto_wait_req(work(), wait))
        await passes()
        assert not task.done()
        crypto_req_done(wait, 0)
        assert await task == 0

    async def test_any_awaitable_will_do(self) -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(-EINVAL)
        assert await crypto_wait_req(future, CryptoWait()) == -EINVAL

    async def test_the_exception_of_an_awaitable_is_the_callers(self) -> None:
        async def work() -> int:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await crypto_wait_req(work(), CryptoWait())


class TestCompletion:
    async def test_the_backlog_notice_is_ignored(self) -> None:
        wait = CryptoWait()
        task = waiting(-EBUSY, wait)
        await passes()
        crypto_req_done(wait, -EINPROGRESS)
        await passes()
        assert not task.done() and not wait.done and wait.err == 0
        crypto_req_done(wait, -EINVAL)
        assert await task == -EINVAL

    async def test_a_stale_completion_ends_the_next_wait_early(self) -> None:
        """Why a chain's user has to call `acomp_reqchain_clear`."""
        wait = CryptoWait()
        crypto_req_done(wait, -EINVAL)
        assert await crypto_wait_req(-EINPROGRESS, wait) == -EINVAL

    async def test_reinit_forgets_a_stale_completion(self) -> None:
        wait = CryptoWait()
        crypto_req_done(wait, -EINVAL)
        wait.reinit()
        task = waiting(-EINPROGRESS, wait)
        await passes()
        assert not task.done()
        crypto_req_done(wait, 0)
        assert await task == 0

    def test_it_needs_no_loop(self) -> None:
        wait = CryptoWait()
        crypto_req_done(wait, -EINVAL)
        assert wait.done and wait.err == -EINVAL

    def test_a_wait_tells_its_state(self) -> None:
        wait = CryptoWait()
        assert repr(wait) == "<CryptoWait armed err=0>"
        crypto_req_done(wait, -22)
        assert repr(wait) == "<CryptoWait completed err=-22>"


class TestTwoWaiters:
    async def test_the_second_is_refused_and_the_first_undisturbed(self) -> None:
        wait = CryptoWait()
        first = waiting(-EINPROGRESS, wait)
        await passes()
        with pytest.raises(ProtocolError, match="two tasks"):
            await crypto_wait_req(-EINPROGRESS, wait)
        crypto_req_done(wait, -EINVAL)
        assert await first == -EINVAL

    async def test_the_second_does_not_steal_a_completion_on_its_way_to_the_first(self) -> None:
        wait = CryptoWait()
        first = waiting(-EINPROGRESS, wait)
        await passes()
        crypto_req_done(wait, -EINVAL)
        with pytest.raises(ProtocolError, match="two tasks"):
            await crypto_wait_req(-EINPROGRESS, wait)
        assert await first == -EINVAL


async def cancelled(task: Awaitable[Any]) -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


class TestCancelledWaiter:
    """While it waits, once its completion has come but it has not run yet, before it first ran, and afterwards."""

    async def test_while_waiting_its_completion_is_discarded_when_it_comes(self) -> None:
        wait = CryptoWait()
        first = waiting(-EINPROGRESS, wait)
        await passes()
        first.cancel()
        await cancelled(first)
        second = waiting(-EINPROGRESS, wait)
        await passes()
        crypto_req_done(wait, -EINVAL)  # of the operation that the first one waited for
        await passes()
        assert not second.done()
        crypto_req_done(wait, 0)
        assert await second == 0

    async def test_completed_but_not_yet_running_its_completion_is_consumed(self) -> None:
        wait = CryptoWait()
        first = waiting(-EINPROGRESS, wait)
        await passes()
        crypto_req_done(wait, -EINVAL)
        first.cancel()
        await cancelled(first)
        assert not wait.done
        second = waiting(-EINPROGRESS, wait)
        await passes()
        assert not second.done()
        crypto_req_done(wait, 0)
        assert await second == 0

    async def test_before_it_first_ran_nothing_has_happened(self) -> None:
        """The task never reached the wait, so the completion is nobody's and stays counted, as in the kernel."""
        wait = CryptoWait()
        first = waiting(-EINPROGRESS, wait)
        first.cancel()
        await cancelled(first)
        crypto_req_done(wait, -EINVAL)
        assert wait.done

    async def test_after_its_completion_the_cancellation_is_not_the_waits_business(self) -> None:
        wait = CryptoWait()
        crypto_req_done(wait, 0)
        assert await crypto_wait_req(-EINPROGRESS, wait) == 0
        assert not wait.done

    async def test_several_lost_waiters_lose_several_completions(self) -> None:
        wait = CryptoWait()
        for _ in range(3):
            lost = waiting(-EINPROGRESS, wait)
            await passes()
            lost.cancel()
            await cancelled(lost)
        last = waiting(-EINPROGRESS, wait)
        for _ in range(3):
            await passes()
            crypto_req_done(wait, -EINVAL)
        await passes()
        assert not last.done()
        crypto_req_done(wait, 0)
        assert await last == 0

    async def test_notices_are_not_taken_for_a_lost_completion(self) -> None:
        wait = CryptoWait()
        lost = waiting(-EINPROGRESS, wait)
        await passes()
        lost.cancel()
        await cancelled(lost)
        crypto_req_done(wait, -EINPROGRESS)
        crypto_req_done(wait, -EINVAL)
        assert not wait.done
