"""What is known of one value, and how many bytes of memory it is said to take."""

import sys
from typing import Final

from .keys import Key, key_bytes

UNIT_BYTES: Final = 1 << 17
"""Plain bytes of a unit: what one request may have at most."""

Units = bytes | tuple[bytes, ...]
"""A value's units, in order; one alone stands for itself. A unit as long as its plain bytes is kept raw."""
Places = tuple[int, ...]
"""Where a value's units lie in the file, a number for each: see `spill`."""

ENTRY_BYTES: Final = 132
"""Bytes of memory for a value beside its units and its key: a `Held`, its length, a place in a dict.

A dict of n values takes 27 to 52 bytes for each, as it is about to grow or just has; this is right to a tenth for both.
A ttl takes 32 more, which are not counted.
"""
PLACE_BYTES: Final = 32
"""Bytes of the number that says where a unit lies."""


class Entry:
    """One value, wherever it is: `Held` or `Spilled`.

    `length` counts plain bytes, `crc` is theirs if there is a file, `deadline` is loop time or None. `referenced` says
    that somebody has asked for it since eviction last came by.
    """

    __slots__ = ("crc", "deadline", "length", "referenced")

    def __init__(self, length: int, crc: int, deadline: float | None = None) -> None:
        self.length = length
        self.crc = crc
        self.deadline = deadline
        self.referenced = False


class Held(Entry):
    """A value in memory."""

    __slots__ = ("units",)

    def __init__(self, units: Units, length: int, crc: int = 0, deadline: float | None = None) -> None:
        self.units = units  # and the rest spelled out, for one is made at every set
        self.length = length
        self.crc = crc
        self.deadline = deadline
        self.referenced = False

    def size(self, key: Key) -> int:
        """Bytes that it takes of the budget."""
        return size_in_memory(key, self.units)


class Spilled(Entry):
    """A value in the file."""

    __slots__ = ("places",)

    def __init__(self, places: Places, entry: Entry) -> None:
        super().__init__(entry.length, entry.crc, entry.deadline)
        self.places = places

    def size(self, key: Key) -> int:
        """Bytes that it takes of the budget all the same: its key, its entry, and where it lies."""
        return size_in_file(key, self.places)


def size_in_memory(key: Key, units: Units) -> int:
    """Bytes that a value in memory takes of the budget."""
    of_units = sys.getsizeof(units) if type(units) is bytes else sum(map(sys.getsizeof, units))
    return of_units + key_bytes(key) + ENTRY_BYTES


def size_in_file(key: Key, places: Places) -> int:
    """Bytes that a value in the file takes of the budget."""
    return sys.getsizeof(places) + PLACE_BYTES * len(places) + key_bytes(key) + ENTRY_BYTES
