"""The pages that are stored: the running Python's standard library, cut into folios that were then shuffled.

Folios with a page that some codec expands are left out, so that every store stores the same pages.
"""

import random
from dataclasses import dataclass

from acomp import PAGE_SIZE
from acomp.codecs import CODECS
from swaplab.realbytes.inputs import read_pages

FOLIO_PAGES = 16


@dataclass(frozen=True, slots=True)
class Work:
    """`data`: a whole number of 2 MiB folios; `pages`: the same bytes, page by page."""

    data: bytes
    pages: list[bytes]

    def folios(self, nr_pages: int) -> list[bytes]:
        """The bytes in folios of `nr_pages` pages."""
        size = nr_pages * PAGE_SIZE
        return [self.data[start : start + size] for start in range(0, len(self.data), size)]


def work(nr_pages: int) -> Work:
    """`nr_pages` pages (a multiple of 512, and less than the standard library has)."""
    data = bytes(read_pages([]).data)
    size = FOLIO_PAGES * PAGE_SIZE
    folios = [data[start : start + size] for start in range(0, len(data) - size, size)]
    random.Random(1).shuffle(folios)
    codecs = [CODECS[name]() for name in ("zstd", "lz4", "deflate")]
    chosen: list[bytes] = []
    for folio in folios:
        pages = [folio[start : start + PAGE_SIZE] for start in range(0, size, PAGE_SIZE)]
        if all(len(codec.compress(page)) < PAGE_SIZE * 9 // 10 for codec in codecs for page in pages):
            chosen.append(folio)
        if len(chosen) * FOLIO_PAGES == nr_pages:
            break
    whole = b"".join(chosen)
    return Work(whole, [whole[start : start + PAGE_SIZE] for start in range(0, len(whole), PAGE_SIZE)])
