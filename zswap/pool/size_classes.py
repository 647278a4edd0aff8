"""The size classes of zsmalloc, derived from its rules (docs/kernel.md#zsmalloc).

Pure arithmetic at import, then look-ups.

zsmalloc puts objects of like size together. A *zspage* is a chain of 1 to 8 pages that is cut into equal objects of one
class, whichever number of pages leaves the smallest unused tail. Lengths are bytes as compressed; object sizes include
the 8-byte handle that is kept inside each object.
"""

import errno
from dataclasses import dataclass
from typing import Final

from acomp.flags import PAGE_SIZE

HANDLE_SIZE: Final = 8
"""Bytes added to each length for the embedded handle."""
MIN_OBJECT_SIZE: Final = 32
CLASS_STEP: Final = 16
"""Bytes from one nominal class to the next."""
MAX_PAGES_PER_ZSPAGE: Final = 8


@dataclass(frozen=True, slots=True)
class SizeClass:
    """One class: objects of `size` bytes, so many to a zspage of so many pages."""

    size: int
    pages_per_zspage: int
    objs_per_zspage: int

    @property
    def is_huge(self) -> bool:
        """Whether an object takes a whole page. Its handle is then kept outside the object."""
        return self.objs_per_zspage == 1


def _nominal_class(size: int) -> SizeClass:
    """The class of exactly `size` bytes before merging: the fewest pages among those that waste least."""
    pages = min(range(1, MAX_PAGES_PER_ZSPAGE + 1), key=lambda pages: pages * PAGE_SIZE % size)
    return SizeClass(size, pages, pages * PAGE_SIZE // size)


def _distinct_classes() -> tuple[SizeClass, ...]:
    """All classes, ascending. Of nominal neighbours with the same layout of a zspage only the largest remains."""
    distinct: list[SizeClass] = []
    for size in range(MIN_OBJECT_SIZE, PAGE_SIZE + 1, CLASS_STEP):
        nominal = _nominal_class(size)
        if distinct and (distinct[-1].pages_per_zspage, distinct[-1].objs_per_zspage) == (
            nominal.pages_per_zspage,
            nominal.objs_per_zspage,
        ):
            distinct.pop()
        distinct.append(nominal)
    return tuple(distinct)


SIZE_CLASSES: Final = _distinct_classes()
"""The 119 distinct classes in ascending order of size; the last one is the huge class."""


def _index_of_each_length() -> bytes:
    """The smallest class that holds a length and its handle; what no shared zspage can hold goes to the huge class."""
    indices = bytearray(1)  # length 0 has no class; the entry is never read
    index = 0
    for length in range(1, PAGE_SIZE + 1):
        while SIZE_CLASSES[index].size < length + HANDLE_SIZE and not SIZE_CLASSES[index].is_huge:
            index += 1
        indices.append(index)
    return bytes(indices)


INDEX_OF_LENGTH: Final = _index_of_each_length()
"""`class_index` of the lengths 1 to 4096, for whoever has checked the length already."""


def class_index(length: int) -> int:
    """The index into `SIZE_CLASSES` for an object of `length` bytes, or a negative errno as the allocator gives it.

    -EINVAL for nothing (or less), -ENOSPC for more than a page. One look-up.
    """
    if 0 < length <= PAGE_SIZE:
        return INDEX_OF_LENGTH[length]
    return -errno.ENOSPC if length > PAGE_SIZE else -errno.EINVAL


def size_class_of(length: int) -> SizeClass:
    """The class for an object of `length` bytes; a ValueError outside 1 to 4096, where there is none."""
    index = class_index(length)
    if index < 0:
        raise ValueError(f"no size class for {length} bytes: 1 to {PAGE_SIZE} can be stored")
    return SIZE_CLASSES[index]
