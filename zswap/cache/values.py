"""All values of a cache, oldest first, and the bytes that they take. Plain bookkeeping that never waits.

Those in memory and those in the file are apart, so that eviction walks over what it can evict. A dict keeps the order:
who is set, or spared by eviction, or read back, goes to its end.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Final

from .entry import Held, Places, Spilled, Units
from .keys import Key

OnGone = Callable[[Key], None]
SPARSE_BYTES: Final = 800
"""A dict with so many bytes per value consists of gaps, which a walk from its beginning has to pass every time."""


class Values:
    """Entries by key. `free(places)` is called for a value that is in the file no more, `on_gone(key)` by `leave`."""

    __slots__ = ("_free", "_on_gone", "bytes", "held", "spilled", "spilled_bytes")

    def __init__(self, free: Callable[[Places], None], on_gone: OnGone | None = None) -> None:
        self._free = free
        self._on_gone = on_gone
        self.held: dict[Key, Held] = {}
        self.spilled: dict[Key, Spilled] = {}
        self.bytes = 0
        """Bytes of memory that all of them take, keys and entries of the spilled ones included."""
        self.spilled_bytes = 0
        """... of which so many for keys and entries of spilled ones."""

    def __len__(self) -> int:
        return len(self.held) + len(self.spilled)

    def __iter__(self) -> Iterator[Key]:
        """Keys, oldest first: what is in the file left memory before all that is there."""
        yield from self.spilled
        yield from self.held

    def find(self, key: Key) -> Held | Spilled | None:
        """The entry of this key, wherever its value is."""
        return self.held.get(key) or (self.spilled.get(key) if self.spilled else None)

    def size(self, key: Key) -> int:
        """Bytes of memory that the value of this key takes now; 0 if there is none."""
        entry = self.find(key)
        return 0 if entry is None else entry.size(key)

    def put(self, key: Key, entry: Held, size: int) -> None:
        """A value in memory, the newest, of `size` bytes. What the key had before is gone."""
        if key in self.held or key in self.spilled:
            self.remove(key)
        self.held[key] = entry
        self.bytes += size

    def remove(self, key: Key) -> bool:
        """Forget a value; whether there was one."""
        held = self.held.pop(key, None)
        if held is not None:
            self.bytes -= held.size(key)
            return True
        spilled = self.spilled.pop(key, None)
        if spilled is None:
            return False
        size = spilled.size(key)
        self.bytes -= size
        self.spilled_bytes -= size
        self._free(spilled.places)
        return True

    def leave(self, key: Key) -> None:
        """Forget a value that nobody has asked to forget."""
        if self.remove(key) and self._on_gone is not None:
            self._on_gone(key)

    def move_to_file(self, key: Key, places: Places) -> None:
        """A value in memory is in the file now, the newest there."""
        held = self.held.pop(key)
        spilled = self.spilled[key] = Spilled(places, held)
        size = spilled.size(key)
        self.bytes += size - held.size(key)
        self.spilled_bytes += size

    def move_to_memory(self, key: Key, units: Units) -> None:
        """A value in the file is in memory now, the newest there, and was asked for."""
        spilled = self.spilled[key]
        held = Held(units, spilled.length, spilled.crc, spilled.deadline)
        held.referenced = True
        self.put(key, held, held.size(key))

    def clear(self) -> int:
        """Forget all of them; how many there were."""
        count = len(self)
        for spilled in self.spilled.values():
            self._free(spilled.places)
        self.held, self.spilled = {}, {}
        self.bytes = self.spilled_bytes = 0
        return count

    def close_gaps(self) -> None:
        """Lay out anew what has far fewer values than it had. For whoever is about to walk from the beginning."""
        if sys.getsizeof(self.held) > SPARSE_BYTES * (len(self.held) + 8):
            self.held = dict(self.held)
        if sys.getsizeof(self.spilled) > SPARSE_BYTES * (len(self.spilled) + 8):
            self.spilled = dict(self.spilled)
