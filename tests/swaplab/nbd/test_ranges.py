"""Byte ranges as pages, against counting byte by byte."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from acomp import PAGE_SIZE
from swaplab.nbd.ranges import pages_of, runs, touched

NEAR = st.builds(lambda page, off: max(0, page * PAGE_SIZE + off), st.integers(0, 5), st.integers(-2, 2))


@given(NEAR, st.one_of(st.integers(1, 3), NEAR.filter(bool)))
def test_the_parts_of_a_range_are_the_range(offset: int, length: int) -> None:
    head, whole, tail = touched(offset, length)
    edges = [edge for edge in (head, tail) if edge is not None]
    covered = [(page, at) for page, start, end in edges for at in (start, end - 1)]
    covered += [(page, at) for page in whole for at in (0, PAGE_SIZE - 1)]
    places = [page * PAGE_SIZE + at for page, at in covered]
    assert min(places) == offset and max(places) == offset + length - 1
    assert sum(edge.length for edge in edges) + len(whole) * PAGE_SIZE == length
    assert all(0 <= edge.start < edge.end <= PAGE_SIZE and edge.length < PAGE_SIZE for edge in edges)
    assert [*pages_of(offset, length)] == sorted({page for page, _ in covered})


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 5))
def test_runs_of_zeroes_and_of_data(zeroes: list[bool], longest: int) -> None:
    data = b"".join(bytes(PAGE_SIZE) if zero else b"\0x".ljust(PAGE_SIZE, b"\0") for zero in zeroes)
    found = list(runs(data, longest))
    assert [zero for _, count, zero in found for _ in range(count)] == zeroes
    assert [first for first, _, _ in found] == [sum(count for _, count, _ in found[:i]) for i in range(len(found))]
    assert all(count <= longest for _, count, _ in found)
    assert all(a[2] != b[2] or a[1] == longest for a, b in pairwise(found)), "as few as can be"
