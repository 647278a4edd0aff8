"""The serial runner, docs/kernel.md#serial line by line, with the quirks done right, and what is ours: awaitables."""

import asyncio
from collections.abc import Callable
from errno import EAGAIN, EBUSY, ECANCELED, EINPROGRESS, EINVAL, ENOMEM, EPROTO
from typing import Any, cast

import pytest

import acomp
from acomp import (
    CRYPTO_TFM_REQ_CHAIN,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    CRYPTO_TFM_REQ_MAY_SLEEP,
    AcompReq,
    Code,
    CryptoWait,
    ProtocolError,
    RequestBusyError,
    acomp_chain_members,
    acomp_do_req_chain,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_chain,
    acomp_request_set_callback,
    crypto_acomp_compress,
    crypto_req_done,
    crypto_wait_req,
    fault,
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

FINAL = {0: 0, 1: 0, 2: 0, 3: 0}


def complete(req: AcompReq, err: int) -> None:
    """What the driver does when the job of `req` is over."""
    compl = req.base.complete
    assert compl is not None
    compl(req.base.data, err)


class Plain:
    """A plain op with a code per request; unlike `Ops` it leaves base.data alone, which is the runner's here."""

    def __init__(self, reqs: list[AcompReq], codes: dict[int, int]) -> None:
        self.log: list[int] = []
        self.seen: list[tuple[int, object, int]] = []
        self._number = {req: number for number, req in enumerate(reqs)}
        self._codes = codes

    def __call__(self, req: AcompReq) -> Code:
        number = self._number[req]
        self.log.append(number)
        self.seen.append((req.base.flags, req.base.data, req.base.err))
        return self._codes.get(number, 0)


class TestAllSynchronous:
    async def test_serial_calls_the_head_then_the_members_in_order_of_insertion(self) -> None:
        calls = Calls()
        reqs = chained(4, calls)
        op = Plain(reqs, FINAL)
        assert await acomp_do_req_chain(reqs[0], op) == 0
        assert op.log == [0, 1, 2, 3]
        assert calls == [], "the head's callback is not invoked when all were synchronous"
        assert errs(reqs) == [0] * 4
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])

    @pytest.mark.parametrize("failing", range(4))
    async def test_serial_an_error_stops_nothing(self, failing: int) -> None:
        calls = Calls()
        reqs = chained(4, calls)
        op = Plain(reqs, {failing: -EINVAL})
        await acomp_do_req_chain(reqs[0], op)
        assert op.log == [0, 1, 2, 3]
        assert errs(reqs) == [-EINVAL if number == failing else 0 for number in range(4)]
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == []

    async def test_serial_returns_the_last_operations_code(self) -> None:
        for codes, result in (
            ({0: -EINVAL, 1: -EAGAIN}, 0),
            ({2: -EINVAL}, -EINVAL),
            ({0: -1, 1: -2, 2: -3}, -3),
        ):
            reqs = chained(3)
            assert await acomp_do_req_chain(reqs[0], Plain(reqs, codes)) == result
            assert errs(reqs) == [codes.get(number, 0) for number in range(3)]

    async def test_eagain_is_an_error_like_any_other(self) -> None:
        reqs = chained(3)
        op = Plain(reqs, {1: -EAGAIN})
        assert await acomp_do_req_chain(reqs[0], op) == 0
        assert op.log == [0, 1, 2]
        assert errs(reqs) == [0, -EAGAIN, 0]

    async def test_the_heads_completion_and_data_are_replaced_during_the_run_and_restored_after_it(self) -> None:
        calls = Calls()
        reqs = chained(2, calls)
        seen: list[tuple[object, object]] = []

        def op(req: AcompReq) -> int:
            seen.append((reqs[0].base.complete, reqs[0].base.data))
            return 0

        await acomp_do_req_chain(reqs[0], op)
        assert all(compl is not calls and data is not DATA for compl, data in seen)
        assert reqs[0].base.complete is calls and reqs[0].base.data is DATA

    async def test_the_list_is_empty_while_the_head_is_under_way_and_grows_by_what_completed(self) -> None:
        reqs = chained(4)
        lists: list[tuple[AcompReq, ...]] = []

        def op(req: AcompReq) -> int:
            lists.append(acomp_chain_members(reqs[0]))
            return 0

        await acomp_do_req_chain(reqs[0], op)
        assert lists == [(), (), (reqs[1],), (reqs[1], reqs[2])]

    async def test_flags_of_members_are_kept_when_the_runner_was_called_directly(self) -> None:
        reqs = chained(3, base_flags=CRYPTO_TFM_REQ_MAY_SLEEP)
        for member in reqs[1:]:
            member.base.flags = CRYPTO_TFM_REQ_MAY_SLEEP | 0x1
        op = Plain(reqs, FINAL)
        await acomp_do_req_chain(reqs[0], op)
        assert [flags for flags, _, _ in op.seen] == [
            CRYPTO_TFM_REQ_MAY_SLEEP | CRYPTO_TFM_REQ_CHAIN,
            CRYPTO_TFM_REQ_MAY_SLEEP | 0x1,
            CRYPTO_TFM_REQ_MAY_SLEEP | 0x1,
        ]
        assert reqs[1].base.flags == CRYPTO_TFM_REQ_MAY_SLEEP | 0x1

    async def test_members_are_left_with_the_runners_callback_which_is_good_for_nothing(self) -> None:
        """In the kernel it points to freed state; here it is a clear error."""
        calls = Calls()
        reqs = chained(3, calls)
        await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL))
        acomp_reqchain_clear(reqs[0], CryptoWait())
        left = reqs[1].base.complete
        assert left is not None and left is not calls
        with pytest.raises(ProtocolError, match="over"):
            left(reqs[1].base.data, 0)
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == []

    async def test_every_request_is_in_flight_in_its_own_operation_only(self) -> None:
        reqs = chained(3)
        states: list[list[str]] = []

        def op(req: AcompReq) -> int:
            states.append([each.state for each in reqs])
            return 0

        await acomp_do_req_chain(reqs[0], op)
        assert states == [[("in_flight" if i == turn else "idle") for i in range(3)] for turn in range(3)]


class TestWithoutAsyncFlag:
    """The head is told from the members although nothing was allocated (docs/kernel.md#quirks)."""

    async def test_the_head_is_not_put_into_its_own_list(self) -> None:
        calls = Calls()
        reqs = chained(3, calls, flags=OPTED_IN)
        op = Plain(reqs, {1: -EINVAL})
        assert await acomp_do_req_chain(reqs[0], op) == 0
        assert op.log == [0, 1, 2]
        assert errs(reqs) == [0, -EINVAL, 0]
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == []

    async def test_the_heads_completion_and_data_are_not_replaced(self) -> None:
        calls = Calls()
        reqs = chained(2, calls, flags=OPTED_IN)
        seen: list[object] = []

        def op(req: AcompReq) -> int:
            seen.append(reqs[0].base.data)
            return 0

        await acomp_do_req_chain(reqs[0], op)
        assert seen == [DATA, DATA]
        assert reqs[0].base.complete is calls

    async def test_no_state_is_allocated_so_none_can_be_missing(self) -> None:
        reqs = chained(2, flags=OPTED_IN)
        with fault.installed(lambda point: True):
            assert await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL)) == 0

    @pytest.mark.parametrize("pending", [-EINPROGRESS, -EBUSY])
    async def test_a_pending_code_is_a_broken_driver(self, pending: int) -> None:
        reqs = chained(3, flags=OPTED_IN)
        with pytest.raises(ProtocolError, match="not async"):
            await acomp_do_req_chain(reqs[0], Plain(reqs, {1: pending}))
        assert errs(reqs) == [0, -ECANCELED, -ECANCELED]
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert not any(req.busy for req in reqs)


class TestNoChain:
    """The shortcut: no CHAIN bit, an empty list, or an algorithm that has not opted in: `op(head)`, once."""

    async def test_a_plain_request_is_one_operation_whose_err_is_not_recorded(self) -> None:
        (req,) = requests(1)
        acomp_request_set_callback(req, 0, calls := Calls(), DATA)
        req.base.err = -EAGAIN
        op = Plain([req], {0: -EINVAL})
        assert await acomp_do_req_chain(req, op) == -EINVAL
        assert (op.log, req.base.err, calls) == ([0], -EAGAIN, [])
        assert req.base.complete is calls and req.base.data is DATA
        assert not req.busy

    @pytest.mark.parametrize("code", [0, -EINVAL])
    async def test_a_one_element_chain_is_one_operation_and_records_its_err(self, code: int) -> None:
        """The kernel leaves head.err at -EINPROGRESS (docs/kernel.md#quirks)."""
        reqs = chained(1, calls := Calls())
        assert await acomp_do_req_chain(reqs[0], Plain(reqs, {0: code})) == code
        assert reqs[0].base.err == code
        assert calls == []
        assert reqs[0].base.complete is calls and reqs[0].base.data is DATA

    @pytest.mark.parametrize("flags", [ASYNC, 0])
    async def test_an_algorithm_that_has_not_opted_in_gets_the_head_only(self, flags: int) -> None:
        reqs = chained(3, calls := Calls(), flags=flags)
        op = Plain(reqs, {0: -EINVAL})
        assert await acomp_do_req_chain(reqs[0], op) == -EINVAL
        assert op.log == [0]
        assert errs(reqs[1:]) == [-EINPROGRESS] * 2
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == []
        assert not any(req.busy for req in reqs)

    async def test_a_pending_code_is_returned_as_it_is(self) -> None:
        for code in (-EINPROGRESS, -EBUSY):
            reqs = chained(1, calls := Calls())
            assert await acomp_do_req_chain(reqs[0], Plain(reqs, {0: code})) == code
            assert reqs[0].busy
            complete(reqs[0], -EINVAL)
            assert calls == [(DATA, -EINVAL)]
            assert reqs[0].base.err == -EINVAL
            assert not reqs[0].busy

    async def test_it_allocates_no_state(self) -> None:
        reqs = chained(1)
        with fault.installed(lambda point: True):
            assert await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL)) == 0

    async def test_cancelled_it_records_that(self) -> None:
        reqs = chained(1)

        async def op(req: AcompReq) -> int:
            await asyncio.get_running_loop().create_future()
            return 0

        task = asyncio.ensure_future(acomp_do_req_chain(reqs[0], op))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reqs[0].base.err == -ECANCELED
        assert not reqs[0].busy


class TestAllocationFailure:
    async def test_serial_state_allocation_failure_is_enomem_on_all(self) -> None:
        reqs = chained(3, calls := Calls())
        op = Plain(reqs, FINAL)
        asked: list[str] = []

        def decide(point: str) -> bool:
            asked.append(point)
            return True

        with fault.installed(decide):
            assert await acomp_do_req_chain(reqs[0], op) == -ENOMEM
        assert asked == ["acomp.reqchain_state"]
        assert op.log == []
        assert errs(reqs) == [-ENOMEM] * 3
        assert calls == []
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert reqs[0].base.complete is calls and reqs[0].base.data is DATA
        assert not any(req.busy for req in reqs)

    async def test_a_chain_that_is_running_is_left_alone(self) -> None:
        reqs = chained(3, Calls())
        await acomp_do_req_chain(reqs[0], Plain(reqs, {1: -EINPROGRESS}))
        with fault.installed(lambda point: True), pytest.raises(RequestBusyError):
            await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL))
        assert errs(reqs) == [0, -EINPROGRESS, -EINPROGRESS]
        complete(reqs[1], 0)
        assert errs(reqs) == [0] * 3

    async def test_the_chain_runs_the_next_time(self) -> None:
        reqs = chained(3)
        with fault.installed(lambda point: True):
            await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL))
        assert await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL)) == 0
        assert errs(reqs) == [0] * 3


class TestAsynchronous:
    """A plain op returns a pending code; completions drive the rest."""

    @pytest.mark.parametrize("pending", [-EINPROGRESS, -EBUSY])
    async def test_serial_async_returns_ebusy_and_callbacks_drive_the_rest(self, pending: int) -> None:
        reqs = chained(3, calls := Calls())
        op = Plain(reqs, dict.fromkeys(range(3), pending))
        assert await acomp_do_req_chain(reqs[0], op) == -EBUSY
        assert op.log == [0]
        complete(reqs[0], -1)
        assert (op.log, calls) == ([0, 1], [])
        complete(reqs[1], -2)
        # When the last member goes asynchronous with -EINPROGRESS, that is forwarded, and crypto_req_done ignores it.
        notices = [(DATA, -EINPROGRESS)] if pending == -EINPROGRESS else []
        assert (op.log, calls) == ([0, 1, 2], notices)
        complete(reqs[2], -3)
        assert calls == [*notices, (DATA, -3)], "the original callback once, with the last code"
        assert errs(reqs) == [-1, -2, -3]
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert reqs[0].base.complete is calls and reqs[0].base.data is DATA
        assert not any(req.busy for req in reqs)

    async def test_serial_notices_are_swallowed_while_members_are_pending_and_forwarded_after(self) -> None:
        reqs = chained(3, calls := Calls())
        op = Plain(reqs, dict.fromkeys(range(3), -EBUSY))
        await acomp_do_req_chain(reqs[0], op)
        for turn in range(2):
            complete(reqs[turn], -EINPROGRESS)
            assert (op.log, calls) == (list(range(turn + 1)), [])
            assert reqs[turn].busy
            complete(reqs[turn], 0)
        complete(reqs[2], -EINPROGRESS)
        assert calls == [(DATA, -EINPROGRESS)]
        complete(reqs[2], 0)
        assert calls == [(DATA, -EINPROGRESS), (DATA, 0)]
        assert errs(reqs) == [0] * 3

    @pytest.mark.parametrize(
        ("codes", "result"),
        [
            ({0: -EINPROGRESS}, -EBUSY),
            ({0: -EBUSY}, -EBUSY),
            ({1: -EINPROGRESS}, -EBUSY),
            ({1: -EBUSY}, -EBUSY),
            ({2: -EINPROGRESS}, -EINPROGRESS),
            ({2: -EBUSY}, -EBUSY),
        ],
    )
    async def test_the_code_returned_when_the_run_goes_asynchronous(self, codes: dict[int, int], result: int) -> None:
        reqs = chained(3, calls := Calls())
        op = Plain(reqs, codes)
        assert await acomp_do_req_chain(reqs[0], op) == result
        (at,) = codes
        assert op.log == list(range(at + 1))
        complete(reqs[at], -EINVAL)
        assert op.log == [0, 1, 2]
        assert errs(reqs) == [-EINVAL if number == at else 0 for number in range(3)]
        assert calls == [(DATA, -EINVAL if at == 2 else 0)]
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])

    async def test_the_waiter_gets_the_last_code(self) -> None:
        for last in (0, -EINVAL):
            wait = CryptoWait()
            reqs = chained(3)
            acomp_request_set_callback_of_chain(reqs, wait)
            op = Plain(reqs, dict.fromkeys(range(3), -EINPROGRESS))
            waiter = asyncio.ensure_future(crypto_wait_req(acomp_do_req_chain(reqs[0], op), wait))
            for number, err in enumerate((-EAGAIN, 0, last)):
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert not waiter.done()
                complete(reqs[number], err)
            assert await waiter == last

    async def test_flags_of_members_are_cut_to_may_backlog_when_a_callback_drives(self) -> None:
        reqs = chained(4)
        every = 0xFFFFFFFF & ~CRYPTO_TFM_REQ_CHAIN
        for member in reqs[1:]:
            member.base.flags = every
        op = Plain(reqs, {1: -EINPROGRESS})
        await acomp_do_req_chain(reqs[0], op)
        complete(reqs[1], 0)
        assert [flags for flags, _, _ in op.seen[1:]] == [every, CRYPTO_TFM_REQ_MAY_BACKLOG, CRYPTO_TFM_REQ_MAY_BACKLOG]

    async def test_members_get_the_runners_callback_and_data(self) -> None:
        reqs = chained(3, calls := Calls())
        op = Plain(reqs, FINAL)
        for member in reqs[1:]:
            acomp_request_set_callback(member, 0, calls, DATA)
        await acomp_do_req_chain(reqs[0], op)
        states = [data for _, data, _ in op.seen]
        assert states[0] is states[1] is states[2] is not DATA
        assert calls == [], "the members' own completion functions are never called"

    async def test_the_chain_is_busy_until_the_last_completion(self) -> None:
        reqs = chained(3, Calls())
        await acomp_do_req_chain(reqs[0], Plain(reqs, {0: -EINPROGRESS}))
        assert all(req.busy for req in reqs)
        complete(reqs[0], 0)
        assert not any(req.busy for req in reqs)

    async def test_the_chain_can_be_run_again_from_its_completion(self) -> None:
        results: list[int] = []

        def again(data: object, err: int) -> None:
            results.append(err)
            acomp_reqchain_clear(reqs[0], CryptoWait())
            acomp_reqchain_init(reqs[0], 0, None, DATA)
            for member in reqs[1:]:
                acomp_request_chain(member, reqs[0])

        reqs = chained(3, again)
        await acomp_do_req_chain(reqs[0], Plain(reqs, {1: -EBUSY}))
        complete(reqs[1], -EINVAL)
        assert results == [0]
        assert await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL)) == 0
        assert errs(reqs) == [0] * 3

    async def test_it_works_through_the_transforms_method(self) -> None:
        wait = CryptoWait()
        begun: list[AcompReq] = []

        def op(req: AcompReq) -> int:
            begun.append(req)
            return -EINPROGRESS

        tfm = transform(algorithm(compress=lambda req: acomp_do_req_chain(req, op)))
        reqs = [acomp.acomp_request_alloc(tfm) for _ in range(2)]
        acomp_request_set_callback_of_chain(reqs, wait)
        waiter = asyncio.ensure_future(crypto_wait_req(crypto_acomp_compress(reqs[0]), wait))
        for err in (0, -EINVAL):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            complete(begun[-1], err)
        assert await waiter == -EINVAL
        assert errs(reqs) == [0, -EINVAL]

    async def test_a_single_request_through_the_method_stays_in_flight(self) -> None:
        tfm = transform(algorithm(compress=lambda req: acomp_do_req_chain(req, lambda req: -EINPROGRESS)))
        req, wait = acomp.acomp_request_alloc(tfm), CryptoWait()
        acomp_request_set_callback(req, 0, crypto_req_done, wait)
        waiter = asyncio.ensure_future(crypto_wait_req(crypto_acomp_compress(req), wait))
        for _ in range(3):
            await asyncio.sleep(0)
        assert req.busy and not waiter.done()
        complete(req, -EINVAL)
        assert await waiter == -EINVAL
        assert not req.busy

    async def test_a_cancelled_waiter_does_not_stop_the_chain(self) -> None:
        wait = CryptoWait()
        reqs = chained(2)
        acomp_request_set_callback_of_chain(reqs, wait)
        waiter = asyncio.ensure_future(
            crypto_wait_req(acomp_do_req_chain(reqs[0], Plain(reqs, dict.fromkeys(range(2), -EBUSY))), wait)
        )
        for _ in range(3):
            await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        complete(reqs[0], 0)
        complete(reqs[1], -EINVAL)
        assert errs(reqs) == [0, -EINVAL]
        assert not wait.done, "the completion belonged to the lost waiter"
        assert not any(req.busy for req in reqs)


def acomp_request_set_callback_of_chain(reqs: list[AcompReq], wait: CryptoWait) -> None:
    """A chain of `reqs` whose head completes `wait`."""
    acomp_reqchain_init(reqs[0], 0, crypto_req_done, wait)
    for member in reqs[1:]:
        acomp_request_chain(member, reqs[0])


class TestCoroutines:
    async def test_each_is_awaited_before_the_next_operation_begins(self) -> None:
        log: list[str] = []
        reqs = chained(3, calls := Calls())

        async def op(req: AcompReq) -> int:
            log.append(f"begin {reqs.index(req)}")
            await asyncio.sleep(0)
            log.append(f"end {reqs.index(req)}")
            return -reqs.index(req)

        assert await acomp_do_req_chain(reqs[0], op) == -2
        assert log == [f"{what} {number}" for number in range(3) for what in ("begin", "end")]
        assert errs(reqs) == [0, -1, -2]
        assert calls == []

    @pytest.mark.parametrize("pending", [-EINPROGRESS, -EBUSY])
    @pytest.mark.parametrize("at", [0, 1, 2])
    async def test_one_that_ends_in_a_pending_code_is_a_protocol_error(self, pending: int, at: int) -> None:
        reqs = chained(3, calls := Calls())
        ops = Ops(reqs, {**FINAL, at: pending}, coroutines=True)
        with pytest.raises(ProtocolError, match="must end in a final code"):
            await acomp_do_req_chain(reqs[0], ops.submit)
        assert errs(reqs) == [0] * at + [-ECANCELED] * (3 - at)
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == [] and reqs[0].base.complete is calls and reqs[0].base.data is DATA
        assert not any(req.busy for req in reqs)

    async def test_so_it_is_for_a_single_request(self) -> None:
        reqs = chained(1)
        with pytest.raises(ProtocolError, match="must end in a final code"):
            await acomp_do_req_chain(reqs[0], Ops(reqs, {0: -EBUSY}, coroutines=True).submit)
        assert reqs[0].base.err == -ECANCELED
        assert not reqs[0].busy

    async def test_plain_and_awaitable_codes_may_be_mixed(self) -> None:
        reqs = chained(4)
        later = Ops(reqs, {0: 0, 1: -EINVAL, 2: 0, 3: -EAGAIN}, coroutines=True)
        plain = Plain(reqs, {1: -EINVAL, 3: -EAGAIN})

        def op(req: AcompReq) -> Code:
            return (later.submit if reqs.index(req) % 2 else plain)(req)

        assert await acomp_do_req_chain(reqs[0], op) == -EAGAIN
        assert errs(reqs) == [0, -EINVAL, 0, -EAGAIN]

    async def test_an_awaitable_and_then_a_plain_pending_code(self) -> None:
        reqs = chained(3, calls := Calls())

        async def final() -> int:
            return -EAGAIN

        def op(req: AcompReq) -> Code:
            return final() if req is reqs[0] else -EINPROGRESS

        assert await acomp_do_req_chain(reqs[0], op) == -EBUSY
        complete(reqs[1], 0)
        complete(reqs[2], -EINVAL)
        assert errs(reqs) == [-EAGAIN, 0, -EINVAL]
        assert calls[-1] == (DATA, -EINVAL)

    @pytest.mark.parametrize("future", [False, True])
    @pytest.mark.parametrize("count", [2, 3, 4])
    async def test_a_plain_pending_code_and_then_an_awaitable_is_a_protocol_error(
        self, count: int, future: bool
    ) -> None:
        """Nobody is left to await it. Whoever waits for the chain is told, with -EPROTO on everything unfinished."""
        reqs = chained(count, calls := Calls())

        async def final() -> int:
            return 0

        def op(req: AcompReq) -> Code:
            if req is reqs[0]:
                return -EINPROGRESS
            return asyncio.get_running_loop().create_future() if future else final()

        assert await acomp_do_req_chain(reqs[0], op) == -EBUSY
        with pytest.raises(ProtocolError, match="awaitable after"):
            complete(reqs[0], 0)
        assert errs(reqs) == [0] + [-EPROTO] * (count - 1)
        assert calls == [(DATA, -EPROTO)]
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert reqs[0].base.complete is calls and reqs[0].base.data is DATA
        assert not any(req.busy for req in reqs)

    async def test_any_awaitable_will_do(self) -> None:
        reqs = chained(2)

        def op(req: AcompReq) -> Code:
            future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            future.set_result(-EINVAL)
            return future

        assert await acomp_do_req_chain(reqs[0], op) == -EINVAL
        assert errs(reqs) == [-EINVAL] * 2


class TestBrokenDrivers:
    @pytest.mark.parametrize("at", [0, 1, 2])
    async def test_an_operation_that_raises_ends_the_run(self, at: int) -> None:
        reqs = chained(3, calls := Calls())

        def op(req: AcompReq) -> int:
            if req is reqs[at]:
                raise ZeroDivisionError
            return 0

        with pytest.raises(ZeroDivisionError):
            await acomp_do_req_chain(reqs[0], op)
        assert errs(reqs) == [0] * at + [-ECANCELED] * (3 - at)
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert calls == [] and reqs[0].base.complete is calls
        assert not any(req.busy for req in reqs)

    @pytest.mark.parametrize("told", [True, False])
    async def test_an_operation_that_raises_in_a_completion_still_tells_the_waiter(self, told: bool) -> None:
        calls = Calls()
        reqs = chained(3, calls if told else None)

        def op(req: AcompReq) -> int:
            if req is reqs[1]:
                raise ZeroDivisionError
            return -EINPROGRESS

        await acomp_do_req_chain(reqs[0], op)
        with pytest.raises(ZeroDivisionError):
            complete(reqs[0], 0)
        assert errs(reqs) == [0, -EPROTO, -EPROTO]
        assert calls == ([(DATA, -EPROTO)] if told else [])
        assert not any(req.busy for req in reqs)

    async def test_a_second_completion_of_a_request_is_not_taken_for_the_next_ones(self) -> None:
        reqs = chained(3, calls := Calls())
        await acomp_do_req_chain(reqs[0], Plain(reqs, dict.fromkeys(range(3), -EINPROGRESS)))
        complete(reqs[0], 0)
        with pytest.raises(ProtocolError, match="completed twice"):
            complete(reqs[0], -EINVAL)
        assert reqs[1].busy and errs(reqs) == [0, -EINPROGRESS, -EINPROGRESS]
        complete(reqs[1], -1)
        complete(reqs[2], -2)
        assert errs(reqs) == [0, -1, -2]
        assert calls[-1] == (DATA, -2)

    async def test_completing_from_inside_the_operation_is_refused(self) -> None:
        reqs = chained(2, calls := Calls())

        def op(req: AcompReq) -> int:
            complete(req, 0)
            return -EINPROGRESS

        with pytest.raises(ProtocolError, match="inside its own operation"):
            await acomp_do_req_chain(reqs[0], op)
        assert errs(reqs) == [-ECANCELED] * 2
        assert acomp_chain_members(reqs[0]) == (reqs[1],)
        assert calls == []
        assert not any(req.busy for req in reqs)


class TestCancelled:
    @pytest.mark.parametrize("at", [0, 1, 2])
    async def test_what_is_unfinished_ends_as_ecanceled_and_all_is_restored(self, at: int) -> None:
        reqs = chained(3, calls := Calls())

        async def op(req: AcompReq) -> int:
            if req is reqs[at]:
                await asyncio.get_running_loop().create_future()
            return -EINVAL

        task = asyncio.ensure_future(acomp_do_req_chain(reqs[0], op))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert errs(reqs) == [-EINVAL] * at + [-ECANCELED] * (3 - at)
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert reqs[0].base.complete is calls and reqs[0].base.data is DATA
        assert calls == []
        assert not any(req.busy for req in reqs)
        assert await acomp_do_req_chain(reqs[0], Plain(reqs, FINAL)) == 0

    async def test_before_it_was_awaited_nothing_has_happened(self) -> None:
        reqs = chained(3)
        op = Plain(reqs, FINAL)
        acomp_do_req_chain(reqs[0], op).close()
        assert op.log == []
        assert errs(reqs) == [-EINPROGRESS] * 3
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        assert not any(req.busy for req in reqs)


async def test_the_op_gets_a_request_and_returns_a_code() -> None:
    reqs = chained(2)
    wrong: Callable[[AcompReq], Any] = lambda req: None  # noqa: E731
    with pytest.raises(TypeError):
        await acomp_do_req_chain(reqs[0], cast("Callable[[AcompReq], Code]", wrong))
    assert not any(req.busy for req in reqs)


def test_chains_is_both_flags() -> None:
    assert CHAINS == ASYNC | OPTED_IN
