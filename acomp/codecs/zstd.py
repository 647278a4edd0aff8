"""`zstd`, by zstandard."""

from array import array
from collections.abc import Sequence
from typing import Final

import zstandard

from .codec import BytesLike, CodecError, check_limit

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
        check_limit(limit)
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

    def decompress_many(self, frames: list[BytesLike], lengths: Sequence[int]) -> list[bytes]:
        """The content of each, the same as from `decompress`, where each is as long as said; else CodecError.

        Other threads run meanwhile, and are disturbed once for all.
        """
        if not frames or min(lengths) <= 0:  # which the binding divides by
            raise CodecError("zstd: there is nothing in some of them")
        try:
            sizes = array("Q", lengths).tobytes()
            plain = self._decompressor.multi_decompress_to_buffer(frames, decompressed_sizes=sizes, threads=0)
        except zstandard.ZstdError as error:
            raise CodecError("zstd: one of them is corrupt, truncated or of another length") from error
        return [plain[number].tobytes() for number in range(len(plain))]

    def _decompress_empty(self, src: BytesLike) -> bytes:
        """The empty plain form of a frame that declares 0 bytes: the one-shot call answers that without reading it."""
        reader = self._decompressor.decompressobj()
        plain = reader.decompress(src)  # bounded: the decoder refuses a block larger than the declared content
        if not reader.eof or bytes(src[:4]) != zstandard.FRAME_HEADER:  # a skippable frame is no stream
            raise CodecError("zstd: truncated or skippable frame")
        return plain
