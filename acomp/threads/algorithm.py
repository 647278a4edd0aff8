"""An algorithm whose pages are worked off by worker threads: `zstd-threads` and its like. Made by `threads`.

Handing work to a thread and hearing of its end costs more than a page, so little work is done on the loop's own
thread, with a turn for the others now and then. Compression of one or two pages always, of three or four unless
something is queued or running; decompression, which is so much faster that a page is done before a thread has woken
up, up to 32 KiB.
"""

from collections.abc import Callable, Sequence
from errno import EIO, ENODEV
from functools import partial
from operator import floordiv
from typing import Any, Final

from ..algapi import AcompAlg
from ..chain import acomp_is_reqchain
from ..codecs import CODECS, self_test
from ..codecs.codec import BytesLike
from ..flags import CRYPTO_ALG_ASYNC, CRYPTO_ALG_REQ_CHAIN, CRYPTO_ALG_REQ_SEG, PAGE_SIZE
from ..request import AcompReq
from ..runners.batched import acomp_do_batch_req_chain
from ..software import compressor, decompressor
from ..tfm import CryptoAcomp
from ..units.arrays import acomp_array_method
from ..units.batch import Units
from ..units.requests import on_requests, room_of
from ..units.run import acomp_do_unit_req
from ..wait import Code
from . import performs
from .handing import Direction, Handing, Pool, Turns
from .lanes import Lane

THREADS_PRIORITY: Final = 200
BATCH_SIZE: Final = 64
"""Pages that should go down at once: with more of them a worker's share does not get faster per page."""
HERE_PAGES: Final = 2
"""Pages that are always compressed on the loop's thread (docs/benchmarks.md)."""
IDLE_PAGES: Final = 4
"""And as long as no worker has anything to do."""
INLINE_BYTES: Final = 8 * PAGE_SIZE
"""Room up to which a decompression, of one request or of a whole chain, runs on the loop's thread."""
COMPRESSION_COST: Final = 4
"""Compressing a page takes as long as decompressing so many."""


class ThreadedAlgorithm:
    """The threaded form of the generic algorithm `name`: its registration, and a lane for each direction."""

    def __init__(self, name: str, pool: Pool) -> None:
        self_test(name)  # here, and not in a worker: what is missing is the opener's to know
        self.name = name
        self.pool = pool
        self._turns = turns = Turns()
        self.compressing = Lane(partial(performs.compressing, name), weigh=performs.source_pages)
        self.decompressing = Lane(
            partial(performs.decompressing, name), weigh=performs.limit_pages, speed=COMPRESSION_COST
        )
        self._compression = Direction(pool, self.compressing, turns, _sources, self._compresses_here, -ENODEV)
        self._decompression = Direction(
            pool, self.decompressing, turns, _sources_and_limits, self._decompresses_here, when_closed=0
        )
        self._compress_generic = compressor(name)
        self._decompress_generic = decompressor(name)
        self.algorithm = AcompAlg(
            cra_name=name,
            cra_driver_name=f"{name}-threads",
            cra_priority=THREADS_PRIORITY,
            cra_flags=CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN | CRYPTO_ALG_REQ_SEG,
            compress=self.compress,
            decompress=self.decompress,
            batch_compress=self._array_method(self._compression, compressing=True),
            batch_decompress=self._array_method(self._decompression, compressing=False),
            get_batch_size=lambda: BATCH_SIZE,
            init=self._init_tfm,
            loop=pool.loop,
        )

    def _init_tfm(self, tfm: CryptoAcomp) -> None:
        tfm.ctx = CODECS[self.name]()  # for what runs on the loop's thread
        if tfm.decompress == self.decompress:  # and not another method, of an algorithm that was made of this one
            tfm.decompress_at_once = tfm.ctx.decompress
            tfm.decompress_many = self._decompress_many
        if tfm.compress == self.compress:
            tfm.compress_at_once = partial(self._compress_at_once, tfm.ctx.compress)

    def _compress_at_once(self, compress: Callable[[BytesLike], bytes], src: BytesLike) -> bytes:
        """A page on the loop's thread, as long as the context was not left."""
        if self.pool.closed:
            raise OSError(ENODEV, "the worker threads' context was left")
        return compress(src)

    async def _decompress_many(self, srcs: Sequence[BytesLike], limit: int) -> Sequence[bytes | int]:
        """Many pages, by the workers if that is worth their while. Nobody changes the sources meanwhile."""
        units = Units(srcs, [limit] * len(srcs))
        err = await Handing(self._decompression).perform(units)
        return [err] * len(srcs) if err else units.outcomes

    def compress(self, req: AcompReq) -> Code:
        """A code, or a coroutine of one: for units, a chain, and a single request that goes to the workers."""
        if type(req.dst) is tuple:
            handing = Handing(self._compression)
            return acomp_do_unit_req(req, handing.perform, handing.hold)
        if not acomp_is_reqchain(req) and req.slen <= HERE_PAGES * PAGE_SIZE and not self.pool.closed:
            pages = -(-req.slen // PAGE_SIZE)
            return self._here(req, self._compression, self._compress_generic, COMPRESSION_COST * pages)
        return self._hand_over(req, self._compression)

    def decompress(self, req: AcompReq) -> Code:
        """A code, or a coroutine of one: to the workers goes what is large, while there are any; the rest runs here."""
        if not acomp_is_reqchain(req) and (room_of(req) <= INLINE_BYTES or not self._has_workers):
            return self._here(req, self._decompression, self._decompress_generic, room_of(req) // PAGE_SIZE or 1)
        return self._hand_over(req, self._decompression)

    def _here(self, req: AcompReq, direction: Direction, method: Callable[[AcompReq], int], cost: int) -> Code:
        """One small request on the loop's thread, at once unless the loop is due for a turn."""
        if self._turns.spend(cost):
            return self._here_in_turn(req, direction, method)
        return _checked(req, direction, method)

    async def _here_in_turn(self, req: AcompReq, direction: Direction, method: Callable[[AcompReq], int]) -> int:
        await self._turns.give()
        return _checked(req, direction, method)

    async def _hand_over(self, req: AcompReq, direction: Direction) -> int:
        """A chain, or a single request."""
        handing = Handing(direction)
        if acomp_is_reqchain(req):
            return await acomp_do_batch_req_chain(req, on_requests(handing.perform), handing.hold)
        try:
            return (await on_requests(handing.perform)([req]))[0]
        except BaseException:
            handing.hold(req)
            raise

    def _array_method(self, direction: Direction, *, compressing: bool) -> Any:
        """`batch_compress` or `batch_decompress` (v9)."""

        async def method(*arguments: Any) -> bool:
            handing = Handing(direction)
            return await acomp_array_method(handing.perform, handing.hold, compressing=compressing)(*arguments)

        return method

    @property
    def _has_workers(self) -> bool:
        return self.pool.workers.at_work and not self.pool.closed

    def _compresses_here(self, units: Units) -> int:
        """What compressing the units costs on the loop's thread, 0 if they go to the workers."""
        if len(units) > IDLE_PAGES:
            return 0
        pages = sum(-(-len(source) // PAGE_SIZE) for source in units.sources)
        most = HERE_PAGES if self.pool.workers.busy else IDLE_PAGES
        return COMPRESSION_COST * pages if pages <= most else 0

    def _decompresses_here(self, units: Units) -> int:
        """What decompressing the units costs on the loop's thread, 0 if they go to the workers."""
        if sum(units.capacities) > INLINE_BYTES and self._has_workers:
            return 0
        return sum(map(floordiv, units.capacities, [PAGE_SIZE] * len(units))) or 1


def _checked(req: AcompReq, direction: Direction, method: Callable[[AcompReq], int]) -> int:
    """The code of a generic method. What the codec raises unforeseen goes to the loop's exception handler: -EIO."""
    if direction.pool.closed and direction.when_closed:
        return direction.when_closed
    try:
        return method(req)
    except Exception as error:
        direction.tell(error)
        return -EIO


def _sources(units: Units) -> list[Any]:
    return list(units.sources)


def _sources_and_limits(units: Units) -> list[Any]:
    return list(zip(units.sources, units.capacities, strict=True))
