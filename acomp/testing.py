"""What acomp's own tests use, for the tests of those who write algorithms and programs on it.

`check_conformance` is the test that every algorithm must pass; `sweep_cancel` cancels a coroutine at every point at
which it can be cancelled.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from errno import EBUSY, EINPROGRESS
from typing import Any

from .chain import acomp_chain_members, acomp_reqchain_clear, acomp_reqchain_init, acomp_request_chain
from .entry import crypto_acomp_compress, crypto_acomp_decompress
from .errors import RequestBusyError
from .flags import CRYPTO_ACOMP_REQ_POLL, CRYPTO_ALG_ASYNC, CRYPTO_ALG_REQ_CHAIN, CRYPTO_TFM_REQ_MAY_BACKLOG, PAGE_SIZE
from .pages import compress_pages, decompress_pages
from .request import (
    AcompReq,
    acomp_request_alloc,
    acomp_request_free,
    acomp_request_set_callback,
    acomp_request_set_params,
)
from .tfm import CryptoAcomp, acomp_is_async, crypto_acomp_batch_size, crypto_alloc_acomp, crypto_free_acomp
from .wait import Code, CryptoWait, crypto_req_done, crypto_wait_req

MAX_SUSPENSIONS = 10_000
GUARD = 64
"""Bytes behind `dst[:dlen]` that no operation may touch."""
PATIENCE_S = 30.0
"""Loop time after which an operation counts as never ending: far beyond any driver's completion timeout."""


async def sweep_cancel(
    make: Callable[[], Coroutine[Any, Any, object]],
    check: Callable[[], Awaitable[None]],
) -> int:
    """Cancel what `make()` returns at its first, second, ... suspension point, once and twice; `check()` after each.

    A suspension point is one yield that reaches the loop. The sweep asserts that the cancelled coroutine raises
    CancelledError without suspending again (a canceller never waits for the hardware), and ends with the first run that
    finishes uncancelled. Returns the number of points; AssertionError when there are none or more than 10,000. `make`
    must give equal runs (stepped engines, not threads), and `check` brings the world to quiescence and looks at it.
    """
    for times in (1, 2):
        points = 0
        while await _cancelled_at(make(), points + 1, times):
            points += 1
            if points > MAX_SUSPENSIONS:
                raise AssertionError(f"more than {MAX_SUSPENSIONS} suspension points: does it ever finish?")
            await check()
        if not points:
            raise AssertionError("the call finished without suspending once: there was nothing to cancel")
        await check()
    return points


async def _cancelled_at(work: Coroutine[Any, Any, object], point: int, times: int) -> bool:
    """Run `work` in a task, cancel it `times` times at suspension `point`; False when it finished before that."""
    driven = _CancelAt(work, point, times)

    async def drive() -> None:
        await driven

    task = asyncio.ensure_future(drive())
    try:
        await task
    except asyncio.CancelledError:
        if not driven.cancelled:
            raise
    else:
        assert not driven.cancelled, f"the cancellation at suspension point {point} was swallowed"
    finally:
        work.close()  # where an assertion left it
    return driven.cancelled


class _CancelAt:
    """Drives a coroutine's own `send`, counts what it yields, and cancels the current task at the n-th."""

    def __init__(self, work: Coroutine[Any, Any, object], point: int, times: int) -> None:
        self._work = work
        self._point = point
        self._times = times
        self.cancelled = False

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        count = 0
        while True:
            try:
                yielded = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration:
                return
            count += 1
            assert not self.cancelled, f"after the cancellation at point {self._point} the call suspended again"
            if count == self._point:
                self._cancel()
            error = None
            try:
                yield yielded
            except BaseException as thrown:
                error = thrown

    def _cancel(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.cancelled = True
        for _ in range(self._times):
            task.cancel()


def sample_pages() -> dict[str, bytes]:
    """Pages by name: constant, regular, text-like, half random and random ones; the same in every process."""
    noise = _noise("page", PAGE_SIZE)
    words = [noise[i : i + 2 + noise[i] % 7].hex().encode() for i in range(64)]
    return {
        "zero": bytes(PAGE_SIZE),
        "one byte": b"x" * PAGE_SIZE,
        "counters": b"".join(i.to_bytes(8, "little") for i in range(512)),
        "text": b" ".join(words[octet % 64] for octet in noise)[:PAGE_SIZE],
        "half random": noise[: PAGE_SIZE // 2] + bytes(PAGE_SIZE // 2),
        "random": noise,
    }


def _noise(name: str, size: int) -> bytes:
    """Incompressible bytes without a generator: a hash of the name, extended."""
    return hashlib.shake_128(name.encode()).digest(size)


async def check_conformance(driver_name: str) -> None:
    """Check that the registered algorithm `driver_name` keeps the contract; AssertionError says which part it breaks.

    Round trips, sizes, capacities and what lies behind them, completions, re-use after failures, corrupt streams,
    buffers let go, concurrent use, and for algorithms that batch: chains give the bytes of single requests, in both
    directions, with an err for each.
    """
    tfm = crypto_alloc_acomp(driver_name)
    try:
        await _check_round_trips(tfm)
        await _check_refusals(tfm)
        await _check_corrupt_streams(tfm)
        await _check_batching(tfm)
        await _check_concurrent_use(tfm)
    except BaseException:
        with suppress(RequestBusyError):  # then what was found already says why
            crypto_free_acomp(tfm)
        raise
    crypto_free_acomp(tfm)


class _Counted(CryptoWait):
    """A wait that counts its completions, notices aside."""

    __slots__ = ("completions",)

    def __init__(self) -> None:
        super().__init__()
        self.completions = 0


def _done(wait: _Counted, err: int) -> None:
    wait.completions += err != -EINPROGRESS
    crypto_req_done(wait, err)


async def _finished(method: Callable[[AcompReq], Code], req: AcompReq, wait: _Counted) -> int:
    """The final code of one operation, on a request or a chain; AssertionError if it comes in a wrong way."""
    name = method.__name__
    wait.reinit()
    wait.completions = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            err = await crypto_wait_req(method(req), wait)
    except TimeoutError:
        raise AssertionError(f"{name} did not end within {PATIENCE_S} s") from None
    except Exception as error:
        raise AssertionError(f"{name} raised {error!r}; an algorithm answers with a code") from error
    await asyncio.sleep(0)
    assert isinstance(err, int) and err <= 0, f"a code is 0 or a negative errno, not {err!r}"
    assert err not in (-EINPROGRESS, -EBUSY), f"{name} ended in the pending code {err}"
    assert wait.completions <= 1, f"{name} was completed {wait.completions} times"
    if not acomp_is_async(req.tfm):
        assert not wait.completions, f"{name} called the completion function of an algorithm that is not async"
    return err


@asynccontextmanager
async def _request(tfm: CryptoAcomp) -> AsyncIterator[tuple[AcompReq, _Counted]]:
    req, wait = acomp_request_alloc(tfm), _Counted()
    acomp_request_set_callback(req, CRYPTO_TFM_REQ_MAY_BACKLOG, _done, wait)
    yield req, wait
    acomp_request_free(req)


async def _single(
    req: AcompReq, wait: _Counted, method: Callable[[AcompReq], Code], src: Any, capacity: int
) -> tuple[int, bytes]:
    """One operation into a guarded buffer: its code and output, with everything checked that holds for any of them."""
    before, dst = bytes(src), bytearray(b"\xa5" * (capacity + GUARD))
    acomp_request_set_params(req, src, dst, len(before), capacity)
    err = await _finished(method, req, wait)
    assert dst[capacity:] == b"\xa5" * GUARD, f"{method.__name__} wrote beyond the capacity of {capacity}"
    assert bytes(src) == before, f"{method.__name__} changed its source"
    output = bytes(dst[: req.dlen])
    for name, buffer in (("source", src), ("destination", dst)):
        if isinstance(buffer, bytearray):
            try:
                buffer.append(0)
            except BufferError:
                raise AssertionError(f"{method.__name__} kept a view of its {name}") from None
            del buffer[-1:]
    if err:
        assert req.dlen == capacity, "after a failure dlen is still the capacity"
        return err, b""
    assert 0 < req.dlen <= capacity, f"dlen {req.dlen} with a capacity of {capacity}"
    assert req.output is None or req.output == output, f"{method.__name__}: req.output is not what is in dst"
    return 0, output


async def _check_round_trips(tfm: CryptoAcomp) -> None:
    async with _request(tfm) as (req, wait):
        for name, page in sample_pages().items():
            for size in (1, 2, 63, 1000, PAGE_SIZE):
                plain = page[:size]
                roomy = 2 * PAGE_SIZE
                err, blob = await _single(req, wait, crypto_acomp_compress, plain, roomy)
                assert err == 0, f"{name} page, {size} bytes: compress gave {err} with room for {roomy}"
                for source in (blob, bytearray(blob), memoryview(bytearray(blob))):
                    err, back = await _single(req, wait, crypto_acomp_decompress, source, size)
                    assert (err, back) == (0, plain), f"{name} page, {size} bytes: decompress gave {err}"
                err, again = await _single(req, wait, crypto_acomp_compress, bytearray(plain), len(blob))
                assert (err, again) == (0, blob), f"{name} page: other bytes with exactly enough room (code {err})"


async def _check_refusals(tfm: CryptoAcomp) -> None:
    page = sample_pages()["text"]
    async with _request(tfm) as (req, wait):
        err, blob = await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE)
        assert err == 0, f"a text page gave {err}"
        for method, src, enough in (
            (crypto_acomp_compress, page, len(blob)),
            (crypto_acomp_decompress, blob, PAGE_SIZE),
        ):
            for capacity in (enough - 1, 1):
                err, _ = await _single(req, wait, method, src, capacity)
                assert err < 0, f"{method.__name__} into {capacity} bytes, {enough} needed, gave {err}"
            err, _ = await _single(req, wait, method, b"", PAGE_SIZE)
            assert err < 0, f"{method.__name__} of nothing gave {err}, not a negative errno"
            err, _ = await _single(req, wait, method, src, enough)
            assert err == 0, f"{method.__name__} does not work any more after a failure: {err}"
        err, _ = await _single(req, wait, crypto_acomp_compress, sample_pages()["random"], 1024)
        assert err < 0, f"a random page fitted into 1024 bytes: {err}"


async def _check_corrupt_streams(tfm: CryptoAcomp) -> None:
    page = sample_pages()["text"]
    async with _request(tfm) as (req, wait):
        _, blob = await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE)
        for octet in _noise("corrupt", 50):
            bad = bytearray(blob)
            bad[octet * len(bad) // 256] ^= 1 << octet % 8
            await _single(req, wait, crypto_acomp_decompress, bad, PAGE_SIZE)  # any code, no exception, no overrun
        for cut in (1, len(blob) // 2, len(blob) - 1):
            err, back = await _single(req, wait, crypto_acomp_decompress, blob[:cut], PAGE_SIZE)
            assert err < 0 or back != page, "a truncated stream came back whole"
        err, back = await _single(req, wait, crypto_acomp_decompress, blob, PAGE_SIZE)
        assert (err, back) == (0, page), "a good stream fails after corrupt ones"


async def _check_concurrent_use(tfm: CryptoAcomp) -> None:
    pages = list(sample_pages().values())[:5]

    async def one(turn: int) -> None:
        rotated = pages[turn % 5 :] + pages[: turn % 5]
        blobs = await compress_pages(tfm, rotated)
        back = await decompress_pages(tfm, [blob.raise_for_err() for blob in blobs])
        assert [page.raise_for_err() for page in back] == rotated, "concurrent requests mixed up their pages"

    ended = await asyncio.gather(*(one(turn) for turn in range(8)), return_exceptions=True)
    for error in ended:
        if isinstance(error, OSError):
            raise AssertionError(f"concurrent requests failed: {error}") from error
        if error is not None:
            raise error


async def _check_batching(tfm: CryptoAcomp) -> None:
    if tfm.get_batch_size is None:
        assert crypto_acomp_batch_size(tfm) == 1
        return
    flags = tfm.alg.cra_flags
    needed = CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN
    assert flags & needed == needed, "get_batch_size goes with the flags CRYPTO_ALG_ASYNC and CRYPTO_ALG_REQ_CHAIN"
    size = crypto_acomp_batch_size(tfm)
    assert size >= 1, f"get_batch_size() returned {size}"
    samples = list(sample_pages().values())
    work = [samples[(i + 2) % len(samples)] for i in range(size + 1)]
    reqs = [acomp_request_alloc(tfm) for _ in work]
    blobs = await compress_one_by_one(tfm, work)
    pages = [(err, b"" if err else page) for (err, _), page in zip(blobs, work, strict=True)]
    for count in sorted({1, 2, size, size + 1}):
        await _check_chain(crypto_acomp_compress, reqs[:count], work[:count], blobs[:count])
        packed = [(blob, page) for (err, blob), page in zip(blobs[:count], pages, strict=False) if not err]
        await _check_chain(
            crypto_acomp_decompress, reqs[: len(packed)], [blob for blob, _ in packed], [page for _, page in packed]
        )
    for req in reqs:
        acomp_request_free(req)


async def _check_chain(
    method: Callable[[AcompReq], Code],
    reqs: list[AcompReq],
    sources: list[bytes],
    expected: list[tuple[int, bytes]],
) -> None:
    """One chain, run twice: the bytes, codes, list, flags and callback that kernel-facts 3 promises."""
    if not reqs:
        return
    head, members, wait = reqs[0], reqs[1:], _Counted()
    for _ in range(2):
        acomp_reqchain_init(head, 0, _done, wait)
        for req, source in zip(reqs, sources, strict=True):
            acomp_request_set_params(req, source, bytearray(PAGE_SIZE), len(source), PAGE_SIZE)
        for req in members:
            acomp_request_chain(req, head)
        await _finished(method, head, wait)
        for req, (err, output) in zip(reqs, expected, strict=True):
            assert req.base.err == err, f"in a chain of {len(reqs)}: {req.base.err}, alone: {err}"
            assert err or bytes(req.dst[: req.dlen]) == output, "a chain gave other bytes than a single request"
            assert not req.flags & CRYPTO_ACOMP_REQ_POLL, "POLL was left set"
        assert len(acomp_chain_members(head)) == len(members), "the chain was not restored"
        assert set(acomp_chain_members(head)) == set(members), "the chain was not restored"
        assert head.base.complete is _done and head.base.data is wait, "the head's callback was not restored"
        acomp_reqchain_clear(head, wait)


async def compress_one_by_one(tfm: CryptoAcomp, pages: list[bytes]) -> list[tuple[int, bytes]]:
    """The code and bytes of each page compressed by a single request with a capacity of one page."""
    async with _request(tfm) as (req, wait):
        return [await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE) for page in pages]
