"""In which order what is ready runs: asyncio's own (fifo), a random one (shuffle), or by random priorities (pct).

PCT: Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs", 2010.
"""

from collections.abc import Callable
from random import Random

from swaplab.sim import VirtualLoop

CHANGES = 3
"""So often does a run of `pct` give the task that has just run the lowest priority of all."""
CHANGES_WITHIN = 300
"""The changes come within so many events."""
PATIENCE = 100
"""Who was preferred so often in a row goes behind the others, since a task that yields in a loop is no bug."""


class Shuffle:
    """Whoever is ready may be next."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def __call__(self, loop: VirtualLoop) -> None:
        """Let one of those that are ready be next."""
        ready = len(loop.ready_events())
        if ready > 1:
            loop.bring_forward(self._random.randrange(ready))


class Pct:
    """Whoever has the highest priority is next; a few times in a run somebody loses it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._priority: dict[int | str, float] = {}
        self._changes = {random.randrange(1, CHANGES_WITHIN) for _ in range(CHANGES)}
        self._events = self._in_a_row = 0
        self._last: int | str | None = None

    def __call__(self, loop: VirtualLoop) -> None:
        """Let the one with the highest priority be next."""
        self._events += 1
        self._in_a_row = self._in_a_row + 1 if loop.last_event == self._last else 1
        self._last = loop.last_event
        if self._last is not None and (self._events in self._changes or self._in_a_row > PATIENCE):
            self._priority[self._last] = -self._events
        ready = loop.ready_events()
        for who in ready:
            if who not in self._priority:
                self._priority[who] = self._random.random()
        if len(ready) > 1:
            loop.bring_forward(max(range(len(ready)), key=lambda index: self._priority[ready[index]]))


POLICIES: dict[str, Callable[[Random], Callable[[VirtualLoop], None] | None]] = {
    "fifo": lambda random: None,
    "shuffle": Shuffle,
    "pct": Pct,
}
"""What to call after each event, made of a stream of random numbers; None where the order stays as it is."""
