"""Transforms: an instance of an algorithm, bound to the event loop that first uses it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .algapi import AcompAlg, current_registry
from .errors import ProtocolError, RequestBusyError, WrongLoopError
from .flags import CRYPTO_ALG_ASYNC

if TYPE_CHECKING:
    from .codecs import BytesLike
    from .request import AcompReq


class CryptoAcomp:
    """A transform. Made by `crypto_alloc_acomp`; the methods are copied from the algorithm, as in the kernel.

    `alg` is the algorithm, `ctx` belongs to its methods (the kernel's tfm context). An algorithm's `init` may set
    `decompress_at_once(src, limit)`: it does what `decompress` does, without waiting and without a request, and returns
    the bytes or raises. It is for an owner who wants one page now; None if the algorithm has none. Its counterpart is
    `compress_at_once(src)`, whose output may be longer than `src`. `decompress_many(srcs, limit)`, a coroutine, is for
    many pages, wherever the algorithm does them best: the bytes or a negative errno for each. (Ours.)
    """

    __slots__ = (
        "__weakref__",
        "_freed",
        "_loop",
        "_requests",
        "alg",
        "batch_compress",
        "batch_decompress",
        "compress",
        "compress_at_once",
        "ctx",
        "decompress",
        "decompress_at_once",
        "decompress_many",
        "get_batch_size",
    )

    def __init__(self, alg: AcompAlg) -> None:
        self.alg = alg
        self.compress = alg.compress
        self.decompress = alg.decompress
        self.batch_compress = alg.batch_compress
        self.batch_decompress = alg.batch_decompress
        self.get_batch_size = alg.get_batch_size
        self.ctx: Any = None
        self.compress_at_once: Callable[[BytesLike], bytes] | None = None
        self.decompress_at_once: Callable[[BytesLike, int], bytes] | None = None
        self.decompress_many: Callable[[Sequence[BytesLike], int], Awaitable[Sequence[bytes | int]]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._freed = False
        self._requests: WeakSet[AcompReq] = WeakSet()

    def __repr__(self) -> str:
        busy = sum(1 for req in self._requests if req.busy)
        state = "freed" if self._freed else f"{len(self._requests)} requests, {busy} busy"
        return f"<CryptoAcomp {self.alg.cra_driver_name}: {state}>"

    def check_alive(self) -> None:
        """ProtocolError if this transform was freed."""
        if self._freed:
            raise ProtocolError(f"this {self.alg.cra_driver_name} transform was freed; allocate another")

    def bind_loop(self) -> None:
        """Bind to the running loop at first use; WrongLoopError on any other, or outside of one."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WrongLoopError(
                "a transform is used inside a running event loop; call this from a coroutine"
            ) from None
        if self._loop is None:
            self.check_alive()
            if self.alg.loop is not None and self.alg.loop is not loop:
                raise WrongLoopError(
                    f"{self.alg.cra_driver_name} was opened on another event loop and serves that one alone; open"
                    " another one on this loop, inside a registry of its own (`with acomp.registry():`)"
                )
            self._loop = loop
        elif self._loop is not loop:
            raise WrongLoopError(
                f"this {self.alg.cra_driver_name} transform belongs to another event loop; allocate one per loop"
            )


def check_is_transform(tfm: object) -> None:
    """TypeError for what is not a transform."""
    if not isinstance(tfm, CryptoAcomp):
        raise TypeError(f"expected a CryptoAcomp from crypto_alloc_acomp, not {type(tfm).__name__}")


def crypto_alloc_acomp(name: str) -> CryptoAcomp:
    """A transform of the algorithm called `name`: its driver name, or its name (then the highest priority wins).

    Raises AlgorithmNotFoundError (where the kernel answers -ENOENT), or what the algorithm's `init` raises.
    """
    alg = current_registry().look_up(name)
    tfm = CryptoAcomp(alg)
    if alg.init is not None:
        alg.init(tfm)
    return tfm


def crypto_free_acomp(tfm: CryptoAcomp) -> None:
    """Free a transform and make its requests unusable; RequestBusyError while one of them is busy."""
    check_is_transform(tfm)
    tfm.check_alive()
    busy = [req for req in tfm._requests if req.busy]
    if busy:
        raise RequestBusyError(f"{len(busy)} requests of this transform are busy; free it when they have landed")
    tfm._freed = True
    if tfm.alg.exit is not None:
        tfm.alg.exit(tfm)


def acomp_is_async(tfm: CryptoAcomp) -> bool:
    """Whether the algorithm may complete later (its async flag)."""
    check_is_transform(tfm)
    return bool(tfm.alg.cra_flags & CRYPTO_ALG_ASYNC)


def acomp_has_async_batching(tfm: CryptoAcomp) -> bool:
    """Whether the transform is async and its algorithm reports a batch size (patch 2; as a number since v12)."""
    return acomp_is_async(tfm) and (tfm.get_batch_size is not None or tfm.alg.batch_size is not None)


def crypto_acomp_batch_size(tfm: CryptoAcomp) -> int:
    """How many pages the algorithm wants at once, in a chain or otherwise; 1 for those that do not batch (patch 2).

    It does not depend on how the driver will process a chain: `deflate-iaa` says 8 in every sync mode.
    """
    if not acomp_is_async(tfm):
        return 1
    return tfm.get_batch_size() if tfm.get_batch_size is not None else tfm.alg.batch_size or 1
