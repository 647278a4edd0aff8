"""`lzo`, by lzallright."""

import lzallright

from .codec import BytesLike, CodecError, check_limit


class LzoCodec:
    """LZO1X. The stream has an end mark; bytes after it are an error, as are missing ones.

    The binding takes the limit as a hint only and grows its buffer as the stream demands. One input byte can make at
    most 255, and a stream longer than any compressor makes of `limit` bytes is refused unseen, so what a bomb can
    allocate for a moment is about 272 times the limit.
    """

    def __init__(self) -> None:
        self._lzo = lzallright.LZOCompressor()

    def compress(self, src: BytesLike) -> bytes:
        """One stream; at most 1/16 longer than `src`, and 67 bytes."""
        return self._lzo.compress(src)

    def decompress(self, src: BytesLike, limit: int) -> bytes:
        """The content of the stream; all of `src` belongs to it."""
        check_limit(limit)
        if len(src) > limit + limit // 16 + 64 + 3:  # the format's documented worst case
            raise CodecError(f"lzo: {len(src)} bytes are too many for a stream of {limit}")
        try:
            plain = self._lzo.decompress(src, limit)
        except lzallright.LZOError as error:
            raise CodecError(f"lzo: corrupt or truncated stream of {len(src)} bytes") from error
        if len(plain) > limit:
            raise CodecError(f"lzo: the stream expands to more than {limit} bytes")
        return plain
