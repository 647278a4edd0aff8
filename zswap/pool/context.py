"""The per-cpu compression context of a pool, and the lease on it (docs/kernel.md#contexts).

Who compresses or decompresses holds the context of its cpu: transform, requests, buffers and the wait object. Each job
that was submitted holds it as well, until it has landed, for hardware cannot be cancelled and goes on writing to the
buffers. So `unlock` passes the mutex on at once if every request is idle, and else leaves that to the last landing.
"""

from collections.abc import Callable
from typing import Final

from acomp import (
    PAGE_SIZE,
    AcompReq,
    CryptoAcomp,
    CryptoWait,
    acomp_is_async,
    acomp_request_free,
    acomp_request_when_idle,
    crypto_alloc_acomp,
    crypto_free_acomp,
    trace,
)

from ..mutex import Mutex
from .interface import MakeInterface

BUFFER_SIZE: Final = 2 * PAGE_SIZE
"""Bytes of an output buffer. The capacity given to the compressor is one page; the rest is a safety margin."""


class CpuContext:
    """One cpu's resources in one pool.

    `interface` has the requests and output buffers, 0 of them if the context was never allocated, and compresses with
    them. Only `req`, its first request, has a callback, and there is one `wait` for it; whoever decompresses uses it.
    `page` receives a decompressed page, on the loop's thread if `is_inline`. Neither `page` nor buffers are written by
    an algorithm that has its output as an object (OUTPUT_ONLY).
    """

    __slots__ = (
        "_make_interface",
        "_on_unlock",
        "cpu",
        "interface",
        "is_inline",
        "mutex",
        "online",
        "page",
        "tfm",
        "wait",
    )

    def __init__(self, cpu: int, make_interface: MakeInterface, on_unlock: Callable[[], None]) -> None:
        self.cpu = cpu
        self.mutex = Mutex()
        self.online = False
        self.page = bytearray()
        self.wait = CryptoWait()
        self.interface = make_interface(self.wait)
        self.is_inline = True
        self.tfm: CryptoAcomp | None = None
        self._make_interface = make_interface
        self._on_unlock = on_unlock

    def __repr__(self) -> str:
        state = "online" if self.online else "offline"
        return f"<CpuContext {self.cpu}: {self.nr_reqs} requests, {self.interface}, {state}, {self.mutex}>"

    @property
    def req(self) -> AcompReq:
        """The request for single pages."""
        return self.interface.reqs[0]

    @property
    def nr_reqs(self) -> int:
        """Requests that it has: in v8 as many as a batch has pages."""
        return len(self.interface.reqs)

    @property
    def buffers(self) -> list[bytearray]:
        """Its output buffers."""
        return self.interface.buffers

    @property
    def memory_bytes(self) -> int:
        """Bytes of output buffers kept for this cpu: 64 KiB with chains of 8, 8 KiB without."""
        return sum(map(len, self.interface.buffers))

    def prepare(self, compressor: str, max_pages: int) -> None:
        """Bring the cpu online; allocates what it has not got yet (patch 12: at most once in the pool's life).

        Raises what allocating the transform raises, or MemoryError; nothing is left behind then.
        """
        if self.online:
            return
        if self.tfm is None:
            self._allocate(compressor, max_pages)
        self.online = True

    def _allocate(self, compressor: str, max_pages: int) -> None:
        tfm = crypto_alloc_acomp(compressor)
        try:
            self.interface.allocate(tfm, max_pages)
        except BaseException:
            crypto_free_acomp(tfm)
            raise
        self.tfm = tfm
        self.page = bytearray(PAGE_SIZE)
        self.is_inline = not acomp_is_async(tfm) or tfm.decompress_at_once is not None

    def free(self) -> None:
        """Give everything back. Called when nobody holds the context: with its pool, or offline without patch 12."""
        self.online = False
        if self.tfm is None:
            return
        for req in self.interface.reqs:
            acomp_request_free(req)
        crypto_free_acomp(self.tfm)
        self.tfm, self.page = None, bytearray()
        self.interface = self._make_interface(self.wait)

    def try_lock(self) -> bool:
        """Take the context if it is free. Release it with `unlock`, whatever happens."""
        if self.mutex.locked:
            return False
        self.mutex.locked = True
        if trace.sink is not None:
            trace.emit("zswap.context.lock", cpu=self.cpu)
        return True

    async def lock(self) -> None:
        """Take the context, in order of call. Release it with `unlock`, whatever happens."""
        await self.mutex.acquire()
        if trace.sink is not None:
            trace.emit("zswap.context.lock", cpu=self.cpu)

    def unlock(self) -> None:
        """Give the context to the next waiter as soon as no job uses it any more. A plain call of its holder."""
        busy = self.interface.busy_requests()
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
        if self.tfm is not None:
            self.interface.reset()
        self.wait.reinit()
        if trace.sink is not None:
            trace.emit("zswap.context.unlock", cpu=self.cpu)
        self.mutex.release()
        self._on_unlock()
