"""What a codec is, and what it raises. Every codec of this package is one; tests and laboratories have others."""

from typing import Protocol, TypeAlias

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""Any contiguous buffer of bytes."""


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


def check_limit(limit: int) -> None:
    """ValueError for a negative limit."""
    # To some bindings 0 or a negative size means "no limit"; such a value must never reach them by accident.
    if limit < 0:
        raise ValueError(f"limit must not be negative: {limit}")
