"""Pages that tell who they are: each has a number, from which all its bytes follow."""

import struct
from functools import lru_cache
from random import Random
from typing import Final, Literal

from acomp import PAGE_SIZE

Kind = Literal["text", "poor", "random"]
KINDS: Final[tuple[Kind, ...]] = ("text", "poor", "random")
_HEAD: Final = struct.Struct("<4sIB")
"""The first byte says nothing: it is what a corrupted stream has another of."""
_FIRST: Final = b"page"


@lru_cache(1 << 12)
def page_of(number: int, kind: Kind = "text") -> bytes:
    """The page of that number: one that compresses well, poorly (to more than half), or not at all."""
    head = _HEAD.pack(_FIRST, number, KINDS.index(kind))
    if kind == "text":
        return (head + b" This is page %d of the campaign." % number * 160)[:PAGE_SIZE]
    noise = PAGE_SIZE if kind == "random" else PAGE_SIZE * 2 // 3
    return (head + Random(number).randbytes(noise)).ljust(PAGE_SIZE, b"-")[:PAGE_SIZE]


def number_of(page: bytes) -> int:
    """The number of a page, though its first byte may be another one."""
    number: int = _HEAD.unpack_from(page)[1]
    return number


def is_intact(page: bytes) -> bool:
    """Whether it is, to the byte, the page that it says it is."""
    _, number, kind = _HEAD.unpack_from(page)
    return kind < len(KINDS) and page == page_of(number, KINDS[kind])
