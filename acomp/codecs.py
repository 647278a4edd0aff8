"""The software codecs behind the generic algorithms `deflate`, `zstd`, `lz4` and `lzo`: bytes in, bytes out.

Called by the registered software algorithms and by the driver's software inflate. Nothing here knows of requests,
transforms, event loops or errno: a codec raises `CodecError`, its caller turns that into a code.

Every codec keeps two promises the bindings do not: output never exceeds the caller's limit (nor is a bomb expanded to
find out, see `LzoCodec` for the one soft spot), and no export of the caller's buffer survives the call, so a bytearray
can be resized afterwards. **A codec object serves one thread at a time**; make one per thread.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class KnownVector:
    """A pair that must decompress exactly; with `exact`, compression must give these very bytes as well."""

    plain: bytes
    compressed: bytes
    exact: bool = False


_WORDS: Final = b"a page is stored, a page is loaded, a page is stored again; " * 3
_PAGE: Final = b"".join(b"%d," % (i * i) for i in range(40)).ljust(4096, b"\0")

KNOWN_VECTORS: Final[Mapping[str, tuple[KnownVector, ...]]] = MappingProxyType(
    {
        "deflate": (
            # By hand, RFC 1951. Bits in order of the stream, low bit of each byte first: final 1, fixed codes 10, the
            # literal "a" 10010001, length 9 (symbol 263) 0000111, distance 1 (symbol 0) 00000, end of block 0000000.
            KnownVector(b"a" * 10, bytes.fromhex("4b840300")),
            # By hand: final 1, stored 00, padding; the length 3 and its complement; the bytes.
            KnownVector(b"xyz", bytes.fromhex("010300fcff") + b"xyz"),
            # What zlib 1.2.13 emits: a fixed block, and a dynamic one with long matches.
            KnownVector(
                _WORDS,
                bytes.fromhex("4b5428484c4f55c82c56282ec92f4a4dd15148848be4e427a6a08a40d42824a62766e6596388d34b2f00"),
                exact=True,
            ),
            KnownVector(
                _PAGE,
                bytes.fromhex(
                    "edcdc11544210803c02d28078380d27f631b7bf8c7cc85a7c6b04024066c44613772d0894b702d303433f5aac428a24c94e61d"
                    "ec48e5f55bb94ccd9ba818d469b472ad79743ebabf7a1fe5a65faf3e72a98154155f2743e5dc6f4bbe75a5bd3f333333333333"
                    "33fbc81f"
                ),
                exact=True,
            ),
        ),
        "zstd": (
            # By hand, RFC 8878: magic; descriptor 00, window 2 MiB (58); a last raw block of 5 bytes: 5 << 3 | 1.
            KnownVector(b"plain", bytes.fromhex("28b52ffd 0058 290000") + b"plain"),
            # By hand: a last block of one repeated byte: 4096 << 3 | 1 << 1 | 1, and that byte.
            KnownVector(bytes(4096), bytes.fromhex("28b52ffd 0058 038000 00")),
            # What libzstd 1.5.7 emits; other versions may emit other bytes.
            KnownVector(
                _WORDS,
                bytes.fromhex(
                    "28b52ffd00006d0100e86120706167652069732073746f7265642c206c6f616420616761696e3b0500ebab049a8a7614068024"
                    "0a9e61"
                ),
            ),
        ),
        "lz4": (
            # By hand, the block format: one sequence of 5 literals.
            KnownVector(b"plain", b"\x50plain"),
            # By hand: 1 literal, a match of 4 + 10 at distance 1, then the 5 literals that every block ends with.
            KnownVector(b"a" * 20, b"\x1aa\x01\x00\x50aaaaa"),
            # What liblz4 1.9.4 emits.
            KnownVector(
                _WORDS,
                bytes.fromhex(
                    "f6036120706167652069732073746f7265642c2012004a6c6f616412000224007720616761696e3b2a000218000f3c00505061"
                    "696e3b20"
                ),
            ),
        ),
        "lzo": (
            # By hand: a first byte above 17 means that many minus 17 literals; 11 00 00 ends the stream.
            KnownVector(b"plain", b"\x16plain\x11\x00\x00"),
            # By hand: 4 literals; 20 | 6 is a match of 6 + 2, its distance minus 1 in the next two bytes from bit 2 up.
            KnownVector(b"abcd" * 3, b"\x15abcd\x26\x0c\x00\x11\x00\x00"),
            # What lzallright 0.3 emits.
            KnownVector(
                _WORDS,
                bytes.fromhex(
                    "236120706167652069732073746f7265642c20284400016c6f61642c4400ad042004030161696e3b2f5c002047ec00110000"
                ),
            ),
        ),
    }
)
"""Per codec, pairs made by hand from the format, which no binding had a part in, and pairs a binding made."""


def check_known_vectors(name: str) -> None:
    """Check the codec of the generic algorithm `name` against its known vectors, or raise CodecError.

    Called once per process when the algorithm is first registered, as the kernel's self-tests are. Exact vectors are
    compared as compressed only where zlib is the kernel's (`ZLIB_IS_BYTE_EXACT`): a Python over zlib-ng is a fine
    Python. An unknown name is a KeyError.
    """
    codec = CODECS[name]()
    for number, vector in enumerate(KNOWN_VECTORS[name]):
        if codec.decompress(vector.compressed, len(vector.plain)) != vector.plain:
            raise CodecError(f"{name}: known vector {number} decompresses to other bytes")
        if vector.exact and ZLIB_IS_BYTE_EXACT and codec.compress(vector.plain) != vector.compressed:
            raise CodecError(f"{name}: known vector {number} compresses to other bytes")
        if codec.decompress(codec.compress(vector.plain), len(vector.plain)) != vector.plain:
            raise CodecError(f"{name}: known vector {number} does not survive a round trip")
