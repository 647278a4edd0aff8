"""The per-cpu compression context of a pool, and the lease on it (docs/kernel.md#contexts).

Who compresses or decompresses holds the context of its cpu: transform, requests, buffers and the wait object. Each job
that was submitted holds it as well, until it has landed, for hardware cannot be cancelled and goes on writing to the
buffers. So `unlock` passes the mutex on at once if every request is idle, and else leaves that to the last landing.
"""

from collections.abc import Callable, Sequence
from typing import Final

from acomp import (
    CRYPTO_ACOMP_OUTPUT_ONLY,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    PAGE_SIZE,
    AcompReq,
    CryptoAcomp,
    CryptoWait,
    acomp_is_async,
    acomp_is_reqchain,
    acomp_reqchain_clear,
    acomp_request_alloc,
    acomp_request_free,
    acomp_request_set_callback,
    acomp_request_when_idle,
    crypto_acomp_batch_size,
    crypto_alloc_acomp,
    crypto_free_acomp,
    crypto_req_done,
    fault,
    trace,
)

from ..folio import Folio
from ..mutex import Mutex
from ..params import LONGEST_CHAIN

BUFFER_SIZE: Final = 2 * PAGE_SIZE
"""Bytes of an output buffer. The capacity given to the compressor is one page; the rest is a safety margin."""

_PAGES: Final = [slice(at, at + PAGE_SIZE) for at in range(0, LONGEST_CHAIN * PAGE_SIZE, PAGE_SIZE)]
"""The pages of a batch; made once, for they are asked for all the time."""

CONTEXT_ALLOC: Final = fault.declare(
    "zswap.context_alloc", "no memory for a cpu's requests or buffers: no pool is created, or the cpu stays offline"
)


class CpuContext:
    """One cpu's resources in one pool.

    `nr_reqs` requests in `reqs`, with as many output `buffers`; 0 means never allocated. Only `reqs[0]` has a callback,
    and there is one `wait` for it. `page` receives a decompressed page, on the loop's thread if `is_inline`. Neither
    `page` nor `buffers` are written by an algorithm that has its output as an object (OUTPUT_ONLY).
    """

    __slots__ = (
        "_on_unlock",
        "_used",
        "buffers",
        "cpu",
        "is_inline",
        "mutex",
        "nr_reqs",
        "online",
        "page",
        "reqs",
        "tfm",
        "wait",
    )

    def __init__(self, cpu: int, on_unlock: Callable[[], None]) -> None:
        self.cpu = cpu
        self.mutex = Mutex()
        self.online = False
        self.nr_reqs = 0
        self.reqs: list[AcompReq] = []
        self.buffers: list[bytearray] = []
        self.page = bytearray()
        self.wait = CryptoWait()
        self.is_inline = True
        self.tfm: CryptoAcomp | None = None
        self._on_unlock = on_unlock
        self._used = 1  # the most requests that its holder may have submitted

    def __repr__(self) -> str:
        state = "online" if self.online else "offline"
        return f"<CpuContext {self.cpu}: {self.nr_reqs} requests, {state}, {self.mutex}>"

    @property
    def memory_bytes(self) -> int:
        """Bytes of output buffers kept for this cpu: 64 KiB with chains of 8, 8 KiB without."""
        return sum(map(len, self.buffers))

    def prepare(self, compressor: str, max_reqs: int) -> None:
        """Bring the cpu online; allocates what it has not got yet (patch 12: at most once in the pool's life).

        Raises what allocating the transform raises, or MemoryError; nothing is left behind then.
        """
        if self.online:
            return
        if not self.nr_reqs:
            self._allocate(compressor, max_reqs)
        self.online = True

    def _allocate(self, compressor: str, max_reqs: int) -> None:
        tfm = crypto_alloc_acomp(compressor)
        # A compressor that reports 0 would count as never allocated in the kernel; one request always works.
        nr_reqs = max(1, min(max_reqs, crypto_acomp_batch_size(tfm)))
        reqs: list[AcompReq] = []
        try:
            for _ in range(nr_reqs):
                if fault.should_fail(CONTEXT_ALLOC):
                    raise MemoryError(f"no memory for a request and buffer of cpu {self.cpu}")
                reqs.append(req := acomp_request_alloc(tfm))
                req.flags |= CRYPTO_ACOMP_OUTPUT_ONLY
        except BaseException:
            for req in reqs:
                acomp_request_free(req)
            crypto_free_acomp(tfm)
            raise
        acomp_request_set_callback(reqs[0], CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, self.wait)
        self.tfm, self.reqs, self.nr_reqs = tfm, reqs, nr_reqs
        self.buffers = [bytearray(BUFFER_SIZE) for _ in range(nr_reqs)]
        self.page = bytearray(PAGE_SIZE)
        self.is_inline = not acomp_is_async(tfm) or tfm.decompress_at_once is not None

    def free(self) -> None:
        """Give everything back. Called when nobody holds the context: with its pool, or offline without patch 12."""
        self.online = False
        if self.tfm is None:
            return
        for req in self.reqs:
            acomp_request_free(req)
        crypto_free_acomp(self.tfm)
        self.tfm, self.reqs, self.nr_reqs = None, [], 0
        self.buffers, self.page = [], bytearray()

    def take_pages(self, folio: Folio, first: int, nr: int) -> Sequence[bytes | memoryview]:
        """Pages of a folio from `first` on, as sources of the first `nr` requests, while the context is locked.

        The context's holder may use the first request in any case, the others after this call. Nothing is copied:
        whoever compresses a page is the first to touch its bytes.
        """
        self._used = max(self._used, nr)
        if folio.nr_pages == 1:
            return (folio.data,)
        batch = memoryview(folio.data)[first * PAGE_SIZE : (first + nr) * PAGE_SIZE]
        return [*map(batch.__getitem__, _PAGES[:nr])]

    def try_lock(self) -> bool:
        """Take the context if it is free. Release it with `unlock`, whatever happens."""
        if self.mutex.locked:
            return False
        self.mutex.locked = True
        if trace.sink is not None:
            trace.emit("zswap.context.lock", cpu=self.cpu)
        return True

    async def lock(self) -> None:
        """Take the context, after all who asked before. Release it with `unlock`, whatever happens."""
        await self.mutex.acquire()
        if trace.sink is not None:
            trace.emit("zswap.context.lock", cpu=self.cpu)

    def unlock(self) -> None:
        """The holder is through: the next one gets the context as soon as no job uses it any more. A plain call."""
        busy = [req for req in self.reqs[: self._used] if req.busy]
        if not busy:
            self._pass_on()
            return
        left = len(busy)

        def landed() -> None:
            nonlocal left
            left -= 1
            if not left:
                self._pass_on()

        for req in busy:
            acomp_request_when_idle(req, landed)

    def _pass_on(self) -> None:
        """Every request is idle: leave them as the next holder expects them, and release the mutex."""
        for req in self.reqs[: self._used]:
            req.src = None  # no folio lives on because it was stored
        if self.reqs and acomp_is_reqchain(self.reqs[0]):
            acomp_reqchain_clear(self.reqs[0], self.wait)
        self.wait.reinit()
        self._used = 1
        if trace.sink is not None:
            trace.emit("zswap.context.unlock", cpu=self.cpu)
        self.mutex.release()
        self._on_unlock()
