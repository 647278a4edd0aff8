"""Which pages a range of bytes touches: whole ones, and of the first and last perhaps a part. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from acomp import PAGE_SIZE
from zswap import ZERO_PAGE


class Edge(NamedTuple):
    """A part of a page: the bytes `start` .. `end - 1` of page number `page`."""

    page: int
    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


class Touched(NamedTuple):
    """A range of bytes by pages: an edge, whole pages, an edge; each may be missing."""

    head: Edge | None
    whole: range
    tail: Edge | None


def pages_of(offset: int, length: int) -> range:
    """The pages that a range of bytes touches."""
    return range(offset // PAGE_SIZE, -(-(offset + length) // PAGE_SIZE))


def touched(offset: int, length: int) -> Touched:
    """The parts of a range of at least one byte."""
    first, start = divmod(offset, PAGE_SIZE)
    last, end = divmod(offset + length, PAGE_SIZE)
    if first == last:
        return Touched(Edge(first, start, end), range(0), None)
    head = Edge(first, start, PAGE_SIZE) if start else None
    return Touched(head, range(first + bool(start), last), Edge(last, 0, end) if end else None)


def runs(data: bytes, longest: int) -> Iterator[tuple[int, int, bool]]:
    """Whole pages of data as runs of at most `longest`: first page, how many, and whether they are zeroes."""
    nr_pages, first = len(data) // PAGE_SIZE, 0
    zero = _is_zero(data, 0)
    for page in range(1, nr_pages):
        was, zero = zero, _is_zero(data, page)
        if zero != was or page - first == longest:
            yield first, page - first, was
            first = page
    yield first, nr_pages - first, zero


def _is_zero(data: bytes, page: int) -> bool:
    at = page * PAGE_SIZE
    return not data[at] and data[at : at + PAGE_SIZE] == ZERO_PAGE
