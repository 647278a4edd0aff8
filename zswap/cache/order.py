"""Which write of a key counts: the one that was called last, in whatever order they come to an end. Pure.

A write that has to wait takes a ticket at its call. Every write, waiting or not, that comes to an end marks the key,
and a ticket that is older than the mark is void. A write that was cancelled or refused leaves no mark, so it voids
nobody's.
"""

from .keys import Key


class _Open:
    """Tickets of a key that are out, and the newest write that has ended meanwhile."""

    __slots__ = ("count", "latest")

    def __init__(self) -> None:
        self.count = 0
        self.latest = 0


class Writes:
    """Tickets of all keys. `open` is empty, and nothing is to be marked, as long as no write waits."""

    __slots__ = ("_serial", "open")

    def __init__(self) -> None:
        self._serial = 0
        self.open: dict[Key, _Open] = {}

    def begin(self, key: Key) -> int:
        """A ticket, to be given back by `end`."""
        self._serial += 1
        self.open.setdefault(key, _Open()).count += 1
        return self._serial

    def end(self, key: Key) -> None:
        """The write has ended, well or badly."""
        record = self.open[key]
        record.count -= 1
        if not record.count:
            del self.open[key]

    def counts(self, key: Key, ticket: int) -> bool:
        """Whether no write that was called later has ended before this one."""
        return ticket > self.open[key].latest

    def mark(self, key: Key, ticket: int | None = None) -> None:
        """A write has come to its end: that of `ticket`, or one that did not wait and is the newest of all."""
        record = self.open.get(key)
        if record is not None:
            if ticket is None:
                self._serial += 1
                ticket = self._serial
            record.latest = ticket

    def mark_all(self) -> None:
        """Everything was cleared."""
        for key in self.open:
            self.mark(key)
