"""The software algorithms `deflate`, `zstd`, `lz4` and `lzo`: synchronous as scomp is (docs/kernel.md#software).

A method returns a final code, inline on the loop, one page a call. It never calls the completion function and knows
nothing of chains: given a head it does the head only. Worker threads are the business of `acomp.threads`.

What does not fit in `dlen` gives the kernel's errno: -EINVAL, and -ENOSPC from `lzo`, whose code at the base of the
series did not check its limit, so that the scomp wrapper did. `lzo` is the kernel's *format*; the
only binding with wheels compresses harder than LZO1X-1, so its ratios are not the kernel's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EINVAL, ENOSPC
from typing import Final

from . import cpu
from .algapi import AcompAlg, Registry, default_registry, entered
from .codecs import CODECS, Codec, CodecError, self_test
from .flags import CRYPTO_ACOMP_DST_MAX
from .request import AcompReq
from .tfm import CryptoAcomp

SOFTWARE_PRIORITY: Final = 100


def capacity_of(req: AcompReq) -> int:
    """Bytes of output allowed, or -EINVAL for a request that scomp refuses."""
    if req.src is None or not 0 < req.slen <= CRYPTO_ACOMP_DST_MAX:
        return -EINVAL
    if req.dst is None or req.dlen > CRYPTO_ACOMP_DST_MAX:
        return CRYPTO_ACOMP_DST_MAX
    return req.dlen or -EINVAL


def compressor(name: str, too_long: int = -EINVAL) -> Callable[[AcompReq], int]:
    """The compress method of the generic algorithm `name`; the transform's `ctx` is its codec."""
    cost = f"{name}.compress"

    def compress(req: AcompReq) -> int:
        capacity = capacity_of(req)
        if capacity < 0:
            return capacity
        codec: Codec = req.tfm.ctx
        output = codec.compress(req.source())
        req.path = "software"
        cpu.charge(cost)
        if len(output) > capacity:
            return too_long
        req.deliver(output)
        return 0

    return compress


def decompressor(name: str) -> Callable[[AcompReq], int]:
    """The decompress method of the generic algorithm `name`; the transform's `ctx` is its codec."""
    cost = f"{name}.decompress"

    def decompress(req: AcompReq) -> int:
        capacity = capacity_of(req)
        if capacity < 0:
            return capacity
        codec: Codec = req.tfm.ctx
        req.path = "software"
        cpu.charge(cost)
        try:
            output = codec.decompress(req.source(), capacity)
        except CodecError:
            return -EINVAL
        req.deliver(output)
        return 0

    return decompress


def software_algorithm(name: str, codec: Callable[[], Codec], too_long: int = -EINVAL) -> AcompAlg:
    """The algorithm `name` (driver name `name`-generic) over `codec`; each transform gets a codec of its own.

    The known vectors of that name are checked before it has its first transform, once per process: CodecError from
    `crypto_alloc_acomp` if one does not hold, ImportError if the codec's binding is missing. A laboratory that models
    lengths registers the same algorithm over a codec of its own.
    """
    compress, decompress = compressor(name, too_long), decompressor(name)

    def init(tfm: CryptoAcomp) -> None:
        self_test(name)
        tfm.ctx = codec()
        if tfm.compress is compress:  # and not another method, of an algorithm that was made of this one
            tfm.compress_at_once = tfm.ctx.compress
        if tfm.decompress is decompress:
            tfm.decompress_at_once = tfm.ctx.decompress

    return AcompAlg(
        cra_name=name,
        cra_driver_name=f"{name}-generic",
        cra_priority=SOFTWARE_PRIORITY,
        cra_flags=0,
        compress=compress,
        decompress=decompress,
        init=init,
    )


def register_software(registry: Registry) -> None:
    """Register the software algorithms in `registry`. A fresh registry holds these and nothing else."""
    for name, codec in CODECS.items():
        registry.add(software_algorithm(name, codec, too_long=-ENOSPC if name == "lzo" else -EINVAL))


@contextmanager
def registry() -> Iterator[Registry]:
    """Open a fresh registry, holding the software algorithms only, as the current one for what runs inside.

    Tasks created inside keep it. Every simulation and every test has one of its own.
    """
    fresh = Registry()
    register_software(fresh)
    with entered(fresh):
        yield fresh


register_software(default_registry())
