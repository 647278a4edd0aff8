"""The memory of a kernel build: who is resident, in order of age, and what lies in swap, to be read back or dropped.

Bookkeeping only; it awaits nothing and knows no time. Pages have numbers that are never used again, so that a page that
was read back and leaves once more is another page.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from acomp import PAGE_SIZE


class OutOfMemoryError(Exception):
    """Nothing is left to reclaim, and the cgroup is at its limit."""


@dataclass(slots=True)
class Memory:
    """Folios in memory and in swap. `stream` picks the pages that are read back."""

    nr_pages: int
    """Pages of a large folio; their first page number is a multiple of it."""
    stream: random.Random
    pages: int = 0
    """Pages that exist: in memory, in swap, or on the way."""
    _next: int = 0
    _oldest: deque[tuple[int, bytes]] = field(default_factory=deque)
    _swapped: list[int] = field(default_factory=list)
    _place: dict[int, int] = field(default_factory=dict)
    """Page in swap -> its place in `_swapped`."""
    _left: deque[tuple[int, int]] = field(default_factory=deque)
    """Folios that were swapped out, first page and number of pages, longest ago first; pages of them may be gone."""

    def add(self, data: bytes) -> None:
        """A folio with this content is in memory from now on, as the youngest."""
        nr = len(data) // PAGE_SIZE
        first = -(-self._next // nr) * nr
        self._next = first + nr
        self.pages += nr
        self._oldest.append((first, data))

    def take_oldest(self) -> tuple[int, bytes]:
        """The oldest folio in memory, to be swapped out: its first page and its content."""
        if not self._oldest:
            raise OutOfMemoryError("every folio is being swapped out; use more memory")
        return self._oldest.popleft()

    def swapped_out(self, first: int, data: bytes) -> None:
        """This folio is in swap now."""
        nr = len(data) // PAGE_SIZE
        for page in range(first, first + nr):
            self._place[page] = len(self._swapped)
            self._swapped.append(page)
        self._left.append((first, nr))

    def take_swapped(self) -> int | None:
        """Some page in swap, which is read back from now on; None when there is none."""
        if not self._swapped:
            return None
        page = self._swapped[self.stream.randrange(len(self._swapped))]
        self._forget(page)
        return page

    def take_left(self) -> list[int]:
        """What is still there of the folio that has been in swap for longest, to be dropped; [] when swap is empty."""
        while self._left:
            first, nr = self._left.popleft()
            pages = [page for page in range(first, first + nr) if page in self._place]
            for page in pages:
                self._forget(page)
            if pages:
                return pages
        return []

    def _forget(self, page: int) -> None:
        """It is in swap no more, and exists no more under this number."""
        place = self._place.pop(page)
        last = self._swapped.pop()
        if last != page:
            self._swapped[place] = last
            self._place[last] = place
        self.pages -= 1

    def clear_resident(self) -> int:
        """Everybody exits: what was in memory is free. How many pages that were; `take_left` has the rest."""
        pages = sum(len(data) // PAGE_SIZE for _, data in self._oldest)
        self._oldest.clear()
        self.pages -= pages
        return pages


def runs(pages: list[int]) -> Iterator[tuple[int, int]]:
    """Ascending pages as runs of consecutive ones: the first of each, and how many."""
    for _, run in groupby(enumerate(pages), key=lambda item: item[1] - item[0]):
        members = [page for _, page in run]
        yield members[0], len(members)
