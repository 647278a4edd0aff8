"""The helpers that ship: `check_conformance` finds each kind of broken algorithm, `sweep_cancel` each kind of broken
coroutine.
"""

import ast
import asyncio
import inspect
import itertools
import re
from collections.abc import Awaitable, Callable, Iterator
from errno import E2BIG, EAGAIN, ECANCELED, EINPROGRESS, EINVAL, EIO
from typing import Any, cast

import pytest

import acomp
from acomp import (
    CRYPTO_ACOMP_OUTPUT_ONLY,
    PAGE_SIZE,
    AcompReq,
    Code,
    acomp_do_async_req_chain,
    acomp_request_get,
    acomp_request_put,
    testing,
)
from acomp.testing import batches, check_conformance, sweep, sweep_cancel
from acomp.testing import conformance as conformance_check
from tests.acomp.algorithms import ASYNC, CHAINS, PAGE, Mode, Stepped, algorithm, copy

Method = Callable[[AcompReq], Code]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[acomp.Registry]:
    with acomp.registry() as registry:
        yield registry


async def conformance(**options: Any) -> None:
    """Check the copying algorithm with something replaced."""
    assert acomp.crypto_register_acomp(algorithm(**{"flags": 0, **options})) == 0
    await check_conformance("null-test")


async def test_the_null_algorithm_conforms() -> None:
    await conformance()


@pytest.mark.parametrize("mode", ["parallel", "serial", "interrupt"])
async def test_the_stepped_device_conforms_in_every_mode(mode: Mode) -> None:
    acomp.crypto_register_acomp(Stepped(mode, auto=True).tfm.alg)
    await check_conformance("null-test")


async def test_an_unknown_algorithm_is_not_a_broken_one() -> None:
    with pytest.raises(acomp.AlgorithmNotFoundError):
        await check_conformance("null-test")


def write(req: AcompReq, at: int, octets: bytes) -> None:
    with memoryview(req.dst) as view:
        view[at : at + len(octets)] = octets


def wrong_plain(req: AcompReq) -> int:
    code = copy(req)
    if code == 0 and req.dlen > 100:
        req.dst[50] ^= 1
        req.output = None
    return code


def beyond_the_capacity(req: AcompReq) -> int:
    write(req, req.dlen, b"!")
    return copy(req)


def no_length(req: AcompReq) -> int:
    capacity = req.dlen
    code = copy(req)
    req.dlen = capacity
    req.output = None
    return code


def length_beyond(req: AcompReq) -> int:
    code = copy(req)
    if code == 0:
        req.dlen += 10_000
    req.output = None
    return code


def empty_success(req: AcompReq) -> int:
    code = copy(req)
    if code == 0:
        req.dlen = 0
    req.output = None
    return code


def length_lost_on_failure(req: AcompReq) -> int:
    code = copy(req)
    if code:
        req.dlen = 0
    return code


def positive_errno(req: AcompReq) -> int:
    return -copy(req)


def nothing(req: AcompReq) -> int:
    copy(req)
    return cast(int, None)


def raises(req: AcompReq) -> int:
    if req.slen > req.dlen:
        raise ValueError("too small")
    return copy(req)


async def raises_later(req: AcompReq) -> int:
    await asyncio.sleep(0)
    return raises(req)


def truncates(req: AcompReq) -> int:
    if not req.slen:
        return -EINVAL
    req.deliver(bytes(req.source())[: req.dlen])
    return 0


def accepts_nothing(req: AcompReq) -> int:
    if req.slen:
        return copy(req)
    req.deliver(b"x")
    return 0


def changes_its_source(req: AcompReq) -> int:
    code = copy(req)
    if isinstance(req.src, bytearray) and code == 0:
        req.src[0] ^= 1
    return code


def stuck_after_a_failure() -> Method:
    failed: list[int] = []

    def method(req: AcompReq) -> int:
        code = copy(req)
        if code:
            failed.append(code)
        return code or (-EIO if failed else 0)

    return method


def keeps_a_view(of: str) -> Method:
    kept = []

    def method(req: AcompReq) -> int:
        kept.append(memoryview(getattr(req, of)))
        return copy(req)

    return method


def other_bytes_each_time() -> Method:
    turn = itertools.count()

    def method(req: AcompReq) -> int:
        code = copy(req)
        if code == 0:
            req.dst[0] = next(turn) % 256
            req.output = None
        return code

    return method


def remembers_plain_forms() -> Method:
    """A cache by how the stream begins: a truncated one comes back whole."""
    seen: list[bytes] = []

    def method(req: AcompReq) -> int:
        capacity = req.dlen
        code = copy(req)
        if code == 0:
            stream = bytes(req.source())
            seen.append(stream)
            req.deliver(max((plain for plain in seen if plain.startswith(stream) and len(plain) <= capacity), key=len))
        return code

    return method


def one_buffer_for_all() -> Method:
    shared = bytearray()

    async def method(req: AcompReq) -> int:
        shared[:] = bytes(req.source())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not shared or not req.slen:
            return -EINVAL
        if len(shared) > req.dlen:
            return -E2BIG
        req.deliver(bytes(shared))
        return 0

    return method


def another_output_object(req: AcompReq) -> int:
    code = copy(req)
    if code == 0:
        req.output = b"something else"
    return code


def answers(code: int, to: Callable[[AcompReq], bool]) -> Method:
    """The copying method, that has a code of its own for some requests."""
    return lambda req: code if to(req) else copy(req)


def nothing_given(req: AcompReq) -> bool:
    return not req.slen


def too_long(req: AcompReq) -> bool:
    return req.slen > req.dlen


def cut_short(req: AcompReq) -> bool:
    """What the check cuts its text page to, and no other length that it uses."""
    return req.slen == PAGE_SIZE - 1


def no_output(req: AcompReq) -> int:
    if req.flags & CRYPTO_ACOMP_OUTPUT_ONLY and req.slen:
        return 0
    return copy(req)


async def swallows_cancellation(req: AcompReq) -> int:
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        return -EIO
    return copy(req)


def fails_after_a_cancellation() -> Method:
    cancelled: list[AcompReq] = []

    async def method(req: AcompReq) -> int:
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            cancelled.append(req)
            raise
        return -EIO if cancelled else copy(req)

    return method


RULE = re.compile(r"rule ([1-9]|1[01]): ")
"""How a failure begins: the rules are those of the docstring."""


def broken_algorithms() -> dict[str, tuple[dict[str, Method], str]]:
    """What is wrong, the methods (fresh ones each time, for some have a memory), and what the check says."""
    return {
        "other bytes come back": ({"decompress": wrong_plain}, "^rule 9: .*decompress gave 0"),
        "compress writes on": ({"compress": beyond_the_capacity}, "^rule 2: .*wrote beyond the capacity"),
        "decompress writes on": ({"decompress": beyond_the_capacity}, "^rule 2: .*wrote beyond the capacity"),
        "dlen stays the capacity": ({"compress": no_length}, "decompress gave -7"),
        "dlen is beyond": ({"compress": length_beyond}, "^rule 3: .*dlen 10001 with a capacity"),
        "dlen is 0": ({"compress": empty_success}, "^rule 3: .*dlen 0"),
        "compress loses the capacity": ({"compress": length_lost_on_failure}, "^rule 4: .*still the capacity"),
        "decompress loses the capacity": ({"decompress": length_lost_on_failure}, "^rule 4: .*still the capacity"),
        "the errno is positive": ({"compress": positive_errno}, "^rule 1: .*0 or a negative errno"),
        "no code at all": ({"compress": nothing}, "raised TypeError"),
        "an exception": ({"compress": raises}, "^rule 1: .*crypto_acomp_compress raised ValueError"),
        "an exception, later": ({"decompress": raises_later}, "crypto_acomp_decompress raised ValueError"),
        "compress cuts the output": ({"compress": truncates}, "gave 0"),
        "decompress cuts the output": ({"decompress": truncates}, "gave 0"),
        "nothing is something": ({"compress": accepts_nothing}, "^rule 5: .*of nothing gave 0"),
        "the source changes": ({"compress": changes_its_source}, "^rule 2: .*changed its source"),
        "no success after a failure": (
            {"decompress": stuck_after_a_failure()},
            "^rule 4: .*not work any more after a failure",
        ),
        "a view of src is kept": ({"compress": keeps_a_view("src")}, "^rule 2: .*kept a view of its source"),
        "a view of dst is kept": ({"compress": keeps_a_view("dst")}, "kept a view of its destination"),
        "other bytes each time": ({"compress": other_bytes_each_time()}, "decompress gave 0|other bytes"),
        "a truncated stream is completed": ({"decompress": remembers_plain_forms()}, "^rule 5: .*came back whole"),
        "one buffer for all": (
            {"compress": one_buffer_for_all(), "decompress": one_buffer_for_all()},
            "concurrent requests",
        ),
        "output is another object": ({"compress": another_output_object}, r"req\.output"),
        "compress never works": ({"compress": lambda req: -EIO}, "compress gave -5"),
        "nothing is a failed device": ({"compress": answers(-EIO, nothing_given)}, "of nothing gave -5, not -EINVAL"),
        "nothing is too long": ({"decompress": answers(-E2BIG, nothing_given)}, "of nothing gave -7, not -EINVAL"),
        "too long is a failed device": (
            {"compress": answers(-EIO, too_long)},
            "^rule 6: .*needed, gave -5, not -ENOSPC",
        ),
        "too long is tried again": ({"decompress": answers(-EAGAIN, too_long)}, "needed, gave -11"),
        "a cut stream is a failed device": ({"decompress": answers(-EIO, cut_short)}, "truncated stream gave -5"),
        "-ECANCELED": ({"compress": answers(-ECANCELED, too_long)}, "^rule 7: .*answered -ECANCELED"),
        "OUTPUT_ONLY loses the output": ({"decompress": no_output}, "^rule 3: .*left the output nowhere"),
        "a cancellation is swallowed": ({"compress": swallows_cancellation}, "^rule 7: .*was cancelled and went on"),
        "no success after a cancellation": ({"decompress": fails_after_a_cancellation()}, "gave -5 after one that was"),
        "decompress never works": ({"decompress": lambda req: -EIO}, "decompress gave -5"),
    }


@pytest.mark.parametrize("what", broken_algorithms())
async def test_a_broken_algorithm_is_found(what: str) -> None:
    broken, message = broken_algorithms()[what]
    with pytest.raises(AssertionError, match=message) as found:
        await conformance(**broken)
    assert RULE.match(str(found.value))


class TestCompletions:
    async def test_an_operation_that_never_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conformance_check, "PATIENCE_S", 0.01)
        with pytest.raises(AssertionError, match="did not end within"):
            await conformance(flags=ASYNC, compress=lambda req: -EINPROGRESS)

    async def test_a_cancelled_operation_that_holds_its_request_for_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def compress(req: AcompReq) -> int:
            acomp_request_get(req)
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                monkeypatch.setattr(conformance_check, "PATIENCE_S", 0.01)
                raise
            acomp_request_put(req)
            return copy(req)

        with pytest.raises(AssertionError, match="was cancelled and still holds <AcompReq"):
            await conformance(compress=compress)

    async def test_an_operation_that_completes_twice(self) -> None:
        def compress(req: AcompReq) -> int:
            asyncio.get_running_loop().call_soon(land, req)
            return -EINPROGRESS

        def land(req: AcompReq) -> None:
            for _ in range(2):
                compl = req.base.complete
                assert compl is not None
                compl(req.base.data, copy(req))

        with pytest.raises(AssertionError, match="completed 2 times"):
            await conformance(flags=ASYNC, compress=compress)

    async def test_a_synchronous_algorithm_that_calls_the_completion_function(self) -> None:
        async def compress(req: AcompReq) -> int:
            code = copy(req)
            compl = req.base.complete
            assert compl is not None
            compl(req.base.data, code)
            return code

        with pytest.raises(AssertionError, match="not async"):
            await conformance(compress=compress)
        acomp.crypto_unregister_acomp(next(alg for alg in acomp.current_registry() if alg.cra_name == "null"))
        await conformance(flags=ASYNC, compress=compress)


def test_every_failure_begins_with_a_rule_of_the_docstring() -> None:
    rules = set(re.findall(r"^ +(\d+)\. ", check_conformance.__doc__ or "", re.MULTILINE))
    said: set[str] = set()
    for module in (conformance_check, batches):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Assert):
                message = node.msg
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "AssertionError":
                message = node.args[0]
            else:
                continue
            text = ast.unparse(message) if message else ""
            number = re.match(r"f?['\"]rule (\d+): ", text)
            assert number, f"line {node.lineno}: {text}"
            said.add(number[1])
    assert said <= rules
    assert rules - said == {"8"}, "rule 8 has what no caller could find out"


def chains(compress: Method, **options: Any) -> dict[str, Any]:
    """Options of a batching algorithm whose compress is this."""
    return {"flags": CHAINS, "batch_size": lambda: 4, "compress": compress, "decompress": parallel, **options}


def parallel(req: AcompReq) -> Code:
    return acomp_do_async_req_chain(req, copy, lambda req: 0)


def is_chain(req: AcompReq) -> bool:
    return bool(acomp.acomp_chain_members(req)) and acomp.acomp_is_reqchain(req)


def then(spoil: Callable[[AcompReq], None]) -> Method:
    """Run chains properly, and spoil something afterwards."""

    async def method(req: AcompReq) -> int:
        whole = is_chain(req)
        code = await acomp_do_async_req_chain(req, copy, lambda req: 0)
        if whole:
            spoil(req)
        return code

    return method


def set_err(req: AcompReq) -> None:
    acomp.acomp_chain_members(req)[0].base.err = -EIO


def set_poll(req: AcompReq) -> None:
    acomp.acomp_chain_members(req)[-1].flags |= acomp.CRYPTO_ACOMP_REQ_POLL


def change_bytes(req: AcompReq) -> None:
    acomp.acomp_chain_members(req)[0].dst[0] ^= 1


def lose_a_member(req: AcompReq) -> None:
    assert req.chain is not None
    req.chain.members.pop()


def double_a_member(req: AcompReq) -> None:
    assert req.chain is not None
    req.chain.members.append(req.chain.members[0])


def lose_the_data(req: AcompReq) -> None:
    req.base.data = None


def lose_the_callback(req: AcompReq) -> None:
    req.base.complete = None


def complete_again(req: AcompReq) -> None:
    compl = req.base.complete
    assert compl is not None
    compl(req.base.data, 0)


def head_only(req: AcompReq) -> Code:
    return copy(req)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (chains(parallel, flags=ASYNC), "goes with the flags"),
        (chains(parallel, flags=0), "goes with the flags"),
        (chains(parallel, batch_size=lambda: 0), r"get_batch_size\(\) returned 0"),
        (chains(head_only), "in a chain of"),
        (chains(parallel, decompress=head_only), "in a chain of"),
        (chains(then(set_err)), "in a chain of 2: -5, alone: 0"),
        (chains(then(set_poll)), "POLL was left set"),
        (chains(then(change_bytes)), "other bytes than a single request"),
        (chains(parallel, decompress=then(change_bytes)), "other bytes than a single request"),
        (chains(then(lose_a_member)), "not restored"),
        (chains(then(double_a_member)), "not restored"),
        (chains(then(lose_the_data)), "callback was not restored"),
        (chains(then(lose_the_callback)), "callback was not restored"),
        (chains(then(complete_again)), "completed 2 times"),
    ],
)
async def test_a_broken_batching_algorithm_is_found(broken: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^rule (1|10): .*{message}"):
        await conformance(**broken)


async def test_a_good_batching_algorithm_passes() -> None:
    await conformance(**chains(parallel))


class TestSweepCancel:
    async def test_it_cancels_at_every_point_once_and_twice_and_checks_after_each(self) -> None:
        log: list[str] = []

        async def work() -> None:
            for point in range(3):
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    task = asyncio.current_task()
                    assert task is not None
                    log.append(f"cancelled at {point + 1}, {task.cancelling()} times")
                    raise
            log.append("finished")

        async def check() -> None:
            log.append("checked")

        assert await sweep_cancel(work, check) == 3
        once, twice = ([f"cancelled at {n}, {times} times" for n in (1, 2, 3)] for times in (1, 2))
        assert log == [
            event for cancelled in (once, twice) for ended in (*cancelled, "finished") for event in (ended, "checked")
        ]

    async def test_a_suspension_is_one_yield_that_reaches_the_loop(self) -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            await done  # does not suspend
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))

        assert await sweep_cancel(work, nothing_to_check) == 2

    async def test_what_never_suspends_is_no_test(self) -> None:
        async def work() -> None:
            return

        with pytest.raises(AssertionError, match="nothing to cancel"):
            await sweep_cancel(work, nothing_to_check)

    async def test_a_swallowed_cancellation_is_found(self) -> None:
        async def work() -> None:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                return

        with pytest.raises(AssertionError, match="point 1 was swallowed"):
            await sweep_cancel(work, nothing_to_check)

    async def test_one_that_is_swallowed_late_is_found(self) -> None:
        async def work() -> None:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                return

        with pytest.raises(AssertionError, match="point 3 was swallowed"):
            await sweep_cancel(work, nothing_to_check)

    async def test_suspending_after_the_cancellation_is_found(self) -> None:
        async def work() -> None:
            try:
                await asyncio.sleep(0)
            finally:
                await asyncio.sleep(0)

        with pytest.raises(AssertionError, match="suspended again"):
            await sweep_cancel(work, nothing_to_check)

    async def test_so_is_swallowing_it_and_going_on(self) -> None:
        async def work() -> None:
            for _ in range(3):
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    continue

        with pytest.raises(AssertionError, match="suspended again"):
            await sweep_cancel(work, nothing_to_check)

    async def test_another_exception_instead_is_the_sweeps(self) -> None:
        async def work() -> None:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                raise OSError("hidden") from None

        with pytest.raises(OSError, match="hidden"):
            await sweep_cancel(work, nothing_to_check)

    async def test_what_the_check_finds_is_the_sweeps(self) -> None:
        async def check() -> None:
            raise AssertionError("a request is lost")

        async def work() -> None:
            await asyncio.sleep(0)

        with pytest.raises(AssertionError, match="a request is lost"):
            await sweep_cancel(work, check)

    async def test_what_never_finishes_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweep, "MAX_SUSPENSIONS", 20)

        async def work() -> None:
            while True:
                await asyncio.sleep(0)

        with pytest.raises(AssertionError, match="more than 20 suspension points"):
            await sweep_cancel(work, nothing_to_check)

    async def test_a_foreign_cancellation_of_the_sweep_gets_through(self) -> None:
        started = asyncio.Event()

        async def work() -> None:
            started.set()
            await asyncio.get_running_loop().create_future()

        async def check() -> None:
            await asyncio.get_running_loop().create_future()

        sweep = asyncio.ensure_future(sweep_cancel(work, check))
        await started.wait()
        for _ in range(3):
            await asyncio.sleep(0)
        sweep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweep

    async def test_a_call_is_driven_as_the_loop_would(self) -> None:
        """Results and exceptions of what it awaits reach it."""
        seen: list[object] = []

        async def work() -> None:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[int] = loop.create_future()
            loop.call_soon(future.set_result, 5)
            seen.append(await future)
            failing: asyncio.Future[int] = loop.create_future()
            loop.call_soon(failing.set_exception, OSError("late"))
            try:
                await failing
            except OSError as error:
                seen.append(str(error))

        driven = sweep._CancelAt(work(), 99, 1).__await__()
        for future in driven:
            while not future.done():
                await asyncio.sleep(0)
        assert seen == [5, "late"]


async def nothing_to_check() -> None:
    """The check of a sweep that is about the coroutine alone."""


def test_sample_pages_are_pages_and_the_same_in_every_process() -> None:
    pages = testing.sample_pages()
    assert {len(page) for page in pages.values()} == {4096}
    assert len(set(pages.values())) == len(pages) >= 5
    assert pages == testing.sample_pages()


async def test_compress_one_by_one_gives_codes_and_bytes() -> None:
    tfm = Stepped(auto=True).tfm
    singles: Awaitable[list[tuple[int, bytes]]] = testing.compress_one_by_one(tfm, [PAGE, PAGE * 2, b"x"])
    assert await singles == [(0, PAGE), (-E2BIG, b""), (0, b"x")]
