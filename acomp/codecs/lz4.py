"""`lz4`, by the binding of that name."""

import lz4.block

from .codec import BytesLike, CodecError, check_limit


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
        check_limit(limit)
        try:
            plain: bytes = lz4.block.decompress(src, uncompressed_size=limit)
        except lz4.block.LZ4BlockError as error:
            raise CodecError(f"lz4: corrupt or truncated block, or more than {limit} bytes") from error
        return plain
