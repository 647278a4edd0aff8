"""The software codecs behind the generic algorithms `deflate`, `zstd`, `lz4` and `lzo`: bytes in, bytes out.

Called by the registered software algorithms and by the driver's software inflate. Nothing here knows of requests,
transforms, event loops or errno: a codec raises `CodecError`, its caller turns that into a code.

Every codec keeps two promises the bindings do not: output never exceeds the caller's limit (nor is a bomb expanded to
find out, see `LzoCodec` for the one soft spot), and no export of the caller's buffer survives the call, so a bytearray
can be resized afterwards. **A codec object serves one thread at a time**; make one per thread.

A binding is loaded with the first codec that needs it. `self_test` makes one: whoever is about to give a codec to
worker threads, or to a transform, calls that first, and has an ImportError there.
"""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .. import on_demand
from .codec import BytesLike, Codec, CodecError
from .deflate import ZLIB_IS_BYTE_EXACT, DeflateCodec

if TYPE_CHECKING:
    from .lz4 import Lz4Codec
    from .lzo import LzoCodec
    from .zstd import ZstdCodec
else:
    __getattr__, __dir__ = on_demand.attributes(
        __name__,
        {"Lz4Codec": ".lz4", "LzoCodec": ".lzo", "ZstdCodec": ".zstd"},
    )

__all__ = [
    "CODECS",
    "ZLIB_IS_BYTE_EXACT",
    "BytesLike",
    "Codec",
    "CodecError",
    "DeflateCodec",
    "Lz4Codec",
    "LzoCodec",
    "ZstdCodec",
    "self_test",
]


def _zstd() -> Codec:
    from .zstd import ZstdCodec

    return ZstdCodec()


def _lz4() -> Codec:
    from .lz4 import Lz4Codec

    return Lz4Codec()


def _lzo() -> Codec:
    from .lzo import LzoCodec

    return LzoCodec()


CODECS: Final[Mapping[str, Callable[[], Codec]]] = MappingProxyType(
    {"deflate": DeflateCodec, "zstd": _zstd, "lz4": _lz4, "lzo": _lzo}
)
"""What makes a codec, by the name of the generic algorithm."""


@functools.cache
def self_test(name: str) -> None:
    """Load the codec of the generic algorithm `name`, and check it against its known vectors: once per process.

    Raises CodecError (at every call) if one does not hold, ImportError if the codec's binding is missing or broken.
    """
    from ..known_vectors import check_known_vectors

    check_known_vectors(name)
