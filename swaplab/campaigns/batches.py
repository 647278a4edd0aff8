"""Batches of pages at the level of acomp: each interface runs the same pages, and what comes back is checked.

A batch keeps its requests, and runs again on them, also after a run that was cancelled.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from errno import EINPROGRESS
from typing import Final

from acomp import (
    PAGE_SIZE,
    AcompReq,
    CryptoAcomp,
    CryptoWait,
    SgEntry,
    acomp_reqchain_clear,
    acomp_reqchain_fill,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_set_callback,
    acomp_request_set_dst_sg,
    acomp_request_set_src_folio,
    acomp_request_set_unit_size,
    compress_pages,
    crypto_acomp_batch_compress,
    crypto_acomp_compress,
    crypto_req_done,
    crypto_wait_req,
    requests_idle,
)

Result = tuple[int, bytes]
"""The code of a page, and its bytes if that is 0."""


@dataclass(slots=True)
class Batch:
    """Requests of one transform. `completions` counts calls of the completion function since the last run began."""

    tfm: CryptoAcomp
    nr: int
    completions: int = 0
    code: int = 0
    reqs: list[AcompReq] = field(init=False)
    wait: CryptoWait = field(default_factory=CryptoWait)

    def __post_init__(self) -> None:
        self.reqs = [acomp_request_alloc(self.tfm) for _ in range(self.nr)]

    def done(self, wait: CryptoWait, err: int) -> None:
        """The completion function."""
        self.completions += err != -EINPROGRESS
        crypto_req_done(wait, err)

    async def idle(self) -> None:
        """Wait until the requests are ours again, and make single ones of them."""
        await requests_idle(self.reqs)
        acomp_reqchain_clear(self.reqs[0], self.wait)


async def as_chain(batch: Batch, pages: Sequence[bytes]) -> list[Result]:
    """v8: a request for each page, chained to the first."""
    reqs, nr = batch.reqs[: len(pages)], len(pages)
    head = reqs[0]
    batch.completions = 0
    acomp_reqchain_init(head, 0, batch.done, batch.wait)
    acomp_reqchain_fill(reqs, pages, [bytearray(2 * PAGE_SIZE) for _ in range(nr)], PAGE_SIZE, PAGE_SIZE)
    batch.code = await crypto_wait_req(crypto_acomp_compress(head), batch.wait)
    return [(req.base.err, b"" if req.base.err else bytes(req.dst[: req.dlen])) for req in reqs]


async def as_array(batch: Batch, pages: Sequence[bytes]) -> list[Result]:
    """v9: requests, pages, buffers, lengths and errors side by side."""
    nr = len(pages)
    dlens, errors, dsts = [0] * nr, [0] * nr, [bytearray(2 * PAGE_SIZE) for _ in range(nr)]
    await crypto_acomp_batch_compress(batch.reqs, pages, dsts, dlens, errors, nr)
    return [(err, b"" if err else bytes(dst[:dlen])) for err, dst, dlen in zip(errors, dsts, dlens, strict=True)]


async def as_units(batch: Batch, pages: Sequence[bytes]) -> list[Result]:
    """v14: one request, with the pages as its units."""
    req, nr = batch.reqs[0], len(pages)
    entries = [SgEntry(bytearray(PAGE_SIZE)) for _ in pages]
    batch.completions = 0
    acomp_request_set_callback(req, 0, batch.done, batch.wait)
    acomp_request_set_src_folio(req, b"".join(pages), 0, nr * PAGE_SIZE)
    acomp_request_set_dst_sg(req, entries, nr * PAGE_SIZE)
    acomp_request_set_unit_size(req, PAGE_SIZE)
    await crypto_wait_req(crypto_acomp_compress(req), batch.wait)
    lengths = [entry.length for entry in entries]
    return [
        (min(length, 0), bytes(entry.buffer[: max(length, 0)])) for length, entry in zip(lengths, entries, strict=True)
    ]


async def as_pages(batch: Batch, pages: Sequence[bytes]) -> list[Result]:
    """One level up."""
    return [(result.err, result.data) for result in await compress_pages(batch.tfm, pages)]


INTERFACES: Final[dict[str, Callable[[Batch, Sequence[bytes]], Awaitable[list[Result]]]]] = {
    "chain": as_chain,
    "array": as_array,
    "unit": as_units,
    "pages": as_pages,
}
