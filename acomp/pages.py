"""One level above requests: compress these pages, give me the bytes. Chains where the algorithm can.

For those who want bytes and not the protocol. It adds nothing to it: every call below is one of the kernel's.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .chain import acomp_is_reqchain, acomp_reqchain_clear, acomp_reqchain_init, acomp_request_chain
from .entry import crypto_acomp_compress, crypto_acomp_decompress
from .flags import CRYPTO_TFM_REQ_MAY_BACKLOG, PAGE_SIZE
from .parameters import acomp_request_set_callback, acomp_request_set_params
from .request import (
    AcompReq,
    acomp_request_alloc,
    acomp_request_free,
    acomp_request_when_idle,
)
from .sg import Path
from .tfm import CryptoAcomp, check_is_transform, crypto_acomp_batch_size
from .wait import Code, CryptoWait, crypto_req_done, crypto_wait_req


@dataclass(frozen=True, slots=True)
class PageResult:
    """What became of one page: `err` (0 or a negative errno), `data` (empty after an error), and `path`."""

    err: int
    data: bytes
    path: Path

    def raise_for_err(self) -> bytes:
        """The data, or OSError with the positive errno."""
        if self.err:
            raise OSError(-self.err, os.strerror(-self.err))
        return self.data


async def compress_pages(tfm: CryptoAcomp, pages: Iterable[Any]) -> list[PageResult]:
    """Compress each of `pages` (contiguous buffers) on its own; results in order.

    A page whose output would be longer than itself fails with its algorithm's errno (-E2BIG from deflate-iaa). One bad
    page does not disturb the others. Raises only for misuse: TypeError for what is not a buffer, and acomp's errors.
    """
    return await _run(tfm, [(page, _nbytes(page)) for page in pages], crypto_acomp_compress)


async def decompress_pages(tfm: CryptoAcomp, blobs: Iterable[Any], page_size: int = PAGE_SIZE) -> list[PageResult]:
    """Decompress each of `blobs` to at most `page_size` bytes; results in order, errors as in `compress_pages`."""
    if type(page_size) is not int or page_size <= 0:
        raise ValueError(f"page_size must be a positive number of bytes, not {page_size!r}")
    return await _run(tfm, [(blob, page_size) for blob in blobs], crypto_acomp_decompress)


def _nbytes(page: Any) -> int:
    if isinstance(page, (bytes, bytearray)):
        return len(page)
    try:
        with memoryview(page) as view:
            return view.nbytes
    except TypeError:
        raise TypeError(f"a page is a contiguous buffer such as bytes, not {type(page).__name__}") from None


async def _run(tfm: CryptoAcomp, work: list[tuple[Any, int]], method: Callable[[AcompReq], Code]) -> list[PageResult]:
    check_is_transform(tfm)
    tfm.check_alive()
    batch_size = max(1, crypto_acomp_batch_size(tfm))
    reqs = [acomp_request_alloc(tfm) for _ in range(min(batch_size, len(work)))]
    wait = CryptoWait()
    results: list[PageResult] = []
    try:
        if reqs:
            acomp_request_set_callback(reqs[0], CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, wait)
        for start in range(0, len(work), batch_size):
            results += await _batch(reqs, work[start : start + batch_size], method, wait)
    finally:
        free_when_idle(reqs, wait)
    return results


async def _batch(
    reqs: list[AcompReq], work: list[tuple[Any, int]], method: Callable[[AcompReq], Code], wait: CryptoWait
) -> list[PageResult]:
    used = reqs[: len(work)]
    for req, (src, capacity) in zip(used, work, strict=True):
        # What the device could still write to after a cancellation must not be the caller's: a buffer of our own.
        acomp_request_set_params(req, src, bytearray(capacity), _nbytes(src), capacity)
    head = used[0]
    if len(used) == 1:
        wait.reinit()  # a runner serving the single request before may have left its completion counted
        errs = [await crypto_wait_req(method(head), wait)]
    else:
        acomp_reqchain_init(head, 0, crypto_req_done, wait)
        for req in used[1:]:
            acomp_request_chain(req, head)
        await crypto_wait_req(method(head), wait)
        errs = [req.base.err for req in used]
        acomp_reqchain_clear(head, wait)
    return [
        PageResult(err, b"" if err else bytes(memoryview(req.dst)[: req.dlen]), req.path)
        for req, err in zip(used, errs, strict=True)
    ]


def free_when_idle(reqs: list[AcompReq], wait: CryptoWait) -> None:
    """Free requests, alone or a chain with the first as its head, as soon as nobody holds any of them.

    That is at once, unless the caller was cancelled.
    """
    held = len(reqs)

    def landed() -> None:
        nonlocal held
        held -= 1
        if held:
            return
        if acomp_is_reqchain(reqs[0]):
            acomp_reqchain_clear(reqs[0], wait)
        for req in reqs:
            acomp_request_free(req)

    for req in reqs:
        acomp_request_when_idle(req, landed)
