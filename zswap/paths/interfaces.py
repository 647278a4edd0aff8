"""How a batch of pages gets to the compressor; for every generation of the series, one class.

Counting rejects, allocating and publishing see the list of outputs and codes that `compress` ends in, and nothing of
what is in here. Where the algorithm lacks what an interface needs, pages go one by one, each as a single request.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import ClassVar, Final

from acomp import (
    CRYPTO_ACOMP_OUTPUT_ONLY,
    CRYPTO_ALG_REQ_CHAIN,
    CRYPTO_ALG_REQ_SEG,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    PAGE_SIZE,
    AcompReq,
    CryptoAcomp,
    CryptoWait,
    SgEntry,
    acomp_is_reqchain,
    acomp_reqchain_clear,
    acomp_reqchain_fill,
    acomp_reqchain_init,
    acomp_request_alloc,
    acomp_request_free,
    acomp_request_set_callback,
    acomp_request_set_dst_sg,
    acomp_request_set_params,
    acomp_request_set_src_folio,
    acomp_request_set_unit_size,
    crypto_acomp_batch_compress,
    crypto_acomp_batch_size,
    crypto_acomp_compress,
    crypto_req_done,
    crypto_wait_req,
    fault,
)

from ..folio import Folio
from ..params import LONGEST_CHAIN, InterfaceName
from ..pool.context import BUFFER_SIZE
from ..pool.interface import Interface

CONTEXT_ALLOC: Final = fault.declare(
    "zswap.context_alloc", "no memory for a cpu's requests or buffers: no pool is created, or the cpu stays offline"
)

_PAGES: Final = [slice(at, at + PAGE_SIZE) for at in range(0, LONGEST_CHAIN * PAGE_SIZE, PAGE_SIZE)]
"""The pages of a batch; made once, for they are asked for all the time."""


class _Requests:
    """What the interfaces have in common: requests with a buffer each, and single pages.

    `batched` is patch 14: without it the requests may be there, and pages go one by one all the same.
    """

    __slots__ = ("_lacks", "_used", "_wait", "batch_size", "batched", "buffers", "reqs")

    needs: ClassVar[str]
    """What it takes of an algorithm, for people."""
    pool_tells_size: ClassVar[bool] = True
    most_requests: ClassVar[int] = LONGEST_CHAIN
    """How many requests it has at most; of buffers there is one for each page."""
    buffer_size: ClassVar[int] = BUFFER_SIZE
    """Bytes of each output buffer."""

    def __init__(self, wait: CryptoWait, batched: bool) -> None:
        self._wait = wait
        self._lacks = ""
        self._used = 1  # the most requests that may have been submitted
        self.batched = batched
        self.batch_size = 0
        self.reqs: list[AcompReq] = []
        self.buffers: list[bytearray] = []

    def __repr__(self) -> str:
        how = f"batches of {self.batch_size}" if self.batch_size > 1 else "page by page"
        return f"<{type(self).__name__}: {how if self.batch_size else 'not allocated'}{self._lacks}>"

    def serves(self, tfm: CryptoAcomp) -> bool:
        """Whether the algorithm has what this interface needs."""
        raise NotImplementedError

    def allocate(self, tfm: CryptoAcomp, nr: int) -> None:
        """Requests and buffers for batches of at most `nr` pages. MemoryError, and nothing is left behind."""
        # A compressor that reports 0 would count as never allocated in the kernel; one request always works.
        size = max(1, min(nr, crypto_acomp_batch_size(tfm))) if self.serves(tfm) else 1
        self._lacks = "" if self.serves(tfm) else f", {tfm.alg.cra_driver_name} {self.needs}"
        try:
            for _ in range(size):
                self._allocate_one(tfm)
        except BaseException:
            for req in self.reqs:
                acomp_request_free(req)
            self.reqs, self.buffers = [], []
            raise
        acomp_request_set_callback(self.reqs[0], CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, self._wait)
        self.batch_size = size if self.batched else 1

    def _allocate_one(self, tfm: CryptoAcomp) -> None:
        if fault.should_fail(CONTEXT_ALLOC):
            raise MemoryError("no memory for a request and buffer")
        self.buffers.append(bytearray(self.buffer_size))
        if len(self.reqs) < self.most_requests:
            self.reqs.append(req := acomp_request_alloc(tfm))
            req.flags |= CRYPTO_ACOMP_OUTPUT_ONLY

    def busy_requests(self) -> list[AcompReq]:
        """Those that somebody still holds, of all that were submitted since the last `reset`."""
        return [req for req in self.reqs[: self._used] if req.held > 0]

    def reset(self) -> None:
        """No folio lives on because it was stored, and the first request is a single one."""
        for req in self.reqs[: self._used]:
            req.src = None
        self._used = 1

    async def compress_single(self, folio: Folio, first: int) -> list[bytes | int]:
        """One page as one plain request."""
        req, buffer = self.reqs[0], self.buffers[0]
        page = _pages(folio, first, 1)[0]
        acomp_request_set_params(req, page, buffer, PAGE_SIZE, PAGE_SIZE)
        err = await crypto_wait_req(crypto_acomp_compress(req), self._wait)
        return [err or _output(req.output, buffer, req.dlen)]


class Chain(_Requests):
    """v8: a request for each page, chained to the first one."""

    __slots__ = ()
    needs = "takes no chains"
    pool_tells_size = False

    def serves(self, tfm: CryptoAcomp) -> bool:
        """Whether the algorithm takes chains."""
        return bool(tfm.alg.cra_flags & CRYPTO_ALG_REQ_CHAIN)

    async def compress(self, folio: Folio, first: int, nr: int) -> list[bytes | int]:
        """A chain, also for a single page that is left of a folio; a folio of one page is a single request."""
        if self.batch_size == 1 or folio.nr_pages == 1:
            return await self.compress_single(folio, first)
        self._used = max(self._used, nr)
        reqs, buffers, head = self.reqs[:nr], self.buffers[:nr], self.reqs[0]
        acomp_reqchain_init(head, 0, crypto_req_done, self._wait)
        acomp_reqchain_fill(reqs, _pages(folio, first, nr), buffers, PAGE_SIZE, PAGE_SIZE)
        await crypto_wait_req(crypto_acomp_compress(head), self._wait)
        outputs = [
            req.base.err or (req.output if req.output is not None else _output(None, buffer, req.dlen))
            for req, buffer in zip(reqs, buffers, strict=True)
        ]
        acomp_reqchain_clear(head, self._wait)
        return outputs

    def reset(self) -> None:
        """What a cancelled holder has left of its chain goes, too."""
        super().reset()
        if acomp_is_reqchain(self.reqs[0]):
            acomp_reqchain_clear(self.reqs[0], self._wait)


class Array(_Requests):
    """v9: pages, buffers, lengths and errors side by side, and a request for each as well."""

    __slots__ = ()
    needs = "takes no arrays"

    def serves(self, tfm: CryptoAcomp) -> bool:
        """Whether the algorithm takes arrays."""
        return tfm.alg.batch_compress is not None

    async def compress(self, folio: Folio, first: int, nr: int) -> list[bytes | int]:
        """One call with arrays; a single page is a single request."""
        if nr == 1:
            return await self.compress_single(folio, first)
        self._used = max(self._used, nr)
        reqs, buffers, pages = self.reqs[:nr], self.buffers[:nr], _pages(folio, first, nr)
        lengths, errors = [0] * nr, [0] * nr
        await crypto_acomp_batch_compress(reqs, pages, buffers, lengths, errors, nr)
        return [
            err or _output(req.output, buffer, length)
            for req, buffer, length, err in zip(reqs, buffers, lengths, errors, strict=True)
        ]


class Unit(_Requests):
    """v12 to v14: one request with the pages as its units, and a table of entries that is made once.

    An algorithm that takes no units is given one at a time, by acomp's wrapper.
    """

    __slots__ = ("_entries",)
    needs = "takes no units"
    most_requests = 1
    buffer_size = PAGE_SIZE

    def serves(self, tfm: CryptoAcomp) -> bool:
        """Whether the algorithm takes requests of several units."""
        return bool(tfm.alg.cra_flags & CRYPTO_ALG_REQ_SEG)

    def allocate(self, tfm: CryptoAcomp, nr: int) -> None:
        """A request, and buffers for batches of at most `nr` pages. MemoryError, and nothing is left behind."""
        super().allocate(tfm, nr)
        acomp_request_set_unit_size(self.reqs[0], PAGE_SIZE)  # after its callback was set, which resets it
        self._entries = tuple(map(SgEntry, self.buffers))

    async def compress(self, folio: Folio, first: int, nr: int) -> list[bytes | int]:
        """One request, whatever the number of pages."""
        req = self.reqs[0]
        entries = self._entries if nr == len(self._entries) else self._entries[:nr]
        acomp_request_set_src_folio(req, folio.data, first * PAGE_SIZE, nr * PAGE_SIZE)
        acomp_request_set_dst_sg(req, entries, nr * PAGE_SIZE)
        err = await crypto_wait_req(crypto_acomp_compress(req), self._wait)
        outputs: list[bytes | int] = [*map(_OUTPUT_OF, entries)]
        if not err and set(map(type, outputs)) == {bytes}:
            return outputs
        if err and min(one.length for one in entries) >= 0:
            return [err] * nr  # none of them was begun, so the entries say nothing
        return [min(one.length, 0) or _output(one.output, one.buffer, one.length) for one in entries]


_OUTPUT_OF: Final[Callable[[SgEntry], bytes]] = attrgetter("output")
"""Of an entry of which every page has one, as most often; asked for without a step of the interpreter."""

_BY_NAME: Final[dict[InterfaceName, Callable[[CryptoWait, bool], Interface]]] = {
    "chain": Chain,
    "array": Array,
    "unit": Unit,
}
INTERFACES: Final = MappingProxyType(_BY_NAME)
"""By the name that `Params.interface` has for them."""


def _pages(folio: Folio, first: int, nr: int) -> Sequence[bytes | memoryview]:
    """Pages of a folio as sources. Nothing is copied: whoever compresses a page is the first to touch its bytes."""
    if folio.nr_pages == 1:
        return (folio.data,)
    batch = memoryview(folio.data)[first * PAGE_SIZE : (first + nr) * PAGE_SIZE]
    return [*map(batch.__getitem__, _PAGES[:nr])]


def _output(output: bytes | None, buffer: bytearray, length: int) -> bytes:
    """The output as an object, copied out of its buffer only if it has to be."""
    return output if output is not None else bytes(memoryview(buffer)[:length])
