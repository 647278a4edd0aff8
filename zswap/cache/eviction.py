"""Who leaves when the budget is used up: the oldest that nobody has asked for since (second chance). Pure.

As on the store's LRUs: the first visit to an entry that was referenced only clears its mark, and moves it to the end.
"""

from collections.abc import Callable
from typing import Final

from .entry import Entry, Held
from .keys import Key
from .values import Values

ACCEPT_PERCENT: Final = 90
"""Percent of the budget to which eviction goes down, and the most that one value may take."""

Victim = tuple[Key, Held]
Freed = Callable[[Key, Held], int]
"""Bytes of memory that come free when this value leaves."""


def victims(values: Values, excess: int, keep: Entry | None, freed: Freed) -> list[Victim]:
    """The oldest values in memory that free `excess` bytes together, or all there are; `keep` is never among them.

    They stay where they are; who was spared is at the end.
    """
    values.close_gaps()
    chosen: dict[Key, Held] = {}
    for _ in range(2):  # the second round, if all were referenced, finds no mark any more
        spared: list[Key] = []
        for key, held in values.held.items():
            if excess <= 0:
                break
            if held is keep or key in chosen:
                continue
            if held.referenced:
                held.referenced = False
                spared.append(key)
            else:
                chosen[key] = held
                excess -= freed(key, held)
        for key in spared:
            values.held[key] = values.held.pop(key)
    return list(chosen.items())
