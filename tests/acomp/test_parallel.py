"""The parallel runner, docs/kernel.md#parallel line by line, and what is ours: `relax` and `abandon`."""

import asyncio
from collections.abc import Sequence
from errno import E2BIG, EAGAIN, EBUSY, ECANCELED, EINPROGRESS, EINVAL, ETIMEDOUT
from typing import Any

import pytest

import acomp
from acomp import (
    CRYPTO_TFM_REQ_CHAIN,
    CRYPTO_TFM_REQ_MAY_SLEEP,
    AcompReq,
    CryptoWait,
    acomp_chain_members,
    acomp_do_async_req_chain,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_chain,
    acomp_request_get,
    acomp_request_put,
    acomp_request_set_callback,
    acomp_request_when_idle,
    crypto_acomp_compress,
    crypto_req_done,
    crypto_wait_req,
)
from tests.acomp.algorithms import (
    ASYNC,
    CHAINS,
    DATA,
    OPTED_IN,
    Calls,
    Ops,
    algorithm,
    chained,
    errs,
    requests,
    transform,
)

PENDING_SUBMIT = (-EINPROGRESS, -EBUSY)
PENDING_POLL = (-EAGAIN, -EINPROGRESS, -EBUSY)
FINAL = (0, -EINVAL, -E2BIG, -ETIMEDOUT)

each_kind_of_op = pytest.mark.parametrize("coroutines", [False, True], ids=["plain", "coroutines"])


async def run(reqs: list[AcompReq], ops: Ops) -> int:
    return await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll)


class TestSubmission:
    @each_kind_of_op
    async def test_parallel_submits_all_before_the_first_poll(self, coroutines: bool) -> None:
        reqs = chained(8)
        ops = Ops(reqs, coroutines=coroutines)
        assert await run(reqs, ops) == 0
        assert ops.log == [f"s{number}" for number in range(8)] + [f"p{number}" for number in range(8)]

    @each_kind_of_op
    @pytest.mark.parametrize("code", [-EAGAIN, -EINVAL, -19])
    async def test_parallel_a_heads_submit_error_stops_everything(self, code: int, coroutines: bool) -> None:
        """All errs are that error; no further submit, no poll, no callback."""
        reqs = chained(4, calls := Calls())
        ops = Ops(reqs, {0: code}, coroutines=coroutines)
        assert await run(reqs, ops) == code
        assert ops.log == ["s0"]
        assert errs(reqs) == [code] * 4
        assert calls == []

    async def test_after_a_heads_submit_error_the_members_stay_linked_and_the_data_is_the_drivers(self) -> None:
        reqs = chained(4, Calls())
        await run(reqs, Ops(reqs, {0: -EINVAL}))
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert reqs[0].base.data == "job 0", "the head's data is not restored"
        assert not any(req.busy for req in reqs)
        wait = CryptoWait()
        acomp_reqchain_clear(reqs[0], wait)
        assert reqs[0].base.data is wait

    async def test_parallel_a_members_submit_eagain_is_final_and_the_others_complete(self) -> None:
        reqs = chained(4, calls := Calls())
        ops = Ops(reqs, {2: -EAGAIN})
        assert await run(reqs, ops) == 0
        assert ops.log == ["s0", "s1", "s2", "s3", "p0", "p1", "p3"]
        assert errs(reqs) == [0, 0, -EAGAIN, 0]
        assert calls == [(DATA, 0)]

    @pytest.mark.parametrize("failing", [1, 2, 3])
    @pytest.mark.parametrize("code", [-EINVAL, -EAGAIN])
    async def test_a_failing_member_does_not_stop_later_submissions(self, failing: int, code: int) -> None:
        reqs = chained(4)
        ops = Ops(reqs, {failing: code})
        await run(reqs, ops)
        assert ops.log[:4] == ["s0", "s1", "s2", "s3"]
        assert errs(reqs) == [code if number == failing else 0 for number in range(4)]

    @pytest.mark.parametrize("code", PENDING_SUBMIT)
    async def test_both_pending_codes_of_a_submit_mean_that_it_will_be_polled(self, code: int) -> None:
        reqs = chained(2)
        ops = Ops(reqs, {0: code, 1: code}, {0: [-EINVAL], 1: [-E2BIG]})
        assert await run(reqs, ops) == -EINVAL
        assert ops.log == ["s0", "s1", "p0", "p1"]
        assert errs(reqs) == [-EINVAL, -E2BIG]

    async def test_the_heads_err_is_its_submit_code_until_it_is_final(self) -> None:
        reqs = chained(2)
        seen: list[int] = []

        def submit(req: AcompReq) -> int:
            seen.append(reqs[0].base.err)
            return -EBUSY

        await acomp_do_async_req_chain(reqs[0], submit, lambda req: 0)
        assert seen == [-EINPROGRESS, -EBUSY]

    async def test_the_list_is_empty_while_the_members_are_out(self) -> None:
        reqs = chained(3)
        lists: list[tuple[AcompReq, ...]] = []

        def poll(req: AcompReq) -> int:
            lists.append(acomp_chain_members(reqs[0]))
            return 0

        await acomp_do_async_req_chain(reqs[0], lambda req: -EINPROGRESS, poll)
        assert lists == [(), (), (reqs[1],)]

    async def test_a_head_that_finished_at_its_submit_is_not_polled(self) -> None:
        """The kernel would poll such a head (docs/kernel.md#quirks)."""
        reqs = chained(3, calls := Calls())
        ops = Ops(reqs, {0: 0}, {1: [-EAGAIN, 0], 2: [-EAGAIN, -EINVAL]})
        assert await run(reqs, ops) == 0
        assert "p0" not in ops.log
        assert calls == [(DATA, 0)]
        assert errs(reqs) == [0, 0, -EINVAL]

    async def test_when_all_finished_at_their_submit_nothing_is_polled(self) -> None:
        reqs = chained(3, calls := Calls())
        ops = Ops(reqs, {0: 0, 1: -EINVAL, 2: 0})
        assert await run(reqs, ops) == 0
        assert ops.log == ["s0", "s1", "s2"]
        assert calls == [(DATA, 0)]


class TestPolling:
    @each_kind_of_op
    async def test_parallel_polls_each_pending_request_once_a_round_the_head_first(self, coroutines: bool) -> None:
        reqs = chained(4)
        ops = Ops(
            reqs,
            polls={0: [-EAGAIN, -EAGAIN, 0], 1: [0], 2: [-EAGAIN, 0], 3: [-EAGAIN] * 3 + [0]},
            coroutines=coroutines,
        )
        await run(reqs, ops)
        assert ops.log[4:] == ["p0", "p1", "p2", "p3", "p0", "p2", "p3", "p0", "p3", "p3"]

    @pytest.mark.parametrize("code", PENDING_POLL)
    @pytest.mark.parametrize("number", [0, 1])
    async def test_every_pending_code_of_a_poll_means_poll_again(self, code: int, number: int) -> None:
        reqs = chained(2)
        ops = Ops(reqs, polls={number: [code, code, -EINVAL]})
        await run(reqs, ops)
        assert ops.log.count(f"p{number}") == 3
        assert reqs[number].base.err == -EINVAL

    @pytest.mark.parametrize("code", FINAL)
    @pytest.mark.parametrize("number", [0, 1])
    async def test_every_other_code_of_a_poll_is_final(self, code: int, number: int) -> None:
        reqs = chained(2)
        ops = Ops(reqs, polls={number: [code]})
        assert await run(reqs, ops) == (code if number == 0 else 0)
        assert ops.log.count(f"p{number}") == 1
        assert reqs[number].base.err == code

    async def test_when_only_the_head_is_left_only_the_head_is_polled(self) -> None:
        reqs = chained(3)
        ops = Ops(reqs, polls={0: [-EAGAIN] * 4 + [0]})
        await run(reqs, ops)
        assert ops.log[3:] == ["p0", "p1", "p2", "p0", "p0", "p0", "p0"]

    async def test_a_head_that_is_done_first_is_not_polled_again(self) -> None:
        reqs = chained(2)
        ops = Ops(reqs, polls={1: [-EAGAIN] * 3 + [0]})
        await run(reqs, ops)
        assert ops.log[2:] == ["p0", "p1", "p1", "p1", "p1"]


class TestResult:
    async def test_parallel_returns_the_heads_err_and_calls_back_once_with_the_original_data(self) -> None:
        for err in FINAL:
            reqs = chained(3, calls := Calls())
            assert await run(reqs, Ops(reqs, polls={0: [err]})) == err == reqs[0].base.err
            assert calls == [(DATA, err)], "exactly once, also with an error"
            assert reqs[0].base.data is DATA and reqs[0].base.complete is calls

    async def test_any_member_may_have_failed_although_zero_is_returned(self) -> None:
        reqs = chained(4, Calls())
        assert await run(reqs, Ops(reqs, {3: -EAGAIN}, {1: [-EINVAL], 2: [-E2BIG]})) == 0
        assert errs(reqs) == [0, -EINVAL, -E2BIG, -EAGAIN]

    async def test_a_failing_head_does_not_touch_the_members(self) -> None:
        reqs = chained(3, Calls())
        assert await run(reqs, Ops(reqs, polls={0: [-EINVAL]})) == -EINVAL
        assert errs(reqs) == [-EINVAL, 0, 0]

    async def test_the_list_ends_in_completion_order(self) -> None:
        reqs = chained(5)
        ops = Ops(
            reqs,
            {3: -EINVAL},
            {0: [-EAGAIN, 0], 1: [-EAGAIN, -EAGAIN, 0], 2: [-EAGAIN, 0], 4: [0]},
        )
        await run(reqs, ops)
        assert acomp_chain_members(reqs[0]) == (reqs[3], reqs[4], reqs[2], reqs[1])

    async def test_the_completion_is_called_before_the_errors_can_be_read_and_the_chain_is_whole_then(self) -> None:
        seen: list[Any] = []
        reqs = chained(3, lambda data, err: seen.append((data, err, errs(reqs), [req.busy for req in reqs])))
        task = asyncio.ensure_future(run(reqs, Ops(reqs, polls={0: [-EINVAL]})))
        assert await task == -EINVAL
        assert seen == [(DATA, -EINVAL, [-EINVAL, 0, 0], [False] * 3)]

    async def test_members_completion_functions_are_never_called_and_their_data_is_the_drivers(self) -> None:
        reqs = chained(3, Calls())
        of_members = Calls()
        for member in reqs[1:]:
            acomp_request_set_callback(member, 0, of_members, DATA)
        await run(reqs, Ops(reqs, {2: -EINVAL}))
        assert of_members == []
        assert [member.base.data for member in reqs[1:]] == ["job 1", "job 2"]

    async def test_flags_are_left_alone(self) -> None:
        reqs = chained(3, base_flags=CRYPTO_TFM_REQ_MAY_SLEEP)
        for req in reqs:
            req.flags = acomp.CRYPTO_ACOMP_REQ_POLL
        reqs[1].base.flags = CRYPTO_TFM_REQ_MAY_SLEEP
        await run(reqs, Ops(reqs))
        assert [req.flags for req in reqs] == [acomp.CRYPTO_ACOMP_REQ_POLL] * 3
        assert [req.base.flags for req in reqs] == [
            CRYPTO_TFM_REQ_MAY_SLEEP | CRYPTO_TFM_REQ_CHAIN,
            CRYPTO_TFM_REQ_MAY_SLEEP,
            0,
        ]

    async def test_without_a_completion_function_none_is_called(self) -> None:
        reqs = chained(2, None)
        assert await run(reqs, Ops(reqs)) == 0

    async def test_a_final_code_comes_back_from_the_wait_at_once_and_the_completion_stays_counted(self) -> None:
        """This is why chain clear re-arms the wait."""
        wait = CryptoWait()
        reqs = requests(2)
        acomp_reqchain_init(reqs[0], 0, crypto_req_done, wait)
        acomp_request_chain(reqs[1], reqs[0])
        assert await crypto_wait_req(run(reqs, Ops(reqs, polls={0: [-EINVAL]})), wait) == -EINVAL
        assert wait.done and wait.err == -EINVAL

    async def test_the_completion_may_run_the_chain_again(self) -> None:
        again: list[asyncio.Task[int]] = []

        def complete(data: object, err: int) -> None:
            acomp_reqchain_init(reqs[0], 0, None, DATA)
            for member in reqs[1:]:
                acomp_request_chain(member, reqs[0])
            again.append(asyncio.ensure_future(run(reqs, Ops(reqs, polls={0: [-EINVAL]}))))

        reqs = chained(3, complete)
        assert await run(reqs, Ops(reqs, polls={0: [-E2BIG]})) == -E2BIG, "the code of its own run"
        assert await again[0] == -EINVAL
        assert errs(reqs) == [-EINVAL, 0, 0]

    async def test_results_are_placed_by_request_and_not_by_order_of_completion(self) -> None:
        reqs = chained(4)
        for number, req in enumerate(reqs):
            acomp.acomp_request_set_params(req, bytes([number]) * 8, bytearray(8), 8, 8)
        order = [3, 1, 0, 2]
        polled: list[AcompReq] = []

        def poll(req: AcompReq) -> int:
            if req is not reqs[order[len(polled)]]:
                return -EAGAIN
            polled.append(req)
            req.deliver(bytes(req.source()))
            return 0

        await acomp_do_async_req_chain(reqs[0], lambda req: -EINPROGRESS, poll)
        assert [bytes(req.dst) for req in reqs] == [bytes([number]) * 8 for number in range(4)]


class TestNoChain:
    """What is no chain is one submit, polled until final; err, data and completion are served."""

    @pytest.mark.parametrize("case", ["no chain", "one element", "not opted in", "not async", "neither"])
    @pytest.mark.parametrize("err", [0, -EINVAL])
    @each_kind_of_op
    async def test_one_element_not_opted_in_and_not_async_take_the_single_submit_path(
        self, case: str, err: int, coroutines: bool
    ) -> None:
        flags = {"not opted in": ASYNC, "not async": OPTED_IN, "neither": 0}.get(case, CHAINS)
        calls = Calls()
        if case == "no chain":
            reqs = requests(1)
            acomp_request_set_callback(reqs[0], 0, calls, DATA)
        else:
            reqs = chained(1 if case == "one element" else 3, calls, flags)
        ops = Ops(reqs, polls={0: [-EAGAIN, -EBUSY, -EINPROGRESS, err]}, coroutines=coroutines)
        assert await run(reqs, ops) == err
        assert ops.log == ["s0", "p0", "p0", "p0", "p0"]
        assert reqs[0].base.err == err, "unlike in the serial runner the head's err is recorded"
        assert reqs[0].base.data is DATA
        assert calls == ([(DATA, err)] if flags & ASYNC else []), "only an async transform calls back"
        assert errs(reqs[1:]) == [-EINPROGRESS] * (len(reqs) - 1)
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert not any(req.busy for req in reqs)

    @pytest.mark.parametrize("err", [0, -EAGAIN, -EINVAL])
    async def test_a_final_submit_is_not_polled_and_calls_back_also_with_an_error(self, err: int) -> None:
        reqs = chained(1, calls := Calls())
        ops = Ops(reqs, {0: err})
        assert await run(reqs, ops) == err == reqs[0].base.err
        assert ops.log == ["s0"]
        assert calls == [(DATA, err)]
        assert reqs[0].base.data is DATA

    async def test_through_the_transforms_method_the_request_is_busy_until_its_completion(self) -> None:
        seen: list[bool] = []

        async def compress(req: AcompReq) -> int:
            return await acomp_do_async_req_chain(req, lambda req: -EINPROGRESS, lambda req: seen.append(req.busy) or 0)  # type: ignore[func-returns-value]

        req = acomp.acomp_request_alloc(transform(algorithm(compress=compress)))
        acomp_request_set_callback(req, 0, lambda data, err: seen.append(req.busy), None)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert seen == [True, False]


class TestRelax:
    async def test_it_is_awaited_between_rounds_with_the_requests_still_open(self) -> None:
        reqs = chained(3)
        ops = Ops(reqs, polls={0: [-EAGAIN, 0], 1: [0], 2: [-EAGAIN, -EAGAIN, 0]})

        async def relax(pending: Sequence[AcompReq]) -> None:
            ops.log.append("relax " + " ".join(str(reqs.index(req)) for req in pending))

        assert await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll, relax) == 0
        assert ops.log[3:] == ["p0", "p1", "p2", "relax 0 2", "p0", "p2", "relax 2", "p2"]

    async def test_it_is_not_called_when_the_first_round_finished_everything(self) -> None:
        reqs = chained(3)

        async def relax(pending: Sequence[AcompReq]) -> None:
            raise AssertionError("nothing to wait for")

        ops = Ops(reqs)
        assert await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll, relax) == 0

    async def test_it_serves_single_requests_too(self) -> None:
        reqs = chained(1)
        relaxed: list[list[AcompReq]] = []

        async def relax(pending: Sequence[AcompReq]) -> None:
            relaxed.append(list(pending))

        ops = Ops(reqs, polls={0: [-EAGAIN, 0]})
        await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll, relax)
        assert relaxed == [reqs]

    async def test_without_it_each_round_is_a_pass_of_the_loop(self) -> None:
        reqs = chained(2)
        landed = False

        def land() -> None:
            nonlocal landed
            landed = True

        asyncio.get_running_loop().call_soon(land)
        assert await acomp_do_async_req_chain(reqs[0], lambda req: -EBUSY, lambda req: 0 if landed else -EAGAIN) == 0

    async def test_plain_operations_that_finish_at_once_do_not_suspend(self) -> None:
        reqs = chained(3)
        ops = Ops(reqs)
        with pytest.raises(StopIteration) as ended:
            run(reqs, ops).send(None)
        assert ended.value.value == 0


class TestCancelled:
    async def start(
        self, reqs: list[AcompReq], ops: Ops, abandon: Any = None
    ) -> tuple["asyncio.Task[int]", "asyncio.Future[None]"]:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def relax(pending: Sequence[AcompReq]) -> None:
            await gate

        task = asyncio.ensure_future(acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll, relax, abandon))
        await asyncio.sleep(0)
        return task, gate

    async def test_abandon_is_called_for_each_request_submitted_and_not_final(self) -> None:
        reqs = chained(5, calls := Calls())
        ops = Ops(reqs, {1: -EINVAL}, {0: [-EAGAIN], 2: [-EAGAIN], 3: [-E2BIG], 4: [-EAGAIN]})
        abandoned: list[AcompReq] = []
        task, _ = await self.start(reqs, ops, abandoned.append)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert abandoned == [reqs[0], reqs[2], reqs[4]]
        assert errs(reqs) == [-ECANCELED, -EINVAL, -ECANCELED, -E2BIG, -ECANCELED]
        assert set(acomp_chain_members(reqs[0])) == set(reqs[1:]) and len(acomp_chain_members(reqs[0])) == 4
        assert reqs[0].base.data is DATA and reqs[0].base.complete is calls
        assert calls == []
        assert not any(req.busy for req in reqs)

    async def test_a_cancelled_chain_runs_again(self) -> None:
        reqs = chained(3, calls := Calls())
        task, _ = await self.start(reqs, Ops(reqs, polls=dict.fromkeys(range(3), (-EAGAIN,))), lambda req: None)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await run(reqs, Ops(reqs)) == 0
        assert errs(reqs) == [0] * 3
        assert calls == [(DATA, 0)]

    async def test_without_abandon_requests_in_flight_stay_busy_for_good(self) -> None:
        reqs = chained(3)
        ops = Ops(reqs, polls={0: [-EAGAIN], 1: [0], 2: [-EAGAIN]})
        task, _ = await self.start(reqs, ops)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [req.busy for req in reqs] == [True, False, True]
        assert errs(reqs) == [-ECANCELED, 0, -ECANCELED]
        for use in (acomp.acomp_request_free, crypto_acomp_compress):
            with pytest.raises(acomp.RequestBusyError):
                use(reqs[0])

    async def test_a_completion_that_still_comes_makes_an_abandoned_request_idle_and_calls_nobody(self) -> None:
        reqs = chained(2, calls := Calls())
        task, _ = await self.start(reqs, Ops(reqs, polls=dict.fromkeys(range(2), (-EAGAIN,))))
        completions = [req.base.complete for req in reqs]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for compl in completions:
            assert compl is not None
            compl(None, 0)
        assert not any(req.busy for req in reqs)
        assert calls == []
        assert errs(reqs) == [-ECANCELED] * 2

    async def test_what_jobs_still_hold_stays_busy_until_they_have_landed(self) -> None:
        reqs = chained(3)
        idle: list[AcompReq] = []
        ops = Ops(reqs, polls=dict.fromkeys(range(3), (-EAGAIN,)))
        for req in reqs:
            acomp_request_when_idle(req, lambda: None)

        def submit(req: AcompReq) -> acomp.Code:
            acomp_request_get(req)
            return ops.submit(req)

        task = asyncio.ensure_future(acomp_do_async_req_chain(reqs[0], submit, ops.poll, abandon=lambda req: None))
        await asyncio.sleep(0)
        for req in reqs:
            acomp_request_when_idle(req, lambda req=req: idle.append(req))  # type: ignore[misc]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert idle == [] and all(req.busy for req in reqs)
        with pytest.raises(acomp.RequestBusyError):
            await run(reqs, Ops(reqs))
        for req in (reqs[1], reqs[0], reqs[2]):
            acomp_request_put(req)
        assert idle == [reqs[1], reqs[0], reqs[2]]
        assert await run(reqs, Ops(reqs)) == 0

    @pytest.mark.parametrize("at", [0, 1, 2])
    async def test_during_the_submission_pass_the_rest_is_not_submitted(self, at: int) -> None:
        reqs = chained(3)
        submitted: list[AcompReq] = []
        abandoned: list[AcompReq] = []

        async def submit(req: AcompReq) -> int:
            if req is reqs[at]:
                await asyncio.get_running_loop().create_future()
            submitted.append(req)
            return -EINPROGRESS

        task = asyncio.ensure_future(acomp_do_async_req_chain(reqs[0], submit, lambda req: 0, abandon=abandoned.append))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert submitted == abandoned == reqs[:at]
        assert errs(reqs) == [-ECANCELED] * 3
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert not any(req.busy for req in reqs)

    async def test_during_a_poll_the_request_being_polled_is_abandoned_too(self) -> None:
        reqs = chained(3)
        abandoned: list[AcompReq] = []

        async def poll(req: AcompReq) -> int:
            if req is reqs[1]:
                await asyncio.get_running_loop().create_future()
            return -EINVAL

        task = asyncio.ensure_future(
            acomp_do_async_req_chain(reqs[0], lambda req: -EBUSY, poll, abandon=abandoned.append)
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert abandoned == reqs[1:]
        assert errs(reqs) == [-EINVAL, -ECANCELED, -ECANCELED]

    async def test_a_single_request_is_abandoned_like_a_chain(self) -> None:
        reqs = chained(1, calls := Calls())
        abandoned: list[AcompReq] = []
        task, _ = await self.start(reqs, Ops(reqs, polls={0: [-EAGAIN]}), abandoned.append)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert abandoned == reqs
        assert errs(reqs) == [-ECANCELED]
        assert calls == [] and reqs[0].base.data is DATA
        assert not reqs[0].busy

    async def test_before_it_was_awaited_nothing_has_happened(self) -> None:
        reqs = chained(3)
        ops = Ops(reqs)
        run(reqs, ops).close()
        assert ops.log == []
        assert errs(reqs) == [-EINPROGRESS] * 3
        assert not any(req.busy for req in reqs)

    async def test_a_request_that_a_broken_driver_completed_does_not_hide_the_cancellation(self) -> None:
        reqs = chained(2)
        task, _ = await self.start(reqs, Ops(reqs, polls=dict.fromkeys(range(2), (-EAGAIN,))), lambda req: None)
        compl = reqs[1].base.complete
        assert compl is not None
        compl(None, 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any(req.busy for req in reqs)


class TestBrokenDrivers:
    @pytest.mark.parametrize("where", ["submit", "poll", "relax"])
    @pytest.mark.parametrize("at", [0, 1, 2])
    async def test_an_operation_that_raises_ends_the_run_like_a_cancellation(self, where: str, at: int) -> None:
        reqs = chained(3, calls := Calls())
        abandoned: list[AcompReq] = []

        def answer(what: str, req: AcompReq, code: int) -> int:
            if what == where and req is reqs[at]:
                raise ZeroDivisionError
            return code

        async def relax(pending: Sequence[AcompReq]) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await acomp_do_async_req_chain(
                reqs[0],
                lambda req: answer("submit", req, -EBUSY),
                lambda req: answer("poll", req, -EAGAIN),
                relax,
                abandoned.append,
            )
        assert abandoned == (reqs[:at] if where == "submit" else reqs)
        assert errs(reqs) == [-ECANCELED] * 3
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == [] and reqs[0].base.data is DATA
        assert not any(req.busy for req in reqs)

    async def test_a_member_that_its_driver_completed_as_well_is_recorded_by_its_poll(self) -> None:
        reqs = chained(2, calls := Calls())

        def poll(req: AcompReq) -> int:
            if req is reqs[1]:
                compl = req.base.complete
                assert compl is not None
                compl(None, -E2BIG)
            return -EINVAL

        assert await acomp_do_async_req_chain(reqs[0], lambda req: -EBUSY, poll) == -EINVAL
        assert errs(reqs) == [-EINVAL] * 2
        assert calls == [(DATA, -EINVAL)]
        assert not any(req.busy for req in reqs)

    async def test_a_completion_function_that_raises_leaves_the_results_standing(self) -> None:
        def complete(data: object, err: int) -> None:
            raise ZeroDivisionError

        reqs = chained(2, complete)
        with pytest.raises(ZeroDivisionError):
            await run(reqs, Ops(reqs, polls={1: [-EINVAL]}))
        assert errs(reqs) == [0, -EINVAL]
        assert acomp_chain_members(reqs[0]) == (reqs[1],)
        assert not any(req.busy for req in reqs)
