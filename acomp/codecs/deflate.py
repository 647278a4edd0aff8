"""The kernel's software `deflate`, by zlib."""

import zlib
from typing import Final

from .codec import BytesLike, CodecError, check_limit

ZLIB_IS_BYTE_EXACT: Final = "zlib-ng" not in zlib.ZLIB_RUNTIME_VERSION
"""Whether `DeflateCodec` emits the kernel's very bytes. Some distributions build Python over zlib-ng, which is
compatible but has other match finders: same format, other sizes."""


class DeflateCodec:
    """Raw deflate, level 6, 2 KiB window: byte for byte the kernel's software `deflate`.

    Bytes after the end of the stream are padding and ignored. Decompression takes any RFC 1951 stream, also those with
    distances beyond 2 KiB, because it stands in for the device when that cannot do the work.
    """

    def compress(self, src: BytesLike) -> bytes:
        """A raw deflate stream; a random page becomes stored blocks, 4101 bytes."""
        deflater = zlib.compressobj(6, zlib.DEFLATED, -11, 8)
        return deflater.compress(src) + deflater.flush()

    def decompress(self, src: BytesLike, limit: int) -> bytes:
        """Inflate the first stream in `src`."""
        check_limit(limit)
        inflater = zlib.decompressobj(-15)
        try:
            # One byte of room beyond the limit: it tells "exactly full" from "more to come", and keeps 0, which means
            # unlimited to zlib, away.
            plain = inflater.decompress(src, limit + 1)
        except zlib.error as error:
            raise CodecError(f"deflate: corrupt stream of {len(src)} bytes") from error
        if len(plain) > limit:
            raise CodecError(f"deflate: the stream expands to more than {limit} bytes")
        if not inflater.eof:
            raise CodecError(f"deflate: truncated stream of {len(src)} bytes")
        return plain
