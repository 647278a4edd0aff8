"""An algorithm whose chains are worked off by worker threads: `zstd-threads` and its like. Made by `threads`.

A chain is submitted as one batch and waited for by one future; nothing is made per page but the output. Compression
always goes to the workers. Decompression is so much faster that a page is done before a thread has woken up: what is
small runs inline, with a turn for the loop now and then.
"""

import asyncio
from collections.abc import Callable, Sequence
from errno import EINVAL, EIO, ENODEV
from functools import partial
from typing import Any, Final, Protocol

from ..algapi import AcompAlg
from ..call_each import call_each
from ..chain import acomp_chain_members, acomp_is_reqchain
from ..codecs import CODECS, CodecError, ZstdCodec
from ..flags import CRYPTO_ACOMP_DST_MAX, CRYPTO_ALG_ASYNC, CRYPTO_ALG_REQ_CHAIN, PAGE_SIZE
from ..request import AcompReq, acomp_request_get, acomp_request_put
from ..runners.batched import acomp_do_batch_req_chain
from ..software import capacity_of, decompressor
from ..tfm import CryptoAcomp
from ..wait import Code
from .lanes import Batch, Lane, Perform
from .workers import NoWorkersError, Workers

THREADS_PRIORITY: Final = 200
BATCH_SIZE: Final = 64
"""Requests that a chain should have: with more of them a worker's share does not get faster per page."""
INLINE_BYTES: Final = 8 * PAGE_SIZE
"""Capacity up to which a decompression, of one request or of a whole chain, runs inline (docs/benchmarks.md)."""
PAGES_PER_TURN: Final = 32
"""Pages decompressed inline after which the loop gets a turn; it costs as much as a page, and they take half a ms."""


class Pool(Protocol):
    """What an algorithm needs to know of the context it belongs to (`threads.Threads`)."""

    loop: asyncio.AbstractEventLoop
    closed: bool
    workers: Workers

    def admit_now(self, count: int) -> bool:
        """Whether `count` requests may go to the workers at once, or find at once that the context was left."""

    async def admit(self, count: int) -> None:
        """Wait until they may."""

    def leave(self, count: int) -> None:
        """They have landed."""


class ThreadedAlgorithm:
    """The threaded form of the generic algorithm `name`: its registration, and a lane for each direction."""

    def __init__(self, name: str, pool: Pool) -> None:
        self.name = name
        self.pool = pool
        self.compressing = Lane(partial(_compressing, name), weigh=_source_pages)
        self.decompressing = Lane(partial(_decompressing, name), weigh=_limit_pages)
        self._decompress_generic = decompressor(name)
        self._inline_pages = 0
        self.algorithm = AcompAlg(
            cra_name=name,
            cra_driver_name=f"{name}-threads",
            cra_priority=THREADS_PRIORITY,
            cra_flags=CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN,
            compress=self.compress,
            decompress=self.decompress,
            get_batch_size=lambda: BATCH_SIZE,
            init=self._init_tfm,
            loop=pool.loop,
        )

    def _init_tfm(self, tfm: CryptoAcomp) -> None:
        tfm.ctx = CODECS[self.name]()  # for what runs inline
        if tfm.decompress == self.decompress:  # and not another method, of an algorithm that was made of this one
            tfm.decompress_at_once = tfm.ctx.decompress

    def compress(self, req: AcompReq) -> Code:
        """A coroutine that hands the request or chain to the workers."""
        return _Handing(self.pool, self.compressing, _sources, _no_device).run(req)

    def decompress(self, req: AcompReq) -> Code:
        """A code, or a coroutine of one: to the workers goes what is large, while there are any; the rest runs here."""
        is_chain = acomp_is_reqchain(req)
        room = _room(req)
        if is_chain:
            room += sum(map(_room, acomp_chain_members(req)))
        if room > INLINE_BYTES and self.pool.workers.at_work and not self.pool.closed:
            return _Handing(self.pool, self.decompressing, _sources_and_limits, self._inline).run(req)
        self._inline_pages += room // PAGE_SIZE or 1
        if is_chain or self._inline_pages >= PAGES_PER_TURN:
            return self._decompress_in_turn(req)
        return self._inline(req)

    async def _decompress_in_turn(self, req: AcompReq) -> int:
        if self._inline_pages >= PAGES_PER_TURN:
            self._inline_pages = 0
            await asyncio.sleep(0)
        if acomp_is_reqchain(req):
            return await acomp_do_batch_req_chain(req, self._inline_all, _leave)
        return self._inline(req)

    async def _inline_all(self, reqs: Sequence[AcompReq]) -> list[int]:
        return [self._inline(req) for req in reqs]

    def _inline(self, req: AcompReq) -> int:
        """Decompress here and now. What the codec raises unforeseen goes to the loop's exception handler: -EIO."""
        try:
            return self._decompress_generic(req)
        except Exception as error:
            _tell(self.pool, req, error)
            return -EIO


def _room(req: AcompReq) -> int:
    """Bytes that a decompression may write. (Its method checks whether the request is in order.)"""
    return CRYPTO_ACOMP_DST_MAX if req.dst is None else req.dlen


def _leave(_req: AcompReq) -> None:
    """The `abandon` of work that is done inline: no worker has anything of it."""


def _no_device(_req: AcompReq) -> int:
    return -ENODEV


def _tell(pool: Pool, req: AcompReq, error: Exception) -> None:
    pool.loop.call_exception_handler({"message": f"{req!r}: the codec failed", "exception": error})


class _Handing:
    """One request or chain on its way to the workers and back.

    `items_of(reqs)` makes an item of each request for the workers, who read the requests' buffers through it. So when
    the caller is cancelled, its requests stay held until the whole batch has landed. Once the context was left,
    `when_closed(req)` does each request instead.
    """

    __slots__ = (
        "_admitted",
        "_future",
        "_held",
        "_items",
        "_items_of",
        "_lane",
        "_missing",
        "_outcomes",
        "_pool",
        "_when_closed",
    )

    def __init__(
        self,
        pool: Pool,
        lane: Lane,
        items_of: Callable[[Sequence[AcompReq]], list[Any]],
        when_closed: Callable[[AcompReq], int],
    ) -> None:
        self._pool = pool
        self._when_closed = when_closed
        self._admitted = 0
        self._lane = lane
        self._items_of = items_of
        self._items: list[Any] = []
        self._held: list[AcompReq] = []
        self._outcomes: list[Any] = []
        self._missing = 0
        self._future: asyncio.Future[None] | None = None

    async def run(self, head: AcompReq) -> int:
        """The result of the head, or of the single request."""
        pool = self._pool
        is_chain = acomp_is_reqchain(head)
        self._admitted = 1 + len(acomp_chain_members(head)) if is_chain else 1
        if not pool.admit_now(self._admitted):
            await pool.admit(self._admitted)
        try:
            if is_chain:
                return await acomp_do_batch_req_chain(head, self._perform, self._hold)
            return (await self._perform([head]))[0]
        except BaseException:
            if not is_chain:
                self._hold(head)
            raise
        finally:
            if self._future is None:
                pool.leave(self._admitted)

    async def _perform(self, reqs: Sequence[AcompReq]) -> list[int]:
        """Get all requests done and deliver their outputs; returns the code of each."""
        if self._pool.closed:
            return [self._when_closed(req) for req in reqs]
        capacities = [capacity_of(req) for req in reqs]
        if min(capacities) < 0:
            return await self._perform_valid(reqs, capacities)
        await self._hand_over(reqs)
        codes = [0] * len(reqs)
        for number, outcome in enumerate(self._outcomes):
            req = reqs[number]
            if type(outcome) is bytes and len(outcome) <= capacities[number]:
                req.path = "software"
                req.deliver(outcome)
            else:
                codes[number] = self._failure(req, outcome)
        return codes

    async def _perform_valid(self, reqs: Sequence[AcompReq], capacities: list[int]) -> list[int]:
        """Requests that are in order go to the workers. The code of the others is the error that `capacity_of` gave."""
        valid = [req for req, capacity in zip(reqs, capacities, strict=True) if capacity > 0]
        codes = iter(await self._perform(valid) if valid else [])
        return [next(codes) if capacity > 0 else capacity for capacity in capacities]

    async def _hand_over(self, reqs: Sequence[AcompReq]) -> None:
        """Hand them over as one batch; all have landed when this returns."""
        self._items = self._items_of(reqs)
        self._missing = count = len(self._items)
        self._outcomes = [None] * count
        self._pool.leave(self._admitted - count)  # those that were refused
        self._admitted = count
        self._future = self._pool.loop.create_future()
        try:
            self._pool.workers.submit(Batch(self._lane, self._items, self._landed, self._failed))
        except NoWorkersError:
            self._failed(0, count)
        await self._future

    def _hold(self, req: AcompReq) -> None:
        """The caller was cancelled: the request stays busy until no worker reads its buffer; its output is dropped."""
        if self._missing:
            acomp_request_get(req)
            self._held.append(req)

    def _landed(self, first: int, outcomes: list[Any]) -> None:
        self._outcomes[first : first + len(outcomes)] = outcomes
        self._missing -= len(outcomes)
        if self._missing:
            return
        assert self._future is not None
        if not self._future.done():
            self._future.set_result(None)
        self._let_go()

    def _failed(self, first: int, count: int) -> None:
        self._landed(first, [-ENODEV if self._pool.closed else -EIO] * count)

    def _let_go(self) -> None:
        """No worker reads the buffers any more: let go of all requests, whatever the callback of one of them raises."""
        self._items.clear()  # a worker that is not through yet may still hold the list
        held, self._held = self._held, []
        call_each([*(partial(acomp_request_put, req) for req in held), partial(self._pool.leave, self._admitted)])

    def _failure(self, req: AcompReq, outcome: Any) -> int:
        """The code of a request that failed: the worker's, -EINVAL for an output that is too long, else -EIO."""
        if isinstance(outcome, int):
            return outcome
        if type(outcome) is bytes:
            return -EINVAL  # too long; as from the generic algorithms
        error = outcome if isinstance(outcome, Exception) else TypeError(f"a codec returned {type(outcome).__name__}")
        _tell(self._pool, req, error)
        return -EIO


def _sources(reqs: Sequence[AcompReq]) -> list[Any]:
    return [req.source() for req in reqs]


def _sources_and_limits(reqs: Sequence[AcompReq]) -> list[Any]:
    return [(req.source(), capacity_of(req)) for req in reqs]


def _source_pages(sources: Sequence[Any]) -> int:
    return -(-max(map(len, sources)) // PAGE_SIZE)


def _limit_pages(items: Sequence[tuple[Any, int]]) -> int:
    return -(-max(limit for _, limit in items) // PAGE_SIZE)


def _compressing(name: str) -> Perform:
    """For one worker's thread: compress pages; an exception of the codec is that page's outcome alone."""
    codec = CODECS[name]()

    def perform(pages: list[Any]) -> list[Any]:
        if isinstance(codec, ZstdCodec):
            try:
                frames = codec.compress_many(pages)
                if len(frames) == len(pages):
                    return frames
            except Exception:  # one of them is to blame; the others get their frames below
                pass
        return [_outcome(codec.compress, page) for page in pages]

    return perform


def _decompressing(name: str) -> Perform:
    """For one worker's thread: decompress pairs of a source and its limit; -EINVAL for what does not decompress."""
    codec = CODECS[name]()

    def perform(items: list[Any]) -> list[Any]:
        return [_outcome(codec.decompress, *item) for item in items]

    return perform


def _outcome(work: Callable[..., bytes], *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except CodecError:
        return -EINVAL
    except Exception as error:
        return error
