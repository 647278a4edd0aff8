"""Requests: their buffers and lengths, who holds them, and what each kind of misuse is answered with."""

import array
import asyncio
import ctypes
import errno
import gc
import mmap
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from errno import EBUSY, EINPROGRESS, EINVAL
from typing import Any, cast

import pytest

import acomp
from acomp import (
    CRYPTO_ACOMP_OUTPUT_ONLY,
    AcompReq,
    CryptoWait,
    ProtocolError,
    RequestBusyError,
    WrongLoopError,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_free,
    acomp_request_get,
    acomp_request_put,
    acomp_request_set_callback,
    acomp_request_set_params,
    acomp_request_when_idle,
    crypto_acomp_compress,
    crypto_acomp_decompress,
    crypto_free_acomp,
    crypto_req_done,
    crypto_wait_req,
)
from tests.acomp.algorithms import CHAINS, DATA, PAGE, Calls, algorithm, chained, requests, transform


def pending_transform() -> acomp.CryptoAcomp:
    """Of an algorithm whose work begins at once and ends when the test completes the request."""
    return transform(algorithm(compress=lambda req: -EINPROGRESS, decompress=lambda req: -EBUSY))


def complete(req: AcompReq, err: int) -> None:
    """What a driver does when a job is over."""
    compl = req.base.complete
    assert compl is not None
    compl(req.base.data, err)


class TestParameters:
    def test_a_new_request_is_zeroed(self) -> None:
        (req,) = requests(1)
        assert (req.src, req.dst, req.slen, req.dlen, req.flags) == (None, None, 0, 0, 0)
        assert (req.base.flags, req.base.complete, req.base.data, req.base.err) == (0, None, None, 0)
        assert not req.busy

    def test_set_params_stores_what_it_is_given(self) -> None:
        (req,) = requests(1)
        dst = bytearray(100)
        acomp_request_set_params(req, PAGE, dst, 50, 60)
        assert req.src is PAGE and req.dst is dst
        assert (req.slen, req.dlen) == (50, 60)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: bytes(64),
            lambda: bytearray(64),
            lambda: memoryview(bytearray(64)),
            lambda: memoryview(bytearray(128))[::1][:64],
            lambda: array.array("I", range(16)),
            lambda: (ctypes.c_double * 8)(),
            lambda: memoryview(bytearray(64)).cast("B", (8, 8)),
            lambda: mmap.mmap(-1, 64),
        ],
        ids=["bytes", "bytearray", "memoryview", "slice", "array", "ctypes", "two dimensions", "mmap"],
    )
    async def test_any_contiguous_buffer_is_a_source_and_a_writable_one_a_destination(
        self, make: Callable[[], Any]
    ) -> None:
        (req,) = requests(1)
        src, dst = make(), make()
        if isinstance(src, mmap.mmap):
            src.write(b"mapped")
        if isinstance(dst, bytes):
            dst = bytearray(64)
        acomp_request_set_params(req, src, dst, 64, 64)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert bytes(memoryview(dst).cast("B")) == bytes(memoryview(src).cast("B"))

    @pytest.mark.parametrize("src", [5, "text", [1, 2], object(), memoryview(bytes(8))[::2]])
    def test_a_source_that_is_no_contiguous_buffer_is_a_type_error(self, src: object) -> None:
        (req,) = requests(1)
        with pytest.raises(TypeError, match=r"src must be .*contiguous"):
            acomp_request_set_params(req, src, bytearray(8), 1, 8)

    @pytest.mark.parametrize("dst", [5, "text", [1, 2], object(), memoryview(bytearray(8))[::2]])
    def test_a_destination_that_is_no_contiguous_buffer_is_a_type_error(self, dst: object) -> None:
        (req,) = requests(1)
        with pytest.raises(TypeError, match=r"dst must be .*contiguous"):
            acomp_request_set_params(req, b"12345678", dst, 8, 1)

    @pytest.mark.parametrize("dst", [bytes(8), memoryview(bytes(8)), memoryview(bytearray(8)).toreadonly()])
    def test_a_read_only_destination_is_a_type_error_that_names_the_remedy(self, dst: object) -> None:
        (req,) = requests(1)
        with pytest.raises(TypeError, match="read-only; use a bytearray"):
            acomp_request_set_params(req, b"12345678", dst, 8, 8)

    @pytest.mark.parametrize(
        ("slen", "dlen", "message"),
        [
            (9, 8, "slen 9 .* 8 bytes of src"),
            (-1, 8, "slen -1"),
            (8, 17, "dlen 17 .* 16 bytes of dst"),
            (8, -1, "dlen -1"),
        ],
    )
    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_lengths_beyond_the_buffers_are_value_errors(
        self, kind: Callable[[bytearray], Any], slen: int, dlen: int, message: str
    ) -> None:
        (req,) = requests(1)
        with pytest.raises(ValueError, match=message):
            acomp_request_set_params(req, kind(bytearray(8)), kind(bytearray(16)), slen, dlen)

    def test_lengths_count_bytes_and_not_elements(self) -> None:
        (req,) = requests(1)
        words = array.array("I", range(4))
        size = 4 * words.itemsize
        acomp_request_set_params(req, words, array.array("I", range(4)), size, size)
        with pytest.raises(ValueError, match="slen"):
            acomp_request_set_params(req, words, array.array("I", range(4)), size + 1, size)

    @pytest.mark.parametrize("wrong", [1.0, "1", None, True, b"1"])
    def test_lengths_that_are_no_ints_are_type_errors(self, wrong: Any) -> None:
        (req,) = requests(1)
        for slen, dlen in ((wrong, 8), (8, wrong)):
            with pytest.raises(TypeError, match="slen and dlen are ints"):
                acomp_request_set_params(req, bytes(8), bytearray(8), slen, dlen)

    def test_a_length_without_a_source_is_a_value_error(self) -> None:
        (req,) = requests(1)
        with pytest.raises(ValueError, match="slen 1"):
            acomp_request_set_params(req, None, bytearray(8), 1, 8)
        acomp_request_set_params(req, None, bytearray(8), 0, 8)

    def test_a_negative_capacity_without_a_destination_is_a_value_error(self) -> None:
        (req,) = requests(1)
        with pytest.raises(ValueError, match="dlen -1"):
            acomp_request_set_params(req, b"x", None, 1, -1)
        assert not req.flags, "a refused call changes nothing"

    def test_a_refused_call_changes_nothing(self) -> None:
        (req,) = requests(1)
        dst = bytearray(8)
        acomp_request_set_params(req, PAGE, dst, 7, 6)
        for arguments in ((PAGE, bytes(8), 1, 1), (PAGE, None, 1, -1), (PAGE, dst, 5000, 1), (5, None, 1, 1)):
            with pytest.raises((TypeError, ValueError)):
                acomp_request_set_params(req, *arguments)
        assert (req.src, req.dst, req.slen, req.dlen, req.flags) == (PAGE, dst, 7, 6, 0)

    async def test_a_failure_leaves_the_capacity_and_a_success_the_length(self) -> None:
        (req,) = requests(1)
        dst = bytearray(100)
        acomp_request_set_params(req, PAGE, dst, 50, 40)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) < 0
        assert req.dlen == 40
        acomp_request_set_params(req, PAGE, dst, 30, 40)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert req.dlen == 30

    async def test_no_view_is_kept_after_completion(self) -> None:
        (req,) = requests(1)
        for kind in (bytearray, lambda octets: memoryview(octets)):
            src, dst = bytearray(PAGE), bytearray(4096)
            given = kind(src), kind(dst)
            acomp_request_set_params(req, *given, 100, 4096)
            assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
            acomp_request_set_params(req, None, None, 0, 0)
            del given
            src.append(0)  # BufferError while a view is out
            dst.append(0)

    async def test_new_parameters_forget_the_output(self) -> None:
        (req,) = requests(1)
        acomp_request_set_params(req, PAGE, bytearray(4096), 4096, 4096)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert req.output == PAGE
        acomp_request_set_params(req, PAGE, bytearray(4096), 4096, 4096)
        assert req.output is None

    def test_an_output_that_cannot_be_copied_changes_nothing(self) -> None:
        (req,) = requests(1)
        dst = bytearray(4096)
        acomp_request_set_params(req, PAGE, dst, 4096, 4096)
        del dst[10:]  # the owner's mistake
        with pytest.raises(ValueError, match="assign"):
            req.deliver(PAGE)
        assert (req.dlen, req.output) == (4096, None)

    async def test_an_owner_who_reads_the_output_only_gets_no_copy(self) -> None:
        (req,) = requests(1)
        req.flags |= CRYPTO_ACOMP_OUTPUT_ONLY
        dst = bytearray(4096)
        acomp_request_set_params(req, PAGE, dst, 4096, 4096)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert (req.output, req.dlen, bytes(dst)) == (PAGE, 4096, bytes(4096))
        acomp_request_set_params(req, PAGE, None, 4096, 4096)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert req.dst == req.output == PAGE, "an allocated output is made in any case"


class TestWhatIsNoRequest:
    @pytest.mark.parametrize(
        "call",
        [
            lambda thing: acomp_request_alloc(thing),
            lambda thing: crypto_free_acomp(thing),
            lambda thing: acomp_request_free(thing),
            lambda thing: acomp_request_set_params(thing, b"", None, 0, 0),
            lambda thing: acomp_request_set_callback(thing, 0, None, None),
            lambda thing: acomp_reqchain_init(thing, 0, None, None),
            lambda thing: acomp_reqchain_clear(thing, None),
            lambda thing: acomp_request_chain(thing, chained(1)[0]),
            lambda thing: acomp_request_chain(requests(1)[0], thing),
            lambda thing: crypto_acomp_compress(thing),
            lambda thing: crypto_acomp_decompress(thing),
        ],
    )
    @pytest.mark.parametrize("thing", [None, "request", 5])
    async def test_is_a_type_error_that_says_what_is_wanted(self, call: Callable[[Any], object], thing: object) -> None:
        with pytest.raises(TypeError, match=f"Crypto|AcompReq.*{type(thing).__name__}"):
            call(thing)

    def test_a_completion_must_be_callable(self) -> None:
        (req,) = requests(1)
        for wrong in ("done", 5):
            with pytest.raises(TypeError, match="completion"):
                acomp_request_set_callback(req, 0, cast(Any, wrong), None)
            with pytest.raises(TypeError, match="completion"):
                acomp_reqchain_init(req, 0, cast(Any, wrong), None)
        assert not acomp.acomp_is_reqchain(req)

    def test_flags_must_be_an_int(self) -> None:
        (req,) = requests(1)
        with pytest.raises(TypeError, match="flags"):
            acomp_request_set_callback(req, cast(Any, "0"), None, None)


USES: dict[str, Callable[[AcompReq], object]] = {
    "set_params": lambda req: acomp_request_set_params(req, PAGE, bytearray(4096), 4096, 4096),
    "set_callback": lambda req: acomp_request_set_callback(req, 0, None, None),
    "init": lambda req: acomp_reqchain_init(req, 0, None, None),
    "chain": lambda req: acomp_request_chain(req, chain_head_beside(req)),
    "compress": crypto_acomp_compress,
    "decompress": crypto_acomp_decompress,
    "free": acomp_request_free,
}
"""Everything that its owner can do with a request."""


def chain_head_beside(req: AcompReq) -> AcompReq:
    head = AcompReq(req.tfm)  # not acomp_request_alloc: the transform may be freed here
    head.base.flags = acomp.CRYPTO_TFM_REQ_CHAIN
    return head


each_use = pytest.mark.parametrize("use", USES)


class TestBusy:
    @each_use
    @pytest.mark.parametrize("method", [crypto_acomp_compress, crypto_acomp_decompress])
    async def test_in_flight_with_a_plain_code(self, use: str, method: Callable[[AcompReq], acomp.Code]) -> None:
        calls = Calls()
        req = acomp_request_alloc(pending_transform())
        acomp_request_set_callback(req, 0, calls, DATA)
        assert method(req) in (-EINPROGRESS, -EBUSY)
        assert req.busy
        with pytest.raises(RequestBusyError, match="in flight") as refused:
            USES[use](req)
        assert refused.value.errno == EBUSY
        complete(req, 0)
        assert calls == [(DATA, 0)]
        assert req.state == "idle"
        USES[use](req)

    @each_use
    async def test_in_flight_in_a_coroutine(self, use: str) -> None:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def work() -> int:
            return await gate

        req = acomp_request_alloc(transform(algorithm(compress=lambda req: work())))
        task = asyncio.ensure_future(crypto_wait_req(crypto_acomp_compress(req), None))
        await asyncio.sleep(0)
        assert req.busy
        with pytest.raises(RequestBusyError, match="in flight"):
            USES[use](req)
        gate.set_result(-EINVAL)
        assert await task == -EINVAL
        assert not req.busy

    async def test_nothing_has_begun_until_a_coroutine_is_awaited(self) -> None:
        begun = []

        async def work(req: AcompReq) -> int:
            begun.append(req)
            return 0

        req = acomp_request_alloc(transform(algorithm(compress=work)))
        code = crypto_acomp_compress(req)
        for _ in range(2):
            assert req.state == "idle"
            assert begun == []
            await asyncio.sleep(0)
        acomp_request_set_params(req, PAGE, bytearray(4096), 1, 1)
        assert await cast(Awaitable[int], code) == 0
        assert begun == [req]

    async def test_of_two_coroutines_for_one_request_the_second_is_refused(self) -> None:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def work(req: AcompReq) -> int:
            return await gate

        req = acomp_request_alloc(transform(algorithm(compress=work)))
        first, second = crypto_acomp_compress(req), crypto_acomp_compress(req)
        task = asyncio.ensure_future(crypto_wait_req(first, None))
        await asyncio.sleep(0)
        with pytest.raises(RequestBusyError):
            await crypto_wait_req(second, None)
        gate.set_result(0)
        assert await task == 0
        assert not req.busy

    async def test_so_is_the_second_of_two_futures(self) -> None:
        gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        req = acomp_request_alloc(transform(algorithm(compress=lambda req: gate)))
        first, second = crypto_acomp_compress(req), crypto_acomp_compress(req)
        task = asyncio.ensure_future(crypto_wait_req(first, None))
        await asyncio.sleep(0)
        with pytest.raises(RequestBusyError):
            await crypto_wait_req(second, None)
        gate.set_result(0)
        assert await task == 0

    async def test_a_coroutine_that_ends_in_a_pending_code_leaves_the_request_in_flight(self) -> None:
        async def work(req: AcompReq) -> int:
            return -EINPROGRESS

        wait = CryptoWait()
        req = acomp_request_alloc(transform(algorithm(compress=work)))
        acomp_request_set_callback(req, 0, crypto_req_done, wait)
        task = asyncio.ensure_future(crypto_wait_req(crypto_acomp_compress(req), wait))
        await asyncio.sleep(0)
        assert req.busy and not task.done()
        complete(req, -EINVAL)
        assert await task == -EINVAL
        assert not req.busy

    async def test_a_method_that_raises_leaves_the_request_idle(self) -> None:
        def broken(req: AcompReq) -> int:
            raise ZeroDivisionError

        async def late(req: AcompReq) -> int:
            raise ZeroDivisionError

        for method in (broken, late):
            req = acomp_request_alloc(transform(algorithm(compress=method)))
            with pytest.raises(ZeroDivisionError):
                await crypto_wait_req(crypto_acomp_compress(req), None)
            assert not req.busy

    async def test_a_cancelled_coroutine_leaves_the_request_idle(self) -> None:
        async def work(req: AcompReq) -> int:
            await asyncio.get_running_loop().create_future()
            return 0

        req = acomp_request_alloc(transform(algorithm(compress=work)))
        task = asyncio.ensure_future(crypto_wait_req(crypto_acomp_compress(req), None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not req.busy

    async def test_a_completion_may_submit_its_request_again(self) -> None:
        again: list[acomp.Code] = []

        def resubmit(data: object, err: int) -> None:
            again.append(crypto_acomp_decompress(req))

        async def work(req: AcompReq) -> int:
            return await acomp.acomp_do_async_req_chain(req, lambda req: 0, lambda req: 0)

        req = acomp_request_alloc(transform(algorithm(compress=work, decompress=lambda req: -EINPROGRESS)))
        acomp_request_set_callback(req, 0, resubmit, None)
        assert await crypto_wait_req(crypto_acomp_compress(req), None) == 0
        assert again == [-EINPROGRESS]
        assert req.busy, "its second operation is still in flight"

    @each_use
    async def test_held_by_a_job(self, use: str) -> None:
        (req,) = requests(1)
        acomp_request_get(req)
        acomp_request_get(req)
        for _ in range(2):
            assert req.busy
            with pytest.raises(RequestBusyError):
                USES[use](req)
            acomp_request_put(req)
        assert not req.busy
        with pytest.raises(ProtocolError, match="not held"):
            acomp_request_put(req)
        USES[use](req)

    @pytest.mark.parametrize("use", ["init", "chain", "compress", "decompress", "free"])
    async def test_a_member_of_a_chain_is_refused(self, use: str) -> None:
        head, member = chained(2)
        with pytest.raises(RequestBusyError, match=f"chained to #{head.serial}.*acomp_reqchain_clear"):
            USES[use](member)
        acomp_reqchain_clear(head, None)
        USES[use](member)

    def test_a_member_of_a_chain_can_be_given_parameters_and_a_callback(self) -> None:
        _head, member = chained(2)
        USES["set_params"](member)
        USES["set_callback"](member)
        assert member.chained


class TestFreed:
    @each_use
    async def test_a_freed_request_is_good_for_nothing(self, use: str) -> None:
        (req,) = requests(1)
        acomp_request_free(req)
        with pytest.raises(ProtocolError, match="freed"):
            USES[use](req)

    @each_use
    async def test_a_request_of_a_freed_transform_is_good_for_nothing_but_to_be_freed(self, use: str) -> None:
        (req,) = requests(1)
        crypto_free_acomp(req.tfm)
        if use == "free":
            acomp_request_free(req)
            return
        with pytest.raises(ProtocolError, match="transform was freed"):
            USES[use](req)

    def test_freeing_twice_is_said_plainly(self) -> None:
        (req,) = requests(1)
        acomp_request_free(req)
        with pytest.raises(ProtocolError, match=f"#{req.serial} was freed already"):
            acomp_request_free(req)

    def test_a_freed_transform(self) -> None:
        tfm = transform(algorithm())
        crypto_free_acomp(tfm)
        with pytest.raises(ProtocolError, match="freed; allocate another"):
            acomp_request_alloc(tfm)
        with pytest.raises(ProtocolError, match="freed"):
            crypto_free_acomp(tfm)

    async def test_a_transform_with_a_busy_request_is_not_freed(self) -> None:
        tfm = pending_transform()
        req = acomp_request_alloc(tfm)
        crypto_acomp_compress(req)
        with pytest.raises(RequestBusyError, match="1 requests"):
            crypto_free_acomp(tfm)
        acomp_request_set_callback_when_done(req)
        crypto_free_acomp(tfm)

    async def test_a_completion_after_the_end_is_an_error(self) -> None:
        req = acomp_request_alloc(pending_transform())
        acomp_request_set_callback(req, 0, Calls(), DATA)
        crypto_acomp_compress(req)
        compl = req.base.complete
        assert compl is not None
        compl(DATA, 0)
        with pytest.raises(ProtocolError, match="completed twice"):
            compl(DATA, 0)
        acomp_request_free(req)
        with pytest.raises(ProtocolError, match=r"completed twice.*freed"):
            compl(DATA, 0)

    async def test_the_head_of_an_open_chain_lets_its_members_go_when_freed(self) -> None:
        head, member = chained(2)
        acomp_request_free(head)
        assert not member.chained
        with pytest.raises(ProtocolError, match="freed"):
            acomp_request_chain(member, head)
        acomp_request_free(member)

    def test_freeing_drops_what_the_request_referred_to(self) -> None:
        class Data:
            pass

        (req,) = requests(1)
        data = Data()
        seen = weakref.ref(data)
        acomp_request_set_callback(req, 0, None, data)
        acomp_request_free(req)
        del data
        gc.collect()
        assert seen() is None


def acomp_request_set_callback_when_done(req: AcompReq) -> None:
    """End the request's operation, which has no completion function."""
    compl = req.base.complete
    assert compl is not None
    compl(None, 0)


class TestCompletion:
    async def test_the_request_is_idle_when_its_completion_function_is_called(self) -> None:
        seen = []
        req = acomp_request_alloc(pending_transform())
        acomp_request_set_callback(req, 0, lambda data, err: seen.append((data, err, req.busy)), DATA)
        crypto_acomp_compress(req)
        complete(req, -EINVAL)
        assert seen == [(DATA, -EINVAL, False)]

    async def test_a_backlog_notice_is_passed_on_and_ends_nothing(self) -> None:
        calls = Calls()
        req = acomp_request_alloc(pending_transform())
        acomp_request_set_callback(req, 0, calls, DATA)
        crypto_acomp_compress(req)
        complete(req, -EINPROGRESS)
        assert calls == [(DATA, -EINPROGRESS)]
        assert req.busy
        complete(req, 0)
        assert calls == [(DATA, -EINPROGRESS), (DATA, 0)]

    async def test_a_synchronous_method_calls_no_completion_function(self) -> None:
        calls = Calls()
        (req,) = requests(1)
        acomp_request_set_callback(req, 0, calls, DATA)
        acomp_request_set_params(req, PAGE, bytearray(4096), 4096, 4096)
        assert crypto_acomp_compress(req) == 0
        assert calls == []

    def test_an_idle_request_shows_its_own_completion_function(self) -> None:
        (req,) = requests(1)
        acomp_request_set_callback(req, 0, crypto_req_done, DATA)
        assert req.base.complete is crypto_req_done
        assert req.base.data is DATA


class TestRequestsIdle:
    async def test_idle_and_freed_ones_are_not_waited_for(self) -> None:
        idle, freed = requests(2)
        acomp.acomp_request_free(freed)
        await acomp.requests_idle([idle, freed])
        await acomp.requests_idle([])

    async def test_it_waits_for_every_job_in_whatever_order_they_land(self) -> None:
        reqs = requests(3)
        for req in reqs:
            acomp_request_get(req)
        acomp_request_get(reqs[1])
        waiting = asyncio.ensure_future(acomp.requests_idle(iter(reqs)))
        for req in (reqs[1], reqs[2], reqs[0]):
            await asyncio.sleep(0)
            assert not waiting.done()
            acomp_request_put(req)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        acomp_request_put(reqs[1])
        await waiting

    async def test_a_wait_that_is_cancelled_does_not_disturb_the_next(self) -> None:
        (req,) = requests(1)
        acomp_request_get(req)
        for _ in range(2):
            waiting = asyncio.ensure_future(acomp.requests_idle([req]))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        asyncio.get_running_loop().call_soon(acomp_request_put, req)
        await acomp.requests_idle([req])
        assert not req.busy

    async def test_what_is_no_request_is_refused_before_anything_is_waited_for(self) -> None:
        (req,) = requests(1)
        acomp_request_get(req)
        with pytest.raises(TypeError, match="expected an AcompReq"):
            await acomp.requests_idle([req, "no request"])  # type: ignore[list-item]


class TestWhenIdle:
    def test_an_idle_request_calls_at_once(self) -> None:
        (req,) = requests(1)
        calls: list[int] = []
        acomp_request_when_idle(req, lambda: calls.append(1))
        assert calls == [1]
        acomp_request_get(req)
        acomp_request_put(req)
        assert calls == [1], "and never again"

    async def test_a_busy_one_calls_once_when_nobody_holds_it_any_more(self) -> None:
        calls: list[int] = []
        req = acomp_request_alloc(pending_transform())
        acomp_request_set_callback(req, 0, Calls(), None)
        crypto_acomp_compress(req)
        acomp_request_get(req)
        acomp_request_when_idle(req, lambda: calls.append(1))
        acomp_request_when_idle(req, lambda: calls.append(2))
        complete(req, 0)
        assert calls == []
        acomp_request_put(req)
        assert calls == [1, 2]
        crypto_acomp_compress(req)
        complete(req, 0)
        assert calls == [1, 2]


class TestLoops:
    def test_no_running_loop_is_an_error(self) -> None:
        (req,) = requests(1)
        with pytest.raises(WrongLoopError, match="running event loop") as refused:
            crypto_acomp_compress(req)
        assert refused.value.errno == errno.EXDEV
        assert not req.busy

    def test_a_transform_belongs_to_the_loop_that_first_uses_it(self) -> None:
        (req,) = requests(1)
        acomp_request_set_params(req, PAGE, bytearray(4096), 4096, 4096)

        async def use() -> int:
            return await crypto_wait_req(crypto_acomp_compress(req), None)

        with asyncio.Runner() as first, asyncio.Runner() as second:
            assert first.run(use()) == 0
            with pytest.raises(WrongLoopError, match="another event loop; allocate one per loop"):
                second.run(use())
            assert not req.busy
            assert first.run(use()) == 0

    def test_requests_can_be_made_and_prepared_before_there_is_a_loop(self) -> None:
        head, _member = chained(2)
        acomp_request_set_params(head, PAGE, bytearray(4096), 4096, 4096)
        assert acomp.acomp_is_reqchain(head)


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "number"),
        [
            (acomp.AcompError, errno.EINVAL),
            (acomp.ProtocolError, errno.EPROTO),
            (acomp.RequestBusyError, errno.EBUSY),
            (acomp.WrongLoopError, errno.EXDEV),
            (acomp.AlgorithmNotFoundError, errno.ENOENT),
        ],
    )
    def test_each_is_an_acomp_error_and_carries_a_positive_errno(
        self, error: type[acomp.AcompError], number: int
    ) -> None:
        assert issubclass(error, acomp.AcompError)
        assert error("cause").errno == number


class TestRepr:
    async def test_a_request_tells_its_driver_its_state_and_its_role(self) -> None:
        head, member = chained(2)
        assert f"#{head.serial} null-test idle head of 1" in repr(head)
        assert f"chained to #{head.serial}" in repr(member)
        acomp_request_get(member)
        assert "held by 1" in repr(member)
        acomp_request_put(member)
        acomp_reqchain_clear(head, None)
        acomp_request_free(head)
        assert "freed" in repr(head)

    async def test_a_transform_tells_what_is_in_flight(self) -> None:
        tfm = pending_transform()
        req = acomp_request_alloc(tfm)
        assert repr(tfm) == "<CryptoAcomp null-test: 1 requests, 0 busy>"
        acomp_request_set_callback(req, 0, None, None)
        crypto_acomp_compress(req)
        assert repr(tfm) == "<CryptoAcomp null-test: 1 requests, 1 busy>"
        acomp_request_set_callback_when_done(req)
        crypto_free_acomp(tfm)
        assert repr(tfm) == "<CryptoAcomp null-test: freed>"


def test_the_flags_have_the_kernels_values() -> None:
    assert CHAINS == 0x80 | 0x40000
    assert (acomp.CRYPTO_ACOMP_ALLOC_OUTPUT, acomp.CRYPTO_ACOMP_REQ_POLL) == (0x1, 0x2)
    assert (
        acomp.CRYPTO_TFM_REQ_MAY_SLEEP,
        acomp.CRYPTO_TFM_REQ_MAY_BACKLOG,
        acomp.CRYPTO_TFM_REQ_CHAIN,
    ) == (0x200, 0x400, 0x800)
    assert (acomp.CRYPTO_ACOMP_DST_MAX, acomp.PAGE_SIZE) == (131072, 4096)


class TestWhatIsNoRequestOrTransform:
    @pytest.mark.parametrize(
        "call",
        [
            acomp.acomp_is_reqchain,
            acomp.acomp_chain_members,
            acomp.acomp_request_err,
            acomp.acomp_request_free,
            acomp.crypto_acomp_batch_size,
            acomp.acomp_is_async,
            acomp.acomp_has_async_batching,
            acomp.crypto_free_acomp,
            acomp.acomp_request_alloc,
        ],
    )
    def test_is_a_type_error_that_says_what_was_expected(self, call: Any) -> None:
        with pytest.raises(TypeError, match=r"expected an? "):
            call(None)

    async def test_pages_want_a_transform(self) -> None:
        not_a_transform: Any = None
        with pytest.raises(TypeError, match="expected a CryptoAcomp"):
            await acomp.compress_pages(not_a_transform, [b"page"])

    async def test_a_chain_is_cleared_with_a_wait(self) -> None:
        with acomp.registry():
            head = acomp.acomp_request_alloc(acomp.crypto_alloc_acomp("zstd"))
            not_a_wait: Any = "wait"
            with pytest.raises(TypeError, match="CryptoWait or None"):
                acomp.acomp_reqchain_clear(head, not_a_wait)


class TestWhatIsNoCode:
    @pytest.mark.parametrize("wrong", [5, True])
    @pytest.mark.parametrize("members", [0, 2])
    async def test_a_runner_refuses_a_positive_code_and_restores_the_chain(self, wrong: int, members: int) -> None:
        alg = acomp.AcompAlg(
            cra_name="wrong",
            cra_driver_name="wrong-codes",
            cra_priority=1,
            cra_flags=acomp.CRYPTO_ALG_ASYNC | acomp.CRYPTO_ALG_REQ_CHAIN,
            compress=lambda req: 0,
            decompress=lambda req: 0,
        )
        with acomp.registry():
            acomp.crypto_register_acomp(alg)
            tfm = acomp.crypto_alloc_acomp("wrong")
            reqs = [acomp.acomp_request_alloc(tfm) for _ in range(1 + members)]
            head, *rest = reqs
            runs: tuple[Callable[[], Coroutine[Any, Any, int]], ...] = (
                lambda: acomp.acomp_do_req_chain(head, lambda req: wrong),
                lambda: acomp.acomp_do_async_req_chain(head, lambda req: wrong, lambda req: 0),
                lambda: acomp.acomp_do_async_req_chain(
                    head, lambda req: -errno.EINPROGRESS, lambda req: wrong, None, id
                ),
            )
            for run in runs:
                acomp.acomp_reqchain_init(head, 0, None, None)
                for member in rest:
                    acomp.acomp_request_chain(member, head)
                with pytest.raises(acomp.ProtocolError, match="0 or a negative errno"):
                    await run()
                assert set(acomp.acomp_chain_members(head)) == set(rest)
                assert not any(req.busy for req in reqs)


class TestIdleCallbacks:
    def test_each_is_called_whatever_another_one_raises(self) -> None:
        called: list[str] = []

        def fails() -> None:
            called.append("first")
            raise ValueError("of the first")

        with acomp.registry():
            req = acomp.acomp_request_alloc(acomp.crypto_alloc_acomp("zstd"))
            acomp.acomp_request_get(req)
            acomp.acomp_request_when_idle(req, fails)
            acomp.acomp_request_when_idle(req, lambda: called.append("second"))
            with pytest.raises(ValueError, match="of the first"):
                acomp.acomp_request_put(req)
            assert called == ["first", "second"]
            assert not req.busy
