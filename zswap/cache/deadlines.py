"""When values expire: keys by the second in which they will. Pure; the cache has one timer for the next of them.

Seconds instead of a heap of deadlines: 8 bytes for each value, and no comparison. Whoever asks whether a value has
expired looks at its own deadline. This is how those are found that nobody asks for, within a second after.
"""

import heapq
import sys
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

    def sweep(self, now: float, expire: Callable[[Key, int], bool], at_most: int = sys.maxsize) -> bool:
        """Let `expire(key, second)` look at `at_most` keys that may have expired by `now`; whether that was all.

        It returns True when the record is of no use any more.
        """
        while self._seconds and self._seconds[0] <= now:
            if at_most <= 0:
                return False
            second = self._seconds[0]
            keys = self._keys[second]
            part = keys[-at_most:]
            del keys[-at_most:]
            at_most -= len(part)
            left = [key for key in part if not expire(key, second)]
            self.records -= len(part) - len(left)
            if left:  # it is the second that is not over yet
                keys += left
                return True
            if not keys:
                del self._keys[second]
                heapq.heappop(self._seconds)
        return True

    def make_anew(self, deadlines: Iterable[tuple[Key, float]]) -> None:
        """Forget all records, and keep these."""
        self._keys, self._seconds, self.records = {}, [], 0
        for key, deadline in deadlines:
            self.add(key, deadline)
