"""`check_conformance`: the test that every algorithm must pass, and with it what an algorithm promises."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from errno import E2BIG, EBUSY, ECANCELED, EINPROGRESS, EINVAL, ENOSPC, EOVERFLOW
from typing import Any, Final

from ..chain import acomp_chain_members, acomp_reqchain_clear, acomp_reqchain_init, acomp_request_chain
from ..entry import crypto_acomp_compress, crypto_acomp_decompress
from ..errors import RequestBusyError
from ..flags import (
    CRYPTO_ACOMP_OUTPUT_ONLY,
    CRYPTO_ACOMP_REQ_POLL,
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    PAGE_SIZE,
)
from ..idle import requests_idle
from ..pages import compress_pages, decompress_pages
from ..parameters import acomp_request_set_callback, acomp_request_set_params
from ..request import (
    AcompReq,
    acomp_request_alloc,
    acomp_request_free,
)
from ..tfm import CryptoAcomp, acomp_is_async, crypto_acomp_batch_size, crypto_alloc_acomp, crypto_free_acomp
from ..wait import Code, CryptoWait, crypto_req_done, crypto_wait_req
from .batches import check_arrays, check_units
from .samples import noise, sample_pages

GUARD: Final = 64
"""Bytes behind `dst[:dlen]` that no operation may touch."""
PATIENCE_S = 30.0
"""Loop time after which an operation counts as never ending: far beyond any driver's completion timeout."""
LEAVING_TURNS: Final = 10
"""Turns of the loop within which a cancelled operation is left; each task that it awaits takes one or two."""
TOO_LONG: Final = (-ENOSPC, -E2BIG, -EINVAL, -EOVERFLOW)
"""The codes for an output that does not fit."""


async def check_conformance(driver_name: str) -> None:
    """Check that the registered algorithm `driver_name` keeps the contract.

    AssertionError begins with the rule that it breaks, as in "rule 3: ...". The contract, for
    `compress(req)` and `decompress(req)` alike:

    1. A method answers with a code, whatever it is given, and never raises. If it answers -EINPROGRESS or -EBUSY, it
       calls the completion function with the final code, once, later; an algorithm without CRYPTO_ALG_ASYNC never does.
    2. It reads `slen` bytes of `src`, which it leaves as they are, writes nothing beyond the first `dlen` bytes of
       `dst`, and keeps a view of neither.
    3. 0 is success: `dlen` is the length of the output, at least 1, and the output is in `dst`. `req.output` is the
       same bytes or None. With CRYPTO_ACOMP_OUTPUT_ONLY it may be in `req.output` alone.
    4. After a failure `dlen` is the capacity that it was, and later requests are served as if nothing had been.
    5. -EINVAL: there is no input (`slen` is 0), or what is to be decompressed is no stream. A damaged stream may also
       come out as other bytes, or be too long; it is never the whole page when it was cut.
    6. What does not fit is not cut: -ENOSPC, -E2BIG, -EINVAL or -EOVERFLOW, and where it fits exactly, success. Which
       of them matters to zswap alone: -ENOSPC is a page that compresses poorly there, anything else (-E2BIG of
       `deflate-iaa`, too) a failure.
    7. -ECANCELED is never the answer of a method; runners write it to requests whose run was cancelled. Who awaits an
       operation and is cancelled leaves at once by CancelledError. What still works on the buffers holds the request
       (`acomp_request_get`) until it has landed, and then the request serves as before.
    8. Other negative errnos say that the device failed (-EIO, -ENODEV, -ETIMEDOUT), not that the page was wrong.
    9. A page compresses to the same bytes each time, and what was compressed decompresses to the page. Many requests
       may be under way at once.
    10. The batch size, at least 1, goes with CRYPTO_ALG_ASYNC and CRYPTO_ALG_REQ_CHAIN. A chain, also one that is
        longer, gives each request the err and the bytes that it would have alone, and leaves its list, the head's
        callback and the POLL flags as they were.
    11. CRYPTO_ALG_REQ_SEG goes with a batch size. A folio of several units gives each the bytes that it would have
        alone; 0, or -EINVAL with the code of each unit in its entry. So do `batch_compress` and `batch_decompress`, if
        they are there; they answer whether all went well, and leave POLL off.
    """
    tfm = crypto_alloc_acomp(driver_name)
    try:
        await _check_round_trips(tfm)
        await _check_output_only(tfm)
        await _check_refusals(tfm)
        await _check_corrupt_streams(tfm)
        await _check_cancellation(tfm)
        await _check_batching(tfm)
        await _check_units_and_arrays(tfm)
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
        raise AssertionError(f"rule 1: {name} did not end within {PATIENCE_S} s") from None
    except Exception as error:
        raise AssertionError(f"rule 1: {name} raised {error!r}; an algorithm answers with a code") from error
    await asyncio.sleep(0)
    assert isinstance(err, int) and err <= 0, f"rule 1: a code is 0 or a negative errno, not {err!r}"
    assert err not in (-EINPROGRESS, -EBUSY), f"rule 1: {name} ended in the pending code {err}"
    assert err != -ECANCELED, f"rule 7: {name} answered -ECANCELED, which is for runners whose run was cancelled"
    assert wait.completions <= 1, f"rule 1: {name} was completed {wait.completions} times"
    if not acomp_is_async(req.tfm):
        assert not wait.completions, f"rule 1: {name} called the completion function of an algorithm that is not async"
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
    assert dst[capacity:] == b"\xa5" * GUARD, f"rule 2: {method.__name__} wrote beyond the capacity of {capacity}"
    assert bytes(src) == before, f"rule 2: {method.__name__} changed its source"
    output = bytes(dst[: req.dlen])
    for name, buffer in (("source", src), ("destination", dst)):
        if isinstance(buffer, bytearray):
            try:
                buffer.append(0)
            except BufferError:
                raise AssertionError(f"rule 2: {method.__name__} kept a view of its {name}") from None
            del buffer[-1:]
    if err:
        assert req.dlen == capacity, "rule 4: after a failure dlen is still the capacity"
        return err, b""
    assert 0 < req.dlen <= capacity, f"rule 3: dlen {req.dlen} with a capacity of {capacity}"
    assert req.output is None or req.output == output, f"rule 3: {method.__name__}: req.output is not what is in dst"
    return 0, output


async def _check_round_trips(tfm: CryptoAcomp) -> None:
    async with _request(tfm) as (req, wait):
        for name, page in sample_pages().items():
            for size in (1, 2, 63, 1000, PAGE_SIZE):
                plain = page[:size]
                roomy = 2 * PAGE_SIZE
                err, blob = await _single(req, wait, crypto_acomp_compress, plain, roomy)
                assert err == 0, f"rule 9: {name} page, {size} bytes: compress gave {err} with room for {roomy}"
                for source in (blob, bytearray(blob), memoryview(bytearray(blob))):
                    err, back = await _single(req, wait, crypto_acomp_decompress, source, size)
                    assert (err, back) == (0, plain), f"rule 9: {name} page, {size} bytes: decompress gave {err}"
                err, again = await _single(req, wait, crypto_acomp_compress, bytearray(plain), len(blob))
                assert err == 0, f"rule 6: {name} page: compress gave {err} with exactly enough room"
                assert again == blob, f"rule 9: {name} page: other bytes with exactly enough room"


async def _check_output_only(tfm: CryptoAcomp) -> None:
    page = sample_pages()["text"]
    async with _request(tfm) as (req, wait):
        _, blob = await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE)
        req.flags |= CRYPTO_ACOMP_OUTPUT_ONLY
        for method, src, expected in ((crypto_acomp_compress, page, blob), (crypto_acomp_decompress, blob, page)):
            dst = bytearray(PAGE_SIZE)
            acomp_request_set_params(req, src, dst, len(src), PAGE_SIZE)
            err = await _finished(method, req, wait)
            output = bytes(dst[: req.dlen]) if req.output is None else req.output
            assert (err, output) == (0, expected), (
                f"rule 3: {method.__name__} with OUTPUT_ONLY left the output nowhere ({err})"
            )


async def _check_refusals(tfm: CryptoAcomp) -> None:
    page = sample_pages()["text"]
    async with _request(tfm) as (req, wait):
        err, blob = await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE)
        assert err == 0, f"rule 9: a text page gave {err}"
        for method, src, enough in (
            (crypto_acomp_compress, page, len(blob)),
            (crypto_acomp_decompress, blob, PAGE_SIZE),
        ):
            for capacity in (enough - 1, 1):
                err, _ = await _single(req, wait, method, src, capacity)
                what = f"{method.__name__} into {capacity} bytes, {enough} needed, gave {err}"
                assert err in TOO_LONG, f"rule 6: {what}, not -ENOSPC, -E2BIG, -EINVAL or -EOVERFLOW"
            err, _ = await _single(req, wait, method, b"", PAGE_SIZE)
            assert err == -EINVAL, f"rule 5: {method.__name__} of nothing gave {err}, not -EINVAL"
            err, _ = await _single(req, wait, method, src, enough)
            assert err == 0, f"rule 4: {method.__name__} does not work any more after a failure: {err}"
        err, _ = await _single(req, wait, crypto_acomp_compress, sample_pages()["random"], 1024)
        assert err in TOO_LONG, f"rule 6: a random page into 1024 bytes gave {err}"


async def _check_corrupt_streams(tfm: CryptoAcomp) -> None:
    page = sample_pages()["text"]
    async with _request(tfm) as (req, wait):
        _, blob = await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE)
        for octet in noise("corrupt", 50):
            bad = bytearray(blob)
            bad[octet * len(bad) // 256] ^= 1 << octet % 8
            err, _ = await _single(req, wait, crypto_acomp_decompress, bad, PAGE_SIZE)
            assert err in (0, *TOO_LONG), f"rule 5: a damaged stream gave {err}, not -EINVAL"
        for cut in (1, len(blob) // 2, len(blob) - 1):
            err, back = await _single(req, wait, crypto_acomp_decompress, blob[:cut], PAGE_SIZE)
            assert err in (0, *TOO_LONG), f"rule 5: a truncated stream gave {err}, not -EINVAL"
            assert err or back != page, "rule 5: a truncated stream came back whole"
        err, back = await _single(req, wait, crypto_acomp_decompress, blob, PAGE_SIZE)
        assert (err, back) == (0, page), "rule 4: a good stream fails after corrupt ones"


async def _check_cancellation(tfm: CryptoAcomp) -> None:
    """Cancel each operation after a few turns of the loop, unless it is over by then."""
    page = sample_pages()["text"]
    async with _request(tfm) as (req, wait):
        _, blob = await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE)
        for method, src, expected in ((crypto_acomp_compress, page, blob), (crypto_acomp_decompress, blob, page)):
            for turns in (1, 2, 3, 5):
                await _cancelled_after(turns, method, req, wait, src)
                err, output = await _single(req, wait, method, src, PAGE_SIZE)
                assert (err, output) == (0, expected), (
                    f"rule 7: {method.__name__} gave {err} after one that was cancelled"
                )


async def _cancelled_after(
    turns: int, method: Callable[[AcompReq], Code], req: AcompReq, wait: _Counted, src: bytes
) -> None:
    wait.reinit()
    acomp_request_set_params(req, src, bytearray(PAGE_SIZE), len(src), PAGE_SIZE)
    work = asyncio.ensure_future(crypto_wait_req(method(req), wait))
    for _ in range(turns):
        await asyncio.sleep(0)
    if work.cancel():
        for _ in range(LEAVING_TURNS):
            await asyncio.sleep(0)
        assert work.cancelled(), f"rule 7: {method.__name__} was cancelled and went on"
    try:
        async with asyncio.timeout(PATIENCE_S):
            await requests_idle([req])
    except TimeoutError:
        raise AssertionError(f"rule 7: {method.__name__} was cancelled and still holds {req!r}") from None


async def _check_concurrent_use(tfm: CryptoAcomp) -> None:
    pages = list(sample_pages().values())[:5]

    async def one(turn: int) -> None:
        rotated = pages[turn % 5 :] + pages[: turn % 5]
        blobs = await compress_pages(tfm, rotated)
        back = await decompress_pages(tfm, [blob.raise_for_err() for blob in blobs])
        assert [page.raise_for_err() for page in back] == rotated, "rule 9: concurrent requests mixed up their pages"

    ended = await asyncio.gather(*(one(turn) for turn in range(8)), return_exceptions=True)
    for error in ended:
        if isinstance(error, OSError):
            raise AssertionError(f"rule 9: concurrent requests failed: {error}") from error
        if error is not None:
            raise error


async def _check_batching(tfm: CryptoAcomp) -> None:
    if tfm.get_batch_size is None and tfm.alg.batch_size is None:
        return
    flags = tfm.alg.cra_flags
    needed = CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN
    assert flags & needed == needed, (
        "rule 10: a batch size goes with the flags CRYPTO_ALG_ASYNC and CRYPTO_ALG_REQ_CHAIN"
    )
    size = crypto_acomp_batch_size(tfm)
    assert size >= 1, f"rule 10: get_batch_size() returned {size}"
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


async def _check_units_and_arrays(tfm: CryptoAcomp) -> None:
    pages = list(sample_pages().values())
    blobs = await compress_one_by_one(tfm, pages)
    async with _request(tfm) as (req, wait):
        await check_units(tfm, req, wait, pages, blobs)
    await check_arrays(tfm, pages, blobs)


async def _check_chain(
    method: Callable[[AcompReq], Code],
    reqs: list[AcompReq],
    sources: list[bytes],
    expected: list[tuple[int, bytes]],
) -> None:
    """One chain, run twice: the bytes, codes, list, flags and callback that docs/kernel.md#chains promises."""
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
            assert req.base.err == err, f"rule 10: in a chain of {len(reqs)}: {req.base.err}, alone: {err}"
            assert err or bytes(req.dst[: req.dlen]) == output, (
                "rule 10: a chain gave other bytes than a single request"
            )
            assert not req.flags & CRYPTO_ACOMP_REQ_POLL, "rule 10: POLL was left set"
        assert len(acomp_chain_members(head)) == len(members), "rule 10: the chain was not restored"
        assert set(acomp_chain_members(head)) == set(members), "rule 10: the chain was not restored"
        assert head.base.complete is _done and head.base.data is wait, "rule 10: the head's callback was not restored"
        acomp_reqchain_clear(head, wait)


async def compress_one_by_one(tfm: CryptoAcomp, pages: list[bytes]) -> list[tuple[int, bytes]]:
    """The code and bytes of each page compressed by a single request with a capacity of one page."""
    async with _request(tfm) as (req, wait):
        return [await _single(req, wait, crypto_acomp_compress, page, PAGE_SIZE) for page in pages]
