"""`acomp.threads`: the generic algorithms' bytes from worker threads, and what happens when somebody leaves or fails.

Tests that need a worker to be in the middle of its work hold it there by a codec that waits for a gate.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from errno import EINVAL, EIO, ENODEV
from typing import Any

import pytest

import acomp
import acomp.threads
from acomp import (
    AcompReq,
    CryptoAcomp,
    CryptoWait,
    PageResult,
    acomp_reqchain_clear,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_chain,
    acomp_request_free,
    acomp_request_set_params,
    acomp_request_when_idle,
    compress_pages,
    crypto_acomp_compress,
    crypto_alloc_acomp,
    crypto_free_acomp,
    crypto_req_done,
    crypto_wait_req,
    decompress_pages,
    trace,
)
from acomp.codecs import BytesLike, ZstdCodec
from acomp.testing import check_conformance, sample_pages, sweep_cancel
from acomp.threads import THREADED, WorkersStuckError
from acomp.threads import performs as threaded
from acomp.threads.handing import Turns
from acomp.threads.lanes import Perform

pytestmark = pytest.mark.threads

PATIENCE_S = 60
"""However busy the machine is, what does not hang has ended by then."""

SAMPLES = list(sample_pages().values())
PAGES = SAMPLES[:5]
"""Those that compress."""
TEXT = sample_pages()["text"]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[acomp.Registry]:
    with acomp.registry() as registry:
        yield registry


class Gate(ZstdCodec):
    """A codec whose compress waits for the gate; `entered` counts the pages that came to it."""

    entered = threading.Semaphore(0)
    gate = threading.Event()

    def compress_many(self, pages: list[BytesLike]) -> list[bytes]:
        for _ in pages:
            Gate.entered.release()
        assert Gate.gate.wait(30)
        return super().compress_many(pages)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Workers get codecs that wait for this event; it is opened at the end, so that no thread is left."""
    Gate.entered, Gate.gate = threading.Semaphore(0), threading.Event()
    monkeypatch.setattr(threaded, "CODECS", {"zstd": Gate})
    yield Gate.gate
    Gate.gate.set()


async def until_entered(pages: int) -> None:
    for _ in range(pages):
        while not Gate.entered.acquire(blocking=False):
            await asyncio.sleep(0.001)


@asynccontextmanager
async def exceptions_told() -> AsyncIterator[list[dict[str, Any]]]:
    """What the loop's exception handler is told inside."""
    loop, told = asyncio.get_running_loop(), list[dict[str, Any]]()
    former = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context))
    yield told
    loop.set_exception_handler(former)


class Chain:
    """A chain of some pages, run as often as wanted."""

    def __init__(self, tfm: CryptoAcomp, pages: list[bytes]) -> None:
        self.tfm, self.pages = tfm, pages
        self.reqs = [acomp_request_alloc(tfm) for _ in pages]
        self.wait = CryptoWait()

    async def run(self) -> int:
        head = self.reqs[0]
        acomp_reqchain_init(head, 0, crypto_req_done, self.wait)
        for req, page in zip(self.reqs, self.pages, strict=True):
            acomp_request_set_params(req, page, bytearray(8192), len(page), 8192)
            if req is not head:
                acomp_request_chain(req, head)
        return await crypto_wait_req(crypto_acomp_compress(head), self.wait)

    @property
    def errs(self) -> list[int]:
        return [req.base.err for req in self.reqs]

    async def idle(self) -> None:
        for req in self.reqs:
            landed = asyncio.Event()
            acomp_request_when_idle(req, landed.set)
            async with asyncio.timeout(PATIENCE_S):
                await landed.wait()

    def free(self) -> None:
        acomp_reqchain_clear(self.reqs[0], self.wait)
        for req in self.reqs:
            acomp_request_free(req)
        crypto_free_acomp(self.tfm)


def codes(results: list[PageResult]) -> set[int]:
    return {result.err for result in results}


@pytest.mark.parametrize("name", THREADED)
@pytest.mark.parametrize(("count", "loop_pages"), [(1, 0), (3, 0), (1, 8)])
async def test_it_is_an_algorithm_like_any_other(name: str, count: int, loop_pages: int) -> None:
    async with acomp.threads.open(count, algorithms=THREADED, loop_pages=loop_pages):
        await check_conformance(f"{name}-threads")


@pytest.mark.parametrize("name", THREADED)
@pytest.mark.parametrize("loop_pages", [0, 1, 8])
async def test_the_bytes_are_those_of_the_generic_algorithm(name: str, loop_pages: int) -> None:
    work = SAMPLES * 20 + [b"x", TEXT[:1000], bytes(100_000)]
    async with acomp.threads.open(2, algorithms=THREADED, loop_pages=loop_pages):
        expected = await compress_pages(crypto_alloc_acomp(f"{name}-generic"), work)
        tfm = crypto_alloc_acomp(f"{name}-threads")
        for results in await asyncio.gather(*(compress_pages(tfm, work) for _ in range(8))):
            assert results == expected


async def test_inside_the_context_the_name_means_the_threaded_one() -> None:
    async with acomp.threads.open() as threads:
        assert [alg.cra_driver_name for alg in threads.algorithms] == ["zstd-threads", "deflate-threads"]
        assert crypto_alloc_acomp("zstd").alg.cra_driver_name == "zstd-threads"
        assert crypto_alloc_acomp("lz4").alg.cra_driver_name == "lz4-generic"
        with pytest.raises(acomp.ProtocolError, match="registered here already"):
            async with acomp.threads.open():
                pytest.fail("opened twice")
        with acomp.registry():
            assert not acomp.crypto_has_acomp("zstd-threads")
    assert crypto_alloc_acomp("zstd").alg.cra_driver_name == "zstd-generic"
    assert not acomp.crypto_has_acomp("zstd-threads")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"workers": 0}, "workers must be a positive int, not 0"),
        ({"workers": True}, "workers must be a positive int, not True"),
        ({"max_in_flight": 0}, "max_in_flight must be a positive int, not 0"),
        ({"loop_pages": -1}, "loop_pages must be an int from 0 to 512, not -1"),
        ({"loop_pages": 513}, "loop_pages must be an int from 0 to 512, not 513"),
        ({"loop_pages": 1.5}, "loop_pages must be an int"),
        ({"algorithms": ["lzo"]}, "'lzo' has no threaded form"),
        ({"algorithms": "zstd"}, "a sequence of names, such as .'zstd'., and not 'zstd'"),
        ({"algorithms": []}, "a sequence of names"),
    ],
)
async def test_what_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        async with acomp.threads.open(**wrong):
            pytest.fail("opened")


async def test_who_comes_without_opening_them_is_told_what_to_open() -> None:
    with pytest.raises(acomp.AlgorithmNotFoundError, match=r"inside of `async with acomp\.threads\.open"):
        crypto_alloc_acomp("zstd-threads")


async def test_the_pool_says_what_it_has() -> None:
    async with acomp.threads.open(2, loop_pages=8) as threads:
        assert "3 alive, 3 idle, the loop among them" in repr(threads)
    assert "stopped" in repr(threads) and "alive" not in repr(threads)


async def test_a_thread_that_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def second_fails(thread: threading.Thread) -> None:
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", second_fails)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        async with acomp.threads.open(2):
            pytest.fail("opened")
    assert not started[0].is_alive()
    assert not acomp.crypto_has_acomp("zstd-threads")


async def test_a_chain_is_submitted_and_then_polled_once() -> None:
    events: list[str] = []
    async with acomp.threads.open(1):
        chain = Chain(crypto_alloc_acomp("zstd"), PAGES)
        with trace.installed(lambda event: events.append(event.kind)):
            assert await chain.run() == 0
        chain.free()
    ran = [kind for kind in events if not kind.startswith("chain.")]
    assert ran == ["submit"] * len(PAGES) + ["complete"] * len(PAGES), "nothing is polled in vain"


@pytest.mark.parametrize("bad", [0, 3, len(PAGES) - 1])
async def test_a_request_that_is_refused_is_nobody_elses_affair(bad: int) -> None:
    async with acomp.threads.open(1) as threads:
        chain = Chain(crypto_alloc_acomp("zstd"), [b"" if n == bad else page for n, page in enumerate(PAGES)])
        assert await chain.run() == (-EINVAL if bad == 0 else 0)
        assert chain.errs == [-EINVAL if n == bad else 0 for n in range(len(PAGES))]
        assert threads.in_flight == 0
        for number, (req, page) in enumerate(zip(chain.reqs, PAGES, strict=True)):
            assert number == bad or ZstdCodec().decompress(req.output or b"", 8192) == page
        chain.free()


async def test_a_codec_that_returns_no_bytes_fails_its_pages_and_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    monkeypatch.setattr(ZstdCodec, "compress_many", lambda self, pages: [None] * len(pages))
    async with acomp.threads.open(1):
        chain = Chain(crypto_alloc_acomp("zstd"), PAGES)
        assert await chain.run() == -EIO and chain.errs == [-EIO] * len(PAGES)
        chain.free()
    assert len(told) == len(PAGES) and "NoneType" in str(told[0]["exception"])


async def test_pages_of_a_codec_with_too_few_frames_are_compressed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    many = ZstdCodec.compress_many
    monkeypatch.setattr(ZstdCodec, "compress_many", lambda self, pages: many(self, pages)[:-1])
    async with exceptions_told() as told, acomp.threads.open(1):
        results = await compress_pages(crypto_alloc_acomp("zstd"), PAGES)
        assert results == await compress_pages(crypto_alloc_acomp("zstd-generic"), PAGES)
    assert told == []


async def test_a_cancelled_chain_raises_at_once_and_is_busy_until_it_has_landed(gate: threading.Event) -> None:
    async with acomp.threads.open(1, algorithms=["zstd"]) as threads:
        chain = Chain(crypto_alloc_acomp("zstd"), PAGES)
        task = asyncio.ensure_future(chain.run())
        await until_entered(len(PAGES))
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE_S)
        assert task.cancelled()
        assert all(req.busy for req in chain.reqs) and threads.in_flight == len(PAGES)
        gate.set()
        await chain.idle()
        assert threads.in_flight == 0
        assert not any(any(req.dst) for req in chain.reqs), "nobody wanted the output any more"
        assert (await chain.run(), chain.errs) == (0, [0] * len(PAGES))
        chain.free()


async def test_a_source_that_its_owner_has_released_fails_the_chain_and_holds_nothing() -> None:
    async with acomp.threads.open(1) as threads:
        chain = Chain(crypto_alloc_acomp("zstd"), PAGES)
        assert await chain.run() == 0
        chain.reqs[2].src = view = memoryview(TEXT)
        view.release()
        acomp_reqchain_clear(chain.reqs[0], chain.wait)
        acomp_reqchain_init(chain.reqs[0], 0, crypto_req_done, chain.wait)
        for req in chain.reqs[1:]:
            acomp_request_chain(req, chain.reqs[0])
        with pytest.raises(ValueError, match="released"):
            await crypto_wait_req(crypto_acomp_compress(chain.reqs[0]), chain.wait)
        assert threads.in_flight == 0 and not any(req.busy for req in chain.reqs)
        assert (await chain.run(), chain.errs) == (0, [0] * len(PAGES))
        chain.free()


async def test_the_cancel_sweep() -> None:
    async with acomp.threads.open(2, algorithms=["zstd"]) as threads:
        chain, fresh_one = (Chain(crypto_alloc_acomp("zstd"), PAGES) for _ in range(2))

        async def check() -> None:
            await chain.idle()
            assert threads.in_flight == threads.waiting == 0
            acomp_reqchain_clear(chain.reqs[0], chain.wait)
            assert (await fresh_one.run(), fresh_one.errs) == (0, [0] * len(PAGES))
            acomp_reqchain_clear(fresh_one.reqs[0], fresh_one.wait)

        assert await sweep_cancel(chain.run, check) == 1
        chain.free()
        fresh_one.free()


async def test_leaving_waits_for_what_is_under_way_and_refuses_what_is_new(gate: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    async with acomp.threads.open(1, algorithms=["zstd"], max_in_flight=len(PAGES)):
        tfm = crypto_alloc_acomp("zstd")
        under_way, behind = (asyncio.ensure_future(compress_pages(tfm, PAGES)) for _ in range(2))
        await until_entered(len(PAGES))
        loop.call_later(0.05, gate.set)
    blobs = await asyncio.wait_for(under_way, PATIENCE_S)
    assert codes(blobs) == {0}
    assert codes(await behind) == {-ENODEV}
    assert codes(await compress_pages(tfm, PAGES)) == {-ENODEV}
    assert codes(await compress_pages(tfm, PAGES[:1])) == {-ENODEV}
    # Stored pages stay readable: single, as a chain, and large.
    assert [page.data for page in await decompress_pages(tfm, [blob.data for blob in blobs])] == PAGES
    assert (await decompress_pages(tfm, [blobs[0].data], 131072))[0].data == PAGES[0]


async def test_a_codec_that_hangs_does_not_hang_the_leaver(gate: threading.Event) -> None:
    context = acomp.threads.open(1, algorithms=["zstd"], close_timeout=0.05)
    await context.__aenter__()
    chain = Chain(crypto_alloc_acomp("zstd"), PAGES)
    task = asyncio.ensure_future(chain.run())
    await until_entered(len(PAGES))
    with pytest.raises(WorkersStuckError, match="5 requests are still with the workers"):
        await context.__aexit__(None, None, None)
    assert not acomp.crypto_has_acomp("zstd-threads")
    task.cancel()
    await asyncio.wait([task])
    assert all(req.busy for req in chain.reqs), "the codec still reads their buffers"
    gate.set()
    await chain.idle()


@pytest.mark.parametrize("patient", [True, False], ids=["times out", "is cancelled"])
async def test_what_no_worker_has_begun_fails_when_the_leaver_goes(gate: threading.Event, patient: bool) -> None:
    context = acomp.threads.open(1, algorithms=["zstd"], close_timeout=0.05 if patient else PATIENCE_S)
    threads = await context.__aenter__()
    tfm = crypto_alloc_acomp("zstd")
    begun = asyncio.ensure_future(compress_pages(tfm, PAGES))
    await until_entered(len(PAGES))
    unbegun = [asyncio.ensure_future(compress_pages(tfm, PAGES)) for _ in range(3)]
    await asyncio.sleep(0)
    leaving = asyncio.ensure_future(context.__aexit__(None, None, None))
    if not patient:
        await asyncio.sleep(0)
        leaving.cancel()
    with pytest.raises(WorkersStuckError if patient else asyncio.CancelledError):
        await leaving
    assert [codes(results) for results in await asyncio.wait_for(asyncio.gather(*unbegun), PATIENCE_S)] == [
        {-ENODEV}
    ] * 3
    assert threads.in_flight == len(PAGES) and not begun.done()
    gate.set()
    assert codes(await asyncio.wait_for(begun, PATIENCE_S)) == {0}, "what was begun lands, late as it is"


def leaves(error: BaseException) -> list[BaseException]:
    """What was raised, out of the groups it came in."""
    return (
        [leaf for one in error.exceptions for leaf in leaves(one)] if isinstance(error, BaseExceptionGroup) else [error]
    )


async def test_an_idle_callback_that_raises_keeps_nobody_else_waiting(gate: threading.Event) -> None:
    def theirs() -> None:
        raise RuntimeError("a bug of the owner")

    async with exceptions_told() as told, acomp.threads.open(1, algorithms=["zstd"]) as threads:
        chains = [Chain(crypto_alloc_acomp("zstd"), PAGES) for _ in range(3)]
        tasks = [asyncio.ensure_future(chain.run()) for chain in chains]
        await until_entered(len(PAGES))  # the others are one run then
        for task in tasks[:2]:
            task.cancel()
        await asyncio.wait(tasks[:2])
        for chain in chains[:2]:
            for req in chain.reqs:
                acomp_request_when_idle(req, theirs)
        gate.set()
        assert await asyncio.wait_for(tasks[2], PATIENCE_S) == 0
        assert threads.in_flight == 0
        assert not any(req.busy for chain in chains for req in chain.reqs)
        raised = [context["exception"] for context in told]
        each = [leaf for error in raised for leaf in leaves(error)]
        assert {str(leaf) for leaf in each} == {"a bug of the owner"}


async def test_leaving_in_a_burst_loses_nothing() -> None:
    async with acomp.threads.open(2, max_in_flight=100) as threads:
        tfm = crypto_alloc_acomp("zstd")
        burst = [asyncio.ensure_future(compress_pages(tfm, PAGES)) for _ in range(40)]
        await asyncio.sleep(0)
        assert threads.in_flight <= 100 and threads.waiting >= 20
        assert "chains waiting" in repr(threads)
    ended = [codes(results) for results in await asyncio.wait_for(asyncio.gather(*burst), PATIENCE_S)]
    assert ended.count({0}) + ended.count({-ENODEV}) == 40
    assert ended.count({0}) >= 16 and threads.in_flight == threads.waiting == 0


async def test_back_pressure_is_first_come_first_served_and_survives_a_cancelled_waiter(gate: threading.Event) -> None:
    order: list[int] = []
    async with acomp.threads.open(1, algorithms=["zstd"], max_in_flight=len(PAGES)) as threads:
        tfm = crypto_alloc_acomp("zstd")

        async def one(number: int) -> None:
            assert codes(await compress_pages(tfm, PAGES)) == {0}
            order.append(number)

        tasks = [asyncio.ensure_future(one(number)) for number in range(5)]
        await until_entered(len(PAGES))
        assert (threads.in_flight, threads.waiting) == (len(PAGES), 4)
        tasks[2].cancel()
        await asyncio.wait([tasks[2]])
        assert threads.waiting == 3
        gate.set()
        await asyncio.wait_for(asyncio.wait(tasks), PATIENCE_S)
    assert order == [0, 1, 3, 4]


async def test_a_turn_that_was_granted_and_cancelled_is_passed_on() -> None:
    async with acomp.threads.open(1, algorithms=["zstd"], max_in_flight=1) as threads:
        assert threads.admit_now(1)
        granted, next_one = (asyncio.ensure_future(threads.admit(1)) for _ in range(2))
        await asyncio.sleep(0)
        threads.leave(1)
        granted.cancel()
        await asyncio.wait([granted, next_one], timeout=PATIENCE_S)
        assert granted.cancelled() and next_one.done() and threads.in_flight == 1
        threads.leave(1)


class Faulty(ZstdCodec):
    """Cannot compress the text page."""

    def compress(self, src: BytesLike) -> bytes:
        if src == TEXT:
            raise RuntimeError("the codec has a bug")
        return super().compress(src)

    def compress_many(self, pages: list[BytesLike]) -> list[bytes]:
        return [self.compress(page) for page in pages]


async def test_a_codec_that_raises_fails_its_page_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "CODECS", {"zstd": Faulty})
    async with exceptions_told() as told, acomp.threads.open(2, algorithms=["zstd"]):
        tfm = crypto_alloc_acomp("zstd")
        results = await compress_pages(tfm, PAGES)
        assert [result.err for result in results] == [-EIO if page == TEXT else 0 for page in PAGES]
        assert [str(context["exception"]) for context in told] == ["the codec has a bug"]
        assert codes(await compress_pages(tfm, PAGES[:2])) == {0}


async def test_workers_that_die_fail_what_they_had_and_nobody_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(name: str) -> Perform:
        raise SystemExit("no codec today")

    monkeypatch.setattr(threaded, "compressing", make)
    async with exceptions_told() as told, acomp.threads.open(2, algorithms=["zstd"]) as threads:
        tfm = crypto_alloc_acomp("zstd")
        for _ in range(3):
            assert codes(await asyncio.wait_for(compress_pages(tfm, PAGES), PATIENCE_S)) == {-EIO}
        assert threads.in_flight == 0 and "0 alive" in repr(threads)
        assert len(told) == 2 and "none is left" in told[1]["message"]
        blob = await compress_pages(crypto_alloc_acomp("zstd-generic"), [TEXT])
        assert (await decompress_pages(tfm, [blob[0].data]))[0].data == TEXT


async def test_one_worker_that_dies_leaves_the_work_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = threaded.compressing, list[str]()

    def first_fails(name: str) -> Perform:
        made.append(name)
        if len(made) == 1:
            raise SystemExit("no codec for the first")
        return make(name)

    monkeypatch.setattr(threaded, "compressing", first_fails)
    async with exceptions_told() as told, acomp.threads.open(2, algorithms=["zstd"]):
        tfm = crypto_alloc_acomp("zstd")
        assert codes(await compress_pages(tfm, PAGES)) <= {0, -EIO}
        assert codes(await compress_pages(tfm, PAGES)) == {0}
        assert ["1 are left" in context["message"] for context in told] == [True]


async def test_another_loop_is_told_so() -> None:
    async with acomp.threads.open(1) as threads:
        alg = threads.algorithms[0]

        async def elsewhere() -> None:
            tfm = CryptoAcomp(alg)
            tfm.ctx = ZstdCodec()
            with pytest.raises(acomp.WrongLoopError, match="another event loop"):
                await compress_pages(tfm, [TEXT])

        await asyncio.to_thread(asyncio.run, elsewhere())
        assert threads.in_flight == 0
        await asyncio.get_running_loop().shutdown_default_executor()


async def test_what_is_large_is_decompressed_by_the_workers() -> None:
    large = TEXT * 30
    async with acomp.threads.open(1, algorithms=["zstd"]) as threads:
        tfm = crypto_alloc_acomp("zstd")
        blob = (await compress_pages(tfm, [large]))[0].data
        task = asyncio.ensure_future(decompress_pages(tfm, [blob] * 3, len(large)))
        await asyncio.sleep(0)
        assert threads.in_flight == 3
        assert [page.data for page in await task] == [large] * 3
        assert codes(await decompress_pages(tfm, [blob[:-1]], len(large))) == {-EINVAL}
        assert codes(await decompress_pages(tfm, [blob], len(large) - 1)) == {-EINVAL}


@pytest.mark.parametrize(("size", "compressed", "decompressed"), [(4096, 8, 32), (32 * 4096, 1, 1), (3 * 4096, 2, 10)])
@pytest.mark.parametrize("decompresses", [False, True])
async def test_the_loop_takes_so_many_pages_and_one_request_of_more(
    monkeypatch: pytest.MonkeyPatch, size: int, compressed: int, decompressed: int, decompresses: bool
) -> None:
    name = "decompressing" if decompresses else "compressing"
    make: Callable[[str], Perform] = getattr(threaded, name)
    runs, loop_is_through = list[int](), threading.Event()

    def noted(algorithm: str) -> Perform:
        perform = make(algorithm)

        def run(items: list[Any]) -> list[Any]:
            if threading.current_thread() is threading.main_thread():
                runs.append(len(items))
            else:
                assert loop_is_through.wait(30)
            return perform(items)

        return run

    page = TEXT * (size // len(TEXT))
    async with acomp.threads.open(1):
        blob = (await compress_pages(crypto_alloc_acomp("zstd"), [page]))[0].data
    monkeypatch.setattr(threaded, name, noted)
    async with acomp.threads.open(1, loop_pages=8) as threads:
        tfm = crypto_alloc_acomp("zstd")
        work = decompress_pages(tfm, [blob] * 64, size) if decompresses else compress_pages(tfm, [page] * 64)
        task = asyncio.ensure_future(work)
        await asyncio.sleep(0)
        while threads.workers._work_list.queued:
            await asyncio.sleep(0)
        loop_is_through.set()
        assert codes(await task) == {0}
    assert runs and max(runs) == (decompressed if decompresses else compressed)


async def test_inline_decompression_gives_the_loop_its_turns() -> None:
    turns = 0

    def tick() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(tick) if turns < 1000 else None

    loop = asyncio.get_running_loop()
    async with acomp.threads.open(1, algorithms=["zstd"]) as threads:
        tfm = crypto_alloc_acomp("zstd")
        blob = (await compress_pages(tfm, [TEXT]))[0].data
        loop.call_soon(tick)
        req: AcompReq = acomp_request_alloc(tfm)
        for _ in range(10 * Turns.PAGES):
            acomp_request_set_params(req, blob, bytearray(4096), len(blob), 4096)
            assert await crypto_wait_req(acomp.crypto_acomp_decompress(req), None) == 0
        assert turns >= 10 and threads.in_flight == 0
        turns = 1000


async def test_leaving_lets_nobody_wait_in_line_for_ever(gate: threading.Event) -> None:
    """After WorkersStuckError, too: a worker that hangs keeps its place, and nobody waits for that."""
    opened = acomp.threads.open(1, max_in_flight=8, close_timeout=0.05)
    threads = await opened.__aenter__()
    first, later = crypto_alloc_acomp("zstd"), crypto_alloc_acomp("zstd")
    hanging = asyncio.ensure_future(compress_pages(first, [TEXT] * 8))
    await until_entered(1)
    with pytest.raises(WorkersStuckError):
        await opened.__aexit__(None, None, None)
    for pages in ([TEXT], [TEXT] * 8):
        assert codes(await asyncio.wait_for(compress_pages(later, pages), PATIENCE_S)) == {-ENODEV}
    assert threads.waiting == 0 and threads.in_flight == 8
    gate.set()
    await hanging
    assert threads.in_flight == 0


async def test_who_waits_in_line_to_decompress_does_so_when_the_context_is_left(gate: threading.Event) -> None:
    async with acomp.threads.open(1, max_in_flight=16):
        tfm = crypto_alloc_acomp("zstd")
        blobs = [page.data for page in await compress_pages(crypto_alloc_acomp("zstd-generic"), [TEXT] * 16)]
        busy = asyncio.ensure_future(compress_pages(crypto_alloc_acomp("zstd"), [TEXT] * 16))
        await until_entered(1)
        waiting = asyncio.ensure_future(decompress_pages(tfm, blobs))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.01, gate.set)
    assert [page.data for page in await waiting] == [TEXT] * 16
    assert codes(await busy) == {0}


async def test_without_workers_decompression_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(name: str) -> Perform:
        raise SystemExit("no codec today")

    monkeypatch.setattr(threaded, "compressing", make)
    async with exceptions_told(), acomp.threads.open(1):
        tfm = crypto_alloc_acomp("zstd")
        assert codes(await compress_pages(tfm, PAGES)) == {-EIO}
        blobs = [page.data for page in await compress_pages(crypto_alloc_acomp("zstd-generic"), [TEXT] * 40)]
        assert [page.data for page in await decompress_pages(tfm, blobs)] == [TEXT] * 40


@pytest.mark.parametrize("pages", [1, 3, 9])
async def test_what_a_codec_raises_in_a_decompression_is_told_wherever_it_runs(
    pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(self: ZstdCodec, *arguments: Any) -> bytes:
        raise RuntimeError("the codec's")

    async with exceptions_told() as told, acomp.threads.open(1):
        tfm = crypto_alloc_acomp("zstd")
        blobs = [page.data for page in await compress_pages(tfm, [TEXT] * pages)]
        for method in ("decompress", "decompress_many"):
            monkeypatch.setattr(ZstdCodec, method, bad)
        assert codes(await decompress_pages(tfm, blobs)) == {-EIO}
        assert [str(context["exception"]) for context in told] == ["the codec's"] * pages


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), None, True, "x"])
async def test_a_close_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(ValueError, match="close_timeout must be a positive number of seconds"):
        async with acomp.threads.open(close_timeout=timeout):
            pass


async def test_opening_again_says_what_to_do(fresh: acomp.Registry) -> None:
    opened = acomp.threads.open(1)
    async with opened:
        with pytest.raises(acomp.ProtocolError, match=r"share the context that did it, or open .* registry of its own"):
            async with acomp.threads.open(1):
                pass
    with pytest.raises(acomp.ProtocolError, match=r"call acomp\.threads\.open anew"):
        async with opened:
            pass
    with pytest.raises(ValueError, match="name one twice: zstd, zstd"):
        async with acomp.threads.open(1, algorithms=["zstd", "zstd"]):
            pass


@pytest.mark.parametrize("pages", [3, 9])
async def test_a_page_that_does_not_decompress_is_nobody_elses_affair(pages: int) -> None:
    """Be it the head of the chain, and be it here or on a worker."""
    async with acomp.threads.open(1):
        tfm = crypto_alloc_acomp("zstd")
        blobs = [page.data for page in await compress_pages(tfm, [TEXT] * pages)]
        blobs[0] = blobs[0][:-1]
        head, *members = await decompress_pages(tfm, blobs)
        assert head.err == -EINVAL
        assert [(member.err, member.data) for member in members] == [(0, TEXT)] * (pages - 1)
