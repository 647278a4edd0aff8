"""When values expire: keys by the second in which they will. Pure; the cache has one timer for the next of them.

Seconds instead of a heap of deadlines: 8 bytes for each value, and no comparison. Whoever asks whether a value has
expired looks at its own deadline. This is how those are found that nobody asks for, within a second after.
"""

import heapq
from collections.abc import Callable, Iterable
from typing import Final

from .keys import Key

STALE: Final = 1024
"""Records beyond two for each value before they are made anew: of what was set again, touched or deleted since."""


class Deadlines:
    """Keys by the second that their deadline lies in. A record may be stale; nobody relies on it."""

    __slots__ = ("_keys", "_seconds", "records")

    def __init__(self) -> None:
        self._keys: dict[int, list[Key]] = {}
        self._seconds: list[int] = []  # a heap of the keys of _keys
        self.records = 0

    def add(self, key: Key, deadline: float) -> None:
        """The value of this key expires then."""
        second = int(deadline)
        keys = self._keys.get(second)
        if keys is None:
            keys = self._keys[second] = []
            heapq.heappush(self._seconds, second)
        keys.append(key)
        self.records += 1

    @property
    def next_s(self) -> float | None:
        """Loop time at which all of the earliest second have expired; None without records."""
        return self._seconds[0] + 1.0 if self._seconds else None

    def sweep(self, now: float, expire: Callable[[Key, int], bool]) -> None:
        """Let `expire(key, second)` look at all keys that may have expired by `now`; True: the record is of no use."""
        while self._seconds and self._seconds[0] <= now:
            second = self._seconds[0]
            keys = self._keys[second]
            left = [key for key in keys if not expire(key, second)]
            self.records -= len(keys) - len(left)
            if left:
                self._keys[second] = left
                return
            del self._keys[second]
            heapq.heappop(self._seconds)

    def make_anew(self, deadlines: Iterable[tuple[Key, float]]) -> None:
        """Forget all records, and keep these."""
        self._keys, self._seconds, self.records = {}, [], 0
        for key, deadline in deadlines:
            self.add(key, deadline)
