"""Building and ending chains: the table of docs/kernel.md#chains line by line, and its rules of use."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from errno import EINPROGRESS, EINVAL
from functools import partial
from typing import Any

import pytest

from acomp import (
    CRYPTO_TFM_REQ_CHAIN,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    CRYPTO_TFM_REQ_MAY_SLEEP,
    AcompReq,
    CryptoWait,
    ProtocolError,
    RequestBusyError,
    acomp_chain_members,
    acomp_do_async_req_chain,
    acomp_do_req_chain,
    acomp_is_reqchain,
    acomp_reqchain_clear,
    acomp_reqchain_fill,
    acomp_reqchain_init,
    acomp_request_chain,
    acomp_request_err,
    acomp_request_free,
    acomp_request_get,
    acomp_request_put,
    acomp_request_set_callback,
    acomp_request_set_params,
    crypto_acomp_compress,
    crypto_req_done,
    crypto_wait_req,
    trace,
)
from tests.acomp.algorithms import DATA, PAGE, Calls, Ops, chained, errs, requests


class TestInit:
    def test_sets_the_callback_the_err_the_chain_bit_and_an_empty_list(self) -> None:
        (head,) = requests(1)
        calls = Calls()
        acomp_reqchain_init(head, CRYPTO_TFM_REQ_MAY_SLEEP, calls, DATA)
        assert head.base.complete is calls and head.base.data is DATA
        assert head.base.flags == CRYPTO_TFM_REQ_MAY_SLEEP | CRYPTO_TFM_REQ_CHAIN
        assert head.base.err == -EINPROGRESS
        assert acomp_is_reqchain(head)
        assert acomp_chain_members(head) == ()

    def test_of_an_open_chain_lets_its_members_go(self) -> None:
        head, member, other = chained(3)
        acomp_reqchain_init(head, 0, None, None)
        assert acomp_chain_members(head) == ()
        acomp_request_chain(other, head)
        acomp_request_free(member)
        assert acomp_chain_members(head) == (other,)

    async def test_leftovers_of_a_longer_batch_before_are_unreachable(self) -> None:
        reqs = chained(4)
        ops = Ops(reqs)
        await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll)
        acomp_reqchain_clear(reqs[0], CryptoWait())
        acomp_reqchain_init(reqs[0], 0, None, DATA)
        acomp_request_chain(reqs[1], reqs[0])
        ops = Ops(reqs)
        await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll)
        assert ops.log == ["s0", "s1", "p0", "p1"]
        assert acomp_chain_members(reqs[0]) == (reqs[1],)

    def test_of_a_member_is_refused(self) -> None:
        _head, member = chained(2)
        with pytest.raises(RequestBusyError, match="chained"):
            acomp_reqchain_init(member, 0, None, None)


class TestChain:
    def test_appends_to_the_tail_in_order(self) -> None:
        head, *members = chained(5)
        assert acomp_chain_members(head) == tuple(members)

    def test_sets_the_err_and_touches_nothing_else(self) -> None:
        head, member = requests(2)
        calls = Calls()
        acomp_request_set_params(member, PAGE, bytearray(8), 7, 6)
        acomp_request_set_callback(member, CRYPTO_TFM_REQ_MAY_SLEEP, calls, DATA)
        member.base.err = -EINVAL
        before = (member.src, member.dst, member.slen, member.dlen, member.flags, member.base.flags)
        acomp_reqchain_init(head, 0, None, None)
        acomp_request_chain(member, head)
        assert acomp_request_err(member) == -EINPROGRESS
        assert (member.src, member.dst, member.slen, member.dlen, member.flags, member.base.flags) == before
        assert member.base.complete is calls and member.base.data is DATA
        assert not acomp_is_reqchain(member)

    def test_parameters_may_come_before_or_after(self) -> None:
        head, before, after = requests(3)
        acomp_reqchain_init(head, 0, None, None)
        acomp_request_set_params(before, PAGE, bytearray(8), 8, 8)
        acomp_request_chain(before, head)
        acomp_request_chain(after, head)
        acomp_request_set_params(after, PAGE, bytearray(8), 8, 8)
        acomp_request_set_params(head, PAGE, bytearray(8), 8, 8)
        assert errs([head, before, after]) == [-EINPROGRESS] * 3

    def test_a_head_has_to_be_one(self) -> None:
        head, member = requests(2)
        with pytest.raises(ProtocolError, match="acomp_reqchain_init first"):
            acomp_request_chain(member, head)
        assert not member.chained

    def test_a_request_is_not_chained_to_itself(self) -> None:
        (head,) = chained(1)
        with pytest.raises(ProtocolError, match="itself"):
            acomp_request_chain(head, head)

    def test_a_head_is_not_chained_to_another_until_it_is_cleared(self) -> None:
        first, second = requests(2)
        for head in (first, second):
            acomp_reqchain_init(head, 0, None, None)
        with pytest.raises(ProtocolError, match="head of a chain; clear that first"):
            acomp_request_chain(second, first)
        acomp_reqchain_clear(second, CryptoWait())
        acomp_request_chain(second, first)
        assert acomp_chain_members(first) == (second,)

    def test_a_request_of_another_transform_is_refused_and_both_are_named(self) -> None:
        (head,) = chained(1)
        (stranger,) = requests(1)
        with pytest.raises(ProtocolError, match=f"#{stranger.serial} belongs to another transform.*#{head.serial}"):
            acomp_request_chain(stranger, head)
        assert acomp_chain_members(head) == ()
        assert not stranger.chained

    def test_a_member_is_not_chained_twice(self) -> None:
        head, member = chained(2)
        other = AcompReq(head.tfm)
        acomp_reqchain_init(other, 0, None, None)
        for again in (head, other):
            with pytest.raises(RequestBusyError, match="chained"):
                acomp_request_chain(member, again)
        assert acomp_chain_members(head) == (member,)

    def test_re_adding_to_a_fresh_chain_without_unlinking_is_harmless(self) -> None:
        head, first, second = chained(3)
        acomp_reqchain_clear(head, CryptoWait())
        acomp_reqchain_init(head, 0, None, None)
        acomp_request_chain(second, head)
        acomp_request_chain(first, head)
        assert acomp_chain_members(head) == (second, first)

    def test_a_former_member_may_become_a_head_and_the_head_its_member(self) -> None:
        head, member = chained(2)
        acomp_reqchain_clear(head, CryptoWait())
        acomp_reqchain_init(member, 0, None, None)
        acomp_request_chain(head, member)
        assert acomp_chain_members(member) == (head,)
        assert head.chained and not member.chained


class TestIsReqchain:
    def test_only_heads_are(self) -> None:
        head, member = chained(2)
        (single,) = requests(1)
        assert [acomp_is_reqchain(req) for req in (head, member, single)] == [True, False, False]


class TestClear:
    async def test_chain_clear_turns_the_bit_off_restores_the_callback_and_re_arms_the_wait(self) -> None:
        wait = CryptoWait()
        head, member = requests(2)
        acomp_reqchain_init(head, 0, crypto_req_done, wait)
        acomp_request_chain(member, head)
        ops = Ops([head, member])
        assert await crypto_wait_req(acomp_do_async_req_chain(head, ops.submit, ops.poll), wait) == 0
        assert wait.done, "the head's completion was called and nobody waited"
        acomp_reqchain_clear(head, wait)
        assert not acomp_is_reqchain(head)
        assert head.base.flags == CRYPTO_TFM_REQ_MAY_BACKLOG
        assert head.base.complete is crypto_req_done and head.base.data is wait
        blocked = asyncio.ensure_future(crypto_wait_req(-EINPROGRESS, wait))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not blocked.done(), "it returned early with the chain's result"
        crypto_req_done(wait, -EINVAL)
        assert await blocked == -EINVAL

    def test_members_are_not_visited_and_stay_linked(self) -> None:
        head, first, second = chained(3)
        for member in (first, second):
            member.base.err = -EINVAL
            member.base.data = DATA
        acomp_reqchain_clear(head, CryptoWait())
        assert acomp_chain_members(head) == (first, second)
        assert errs([first, second]) == [-EINVAL] * 2
        assert first.base.data is DATA

    def test_members_are_free_to_be_used_afterwards(self) -> None:
        head, member = chained(2)
        acomp_reqchain_clear(head, None)
        assert not member.chained
        acomp_request_free(member)

    def test_without_a_wait_no_callback_is_left(self) -> None:
        head, _member = chained(2, Calls())
        acomp_reqchain_clear(head, None)
        assert (head.base.complete, head.base.data) == (None, None)
        assert not acomp_is_reqchain(head)

    def test_what_is_no_chain_may_be_cleared(self) -> None:
        wait = CryptoWait()
        crypto_req_done(wait, 0)
        (req,) = requests(1)
        acomp_reqchain_clear(req, wait)
        assert not wait.done
        assert req.base.complete is crypto_req_done

    def test_the_errs_survive_it(self) -> None:
        head, member = chained(2)
        head.base.err = member.base.err = -EINVAL
        acomp_reqchain_clear(head, CryptoWait())
        assert errs([head, member]) == [-EINVAL] * 2


class TestWhileItRuns:
    """From outside nothing about a running chain may change, whichever runner is at it."""

    @pytest.mark.parametrize("serial", [False, True])
    @pytest.mark.parametrize("count", [1, 3])
    async def test_the_whole_chain_is_refused(self, serial: bool, count: int) -> None:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def op(req: AcompReq) -> int:
            return await asyncio.shield(gate)

        reqs = chained(count)
        head, wait = reqs[0], CryptoWait()
        other = AcompReq(head.tfm)
        run = acomp_do_req_chain(head, op) if serial else acomp_do_async_req_chain(head, op, op)
        task = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        for req in reqs:
            assert req.busy
            uses: list[Callable[[], object]] = [
                partial(acomp_request_set_params, req, b"", None, 0, 0),
                partial(acomp_request_set_callback, req, 0, None, None),
                partial(acomp_reqchain_init, req, 0, None, None),
                partial(acomp_reqchain_clear, req, wait),
                partial(acomp_request_free, req),
                partial(crypto_acomp_compress, req),
                partial(acomp_request_chain, other, head),
            ]
            for use in uses:
                with pytest.raises(RequestBusyError):
                    use()
        gate.set_result(0)
        assert await task == 0
        assert errs(reqs) == [0] * count
        assert acomp_chain_members(head) == tuple(reqs[1:])
        acomp_reqchain_clear(head, wait)
        assert not any(req.busy for req in reqs)

    async def test_a_head_that_is_done_is_refused_while_its_members_are_not(self) -> None:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        head, member = chained(2)

        async def op(req: AcompReq) -> int:
            return 0 if req is head else await asyncio.shield(gate)

        task = asyncio.ensure_future(acomp_do_req_chain(head, op))
        await asyncio.sleep(0)
        assert (head.state, member.state) == ("idle", "in_flight")
        with pytest.raises(RequestBusyError, match=f"#{head.serial} cannot be submitted"):
            crypto_acomp_compress(head)
        gate.set_result(0)
        assert await task == 0

    @pytest.mark.parametrize("serial", [False, True])
    @pytest.mark.parametrize("count", [1, 3])
    async def test_a_second_runner_is_refused(self, serial: bool, count: int) -> None:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        submitted = []

        async def op(req: AcompReq) -> int:
            submitted.append(req)
            return await asyncio.shield(gate)

        reqs = chained(count)

        def make() -> Coroutine[Any, Any, int]:
            return acomp_do_req_chain(reqs[0], op) if serial else acomp_do_async_req_chain(reqs[0], op, op)

        first = asyncio.ensure_future(make())
        await asyncio.sleep(0)
        with pytest.raises(RequestBusyError):
            await make()
        assert submitted == [reqs[0]]
        gate.set_result(0)
        assert await first == 0
        assert submitted == reqs

    @pytest.mark.parametrize("serial", [False, True])
    async def test_a_chain_with_a_member_that_a_job_still_holds_is_not_run(self, serial: bool) -> None:
        reqs = chained(3)
        ops = Ops(reqs, dict.fromkeys(range(3), 0))
        acomp_request_get(reqs[2])
        run = acomp_do_req_chain(reqs[0], ops.submit) if serial else None
        with pytest.raises(RequestBusyError, match=f"#{reqs[2].serial} cannot be run"):
            await (run or acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll))
        assert ops.log == []
        assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])
        acomp_request_put(reqs[2])
        assert not any(req.busy for req in reqs)

    async def test_a_finished_chain_runs_again_as_it_is(self) -> None:
        reqs = chained(3)
        for _ in range(3):
            ops = Ops(reqs)
            assert await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll) == 0
            assert ops.log == ["s0", "s1", "s2", "p0", "p1", "p2"]
            assert acomp_chain_members(reqs[0]) == tuple(reqs[1:])


Buffers = tuple[list[AcompReq], list[Any], list[Any], int, int]


def one_by_one(reqs: list[AcompReq], srcs: list[Any], dsts: list[Any], slen: int, dlen: int) -> None:
    for number, (req, src, dst) in enumerate(zip(reqs, srcs, dsts, strict=True)):
        acomp_request_set_params(req, src, dst, slen, dlen)
        if number:
            acomp_request_chain(req, reqs[0])


def source_is(value: Any) -> Callable[[Buffers], Buffers]:
    """The second source is `value`."""

    def change(given: Buffers) -> Buffers:
        reqs, srcs, dsts, slen, dlen = given
        return reqs, [srcs[0], value, *srcs[2:]], dsts, slen, dlen

    return change


def output_is(value: Any) -> Callable[[Buffers], Buffers]:
    """The second destination is `value`."""

    def change(given: Buffers) -> Buffers:
        reqs, srcs, dsts, slen, dlen = given
        return reqs, srcs, [dsts[0], value, *dsts[2:]], slen, dlen

    return change


def lengths_are(slen: Any, dlen: Any) -> Callable[[Buffers], Buffers]:
    return lambda given: (*given[:3], slen, dlen)


def member_is(change: Callable[[AcompReq, AcompReq], Any]) -> Callable[[Buffers], Buffers]:
    """The third request (with the head) was treated so; what is returned takes its place, if anything is."""

    def changed(given: Buffers) -> Buffers:
        reqs = given[0]
        other = change(reqs[2], reqs[0])
        return ([*reqs[:2], other, *reqs[3:]] if other is not None else reqs), *given[1:]

    return changed


def busy_head(given: Buffers) -> Buffers:
    acomp_request_get(given[0][0])
    return given


def freed(req: AcompReq, head: AcompReq) -> None:
    acomp_request_free(req)


def of_another_transform(req: AcompReq, head: AcompReq) -> AcompReq:
    return requests(1)[0]


def that_heads_a_chain(req: AcompReq, head: AcompReq) -> None:
    acomp_reqchain_init(req, 0, None, None)


def not_a_head(given: Buffers) -> Buffers:
    acomp_reqchain_clear(given[0][0], CryptoWait())
    return given


def one_request(given: Buffers) -> Buffers:
    reqs, srcs, dsts, slen, dlen = given
    return reqs[:1], srcs[:1], dsts[:1], slen, dlen


def after(fill: Callable[..., None], change: Callable[[Buffers], Buffers], traced: bool) -> tuple[Any, ...]:
    """What `fill` raised, what became of four requests, and what was traced. Serials count from the head's."""
    reqs = requests(4)
    for req in reqs:
        req.flags, req.output, req.base.err = -1, b"old", -EINVAL
    acomp_reqchain_init(reqs[0], 0, None, None)
    given = change((reqs, [memoryview(PAGE)] * 4, [bytearray(4096) for _ in reqs], 4096, 4096))
    events: list[trace.Event] = []
    error = ""
    with trace.installed(events.append) if traced else nullcontext():
        try:
            fill(*given)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
    base = reqs[0].serial
    return (
        re.sub(r"#(\d+)", lambda number: f"#{int(number[1]) - base}", error),
        [(req.src, req.dst, req.slen, req.dlen, req.flags, req.output, req.base.err, req.state) for req in reqs],
        [req.serial - base for req in acomp_chain_members(reqs[0])],
        [req.chained for req in reqs],
        [(event.kind, {name: int(str(value)) - base for name, value in event.fields.items()}) for event in events],
    )


class TestFill:
    """Ours: whatever it is given, it does and raises what the two calls in a loop would."""

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda given: given, id="plain"),
            pytest.param(one_request, id="head-alone"),
            pytest.param(source_is(PAGE), id="bytes"),
            pytest.param(source_is(bytearray(PAGE)), id="bytearray"),
            pytest.param(source_is(memoryview(PAGE).cast("I")), id="words"),
            pytest.param(source_is(memoryview(PAGE)[::-1]), id="not-contiguous"),
            pytest.param(source_is(memoryview(PAGE)[1:]), id="too-short"),
            pytest.param(source_is(None), id="no-source"),
            pytest.param(source_is(3), id="no-buffer"),
            pytest.param(output_is(None), id="allocated"),
            pytest.param(output_is(memoryview(bytearray(4096))), id="view"),
            pytest.param(output_is(bytearray(4095)), id="small-output"),
            pytest.param(output_is(PAGE), id="read-only-output"),
            pytest.param(lengths_are(0, 0), id="empty"),
            pytest.param(lengths_are(-1, 4096), id="negative-slen"),
            pytest.param(lengths_are(4096, -1), id="negative-dlen"),
            pytest.param(lengths_are(4097, 4096), id="long-slen"),
            pytest.param(lengths_are(4096.0, 4096), id="float"),
            pytest.param(member_is(freed), id="freed"),
            pytest.param(member_is(lambda req, head: acomp_request_get(req)), id="held"),
            pytest.param(member_is(lambda req, head: acomp_request_chain(req, head)), id="chained"),
            pytest.param(member_is(of_another_transform), id="another-transform"),
            pytest.param(member_is(that_heads_a_chain), id="a-head"),
            pytest.param(member_is(lambda req, head: head), id="the-head-again"),
            pytest.param(member_is(lambda req, head: "no request"), id="no-request"),
            pytest.param(not_a_head, id="not-a-head"),
            pytest.param(busy_head, id="busy-head"),
        ],
    )
    @pytest.mark.parametrize("traced", [False, True])
    def test_it_is_the_two_calls_in_a_loop(self, change: Callable[[Buffers], Buffers], traced: bool) -> None:
        assert after(acomp_reqchain_fill, change, traced) == after(one_by_one, change, traced)

    def test_as_many_buffers_as_requests_are_needed(self) -> None:
        reqs = requests(2)
        acomp_reqchain_init(reqs[0], 0, None, None)
        with pytest.raises(ValueError, match="2 requests need as many buffers, not 1 sources and 2 outputs"):
            acomp_reqchain_fill(reqs, [PAGE], [bytearray(8)] * 2, 8, 8)
        acomp_reqchain_fill([], [], [], 8, 8)
        assert acomp_chain_members(reqs[0]) == ()
