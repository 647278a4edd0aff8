"""The software codecs behind the generic algorithms `deflate`, `zstd`, `lz4` and `lzo`: bytes in, bytes out.

Called by the registered software algorithms and by the driver's software inflate. Nothing here knows of requests,
transforms, event loops or errno: a codec raises `CodecError`, its caller turns that into a code.

Every codec keeps two promises the bindings do not: output never exceeds the caller's limit (nor is a bomb expanded to
find out, see `LzoCodec` for the one soft spot), and no export of the caller's buffer survives the call, so a bytearray
can be resized afterwards. **A codec object serves one thread at a time**; make one per thread.
"""

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

import lz4.block
import lzallright
import zstandard

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""Any contiguous buffer of bytes."""

ZLIB_IS_BYTE_EXACT: Final = "zlib-ng" not in zlib.ZLIB_RUNTIME_VERSION
"""Whether `DeflateCodec` emits the kernel's very bytes. Some distributions build Python over zlib-ng, which is
compatible but has other match finders: same format, other sizes."""


class CodecError(ValueError):
    """The stream is corrupt, truncated, or expands beyond the limit. What the binding found is `__cause__`."""


class Codec(Protocol):
    """What one algorithm does to one page. One thread at a time."""

    def compress(self, src: BytesLike) -> bytes:
        """The compressed form of `src`. It may be longer than `src`; the caller compares with its own capacity."""

    def decompress(self, src: BytesLike, limit: int) -> bytes:
        """The plain form of `src`, at most `limit` bytes; else CodecError. A negative limit is a ValueError.

        `limit` bytes may be allocated in advance, whatever the stream holds.
        """


def _check_limit(limit: int) -> None:
    # To some bindings 0 or a negative size means "no limit"; such a value must never reach them by accident.
    if limit < 0:
        raise ValueError(f"limit must not be negative: {limit}")


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
        _check_limit(limit)
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


_DECLARES_SIZE: Final = 0xE0
"""Bits of a zstd frame's descriptor, its fifth byte: if one is set, the header holds the content's size (RFC 8878)."""


class ZstdCodec:
    """zstd with the parameters the kernel uses; frames carry no size, checksum or dictionary id.

    Bytes after the first frame are padding and ignored. Decompression takes any frame with a window of up to 8 MiB,
    what RFC 8878 asks decoders to support.
    """

    def __init__(self) -> None:
        # Kept and reused: making a new pair costs as much as compressing a page.
        self._compressor = zstandard.ZstdCompressor(
            compression_params=zstandard.ZstdCompressionParameters(
                window_log=21,
                chain_log=16,
                hash_log=17,
                search_log=1,
                min_match=5,
                target_length=0,
                strategy=zstandard.STRATEGY_DFAST,
                write_content_size=0,
                write_checksum=0,
                write_dict_id=0,
            )
        )
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 23)

    def compress(self, src: BytesLike) -> bytes:
        """One frame."""
        # The binding's result keeps its worst-case allocation; a copy has the size it says.
        return bytes(memoryview(self._compressor.compress(src)))

    def compress_many(self, pages: list[BytesLike]) -> list[bytes]:
        """One frame each, the same as from `compress`; other threads run meanwhile, and are disturbed once for all."""
        frames = self._compressor.multi_compress_to_buffer(pages, threads=0)
        return [frames[number].tobytes() for number in range(len(pages))]

    def decompress(self, src: BytesLike, limit: int) -> bytes:
        """The content of the first frame in `src`."""
        _check_limit(limit)
        try:
            # Two bytes tell that a frame declares nothing, as none of ours does; asking the binding takes longer.
            if len(src) < 5 or src[0] != zstandard.FRAME_HEADER[0] or src[4] & _DECLARES_SIZE:
                declared = zstandard.frame_content_size(src)
                if declared > limit:  # the binding would allocate and fill what is declared, and ignore the limit
                    raise CodecError(f"zstd: the frame declares {declared} bytes, allowed are {limit}")
                if declared == 0:
                    return self._decompress_empty(src)
            # 0 would mean "no limit given". Bytes after the frame are allowed by default: keywords cost half a us.
            plain = self._decompressor.decompress(src, limit or 1)
        except zstandard.ZstdError as error:
            raise CodecError(f"zstd: corrupt or truncated frame, or more than {limit} bytes") from error
        if len(plain) > limit:
            raise CodecError(f"zstd: the frame expands to more than {limit} bytes")
        return plain

    def _decompress_empty(self, src: BytesLike) -> bytes:
        """The empty plain form of a frame that declares 0 bytes: the one-shot call answers that without reading it."""
        reader = self._decompressor.decompressobj()
        plain = reader.decompress(src)  # bounded: the decoder refuses a block larger than the declared content
        if not reader.eof or bytes(src[:4]) != zstandard.FRAME_HEADER:  # a skippable frame is no stream
            raise CodecError("zstd: truncated or skippable frame")
        return plain


class Lz4Codec:
    """LZ4 block format without a stored size, default acceleration.

    A block has no end mark, so a block cut exactly between two sequences is a valid, shorter one: the caller must
    compare the length it gets with the length it expects, as zswap does.
    """

    def compress(self, src: BytesLike) -> bytes:
        """One block; at most 1/255 longer than `src`, and 16 bytes."""
        compressed: bytes = lz4.block.compress(src, store_size=False)
        return compressed

    def decompress(self, src: BytesLike, limit: int) -> bytes:
        """The content of the block; all of `src` belongs to it."""
        _check_limit(limit)
        try:
            plain: bytes = lz4.block.decompress(src, uncompressed_size=limit)
        except lz4.block.LZ4BlockError as error:
            raise CodecError(f"lz4: corrupt or truncated block, or more than {limit} bytes") from error
        return plain


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
        _check_limit(limit)
        if len(src) > limit + limit // 16 + 64 + 3:  # the format's documented worst case
            raise CodecError(f"lzo: {len(src)} bytes are too many for a stream of {limit}")
        try:
            plain = self._lzo.decompress(src, limit)
        except lzallright.LZOError as error:
            raise CodecError(f"lzo: corrupt or truncated stream of {len(src)} bytes") from error
        if len(plain) > limit:
            raise CodecError(f"lzo: the stream expands to more than {limit} bytes")
        return plain


CODECS: Final[Mapping[str, Callable[[], Codec]]] = MappingProxyType(
    {"deflate": DeflateCodec, "zstd": ZstdCodec, "lz4": Lz4Codec, "lzo": LzoCodec}
)
"""What makes a codec, by the name of the generic algorithm."""
