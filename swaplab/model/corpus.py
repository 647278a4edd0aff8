"""The pages that a simulated workload writes: a bounded number of distinct ones, compressed once each.

usemem stores in every 8-byte word its own index, so that each of a process's millions of pages is another one. They
differ in nothing that matters to a compressor; a corpus takes folios of consecutive pages evenly spaced over the region
and uses them in turn. Bytes stay real: the same codecs produce them, once per distinct page.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from acomp import PAGE_SIZE
from acomp.codecs import BytesLike, Codec

T = TypeVar("T")

WORDS_PER_PAGE = PAGE_SIZE // 8
_WORDS = struct.Struct(f"<{WORDS_PER_PAGE}Q")
DISTINCT_PAGES = 1024
KEY_BYTES = 32


def usemem_page(page: int) -> bytes:
    """Page number `page` of a usemem region: its 512 words hold their own indices, little-endian."""
    first = page * WORDS_PER_PAGE
    return _WORDS.pack(*range(first, first + WORDS_PER_PAGE))


def usemem_corpus(region_pages: int, nr_pages: int) -> tuple[bytes, ...]:
    """Folios of `nr_pages` consecutive pages, evenly spaced over a region of `region_pages`: 1024 pages in all."""
    count = max(1, min(DISTINCT_PAGES, region_pages) // nr_pages)
    stride = region_pages // count // nr_pages * nr_pages
    return tuple(b"".join(usemem_page(turn * stride + page) for page in range(nr_pages)) for turn in range(count))


def pages_of(folios: Iterable[bytes]) -> list[bytes]:
    """All pages of a corpus, in order."""
    return [folio[at : at + PAGE_SIZE] for folio in folios for at in range(0, len(folio), PAGE_SIZE)]


@dataclass(slots=True)
class Remembered(Generic[T]):
    """A function of a page that is computed once per distinct page.

    Looked up by the first bytes and confirmed by comparison, so equal beginnings cost time but never a wrong answer. At
    most `limit` pages are remembered.
    """

    compute: Callable[[BytesLike], T]
    limit: int = 1 << 16
    _known: dict[bytes, tuple[bytes, T]] = field(default_factory=dict)

    def __call__(self, page: BytesLike) -> T:
        """What `compute` makes of the page; one object for all equal pages."""
        whole = bytes(page)  # a view compares octet by octet
        key = whole[:KEY_BYTES]
        known = self._known.get(key)
        if known is not None and known[0] == whole:
            return known[1]
        result = self.compute(whole)
        if len(self._known) < self.limit:
            self._known[key] = (whole, result)
        return result


def padded(stream: bytes, length_factor: float) -> bytes:
    """`stream` grown to length * factor behind its end, where decoders stop; never beyond a page.

    So `dlen`, byte counters and the allocator agree with the testbed, and nothing is rejected because of padding.
    """
    return stream.ljust(min(math.ceil(len(stream) * length_factor), PAGE_SIZE), b"\0")


class RememberedCodec:
    """A software codec whose compressions come from `compress`; for `acomp.software.software_algorithm`."""

    def __init__(self, codec: Codec, compress: Callable[[BytesLike], bytes]) -> None:
        self._codec = codec
        self.compress = compress
        self.decompress = codec.decompress


def lengths_sha256(compress: Callable[[BytesLike], bytes], pages: Sequence[bytes]) -> str:
    """A digest of the compressed lengths of `pages` before padding: the one input that may differ between machines."""
    lengths = [len(compress(page)) for page in pages]
    return hashlib.sha256(",".join(map(str, lengths)).encode()).hexdigest()
