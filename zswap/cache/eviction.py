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

VISITS: Final = 1024
"""Values that are visited before the loop gets a turn: a millisecond."""

Victim = tuple[Key, Held]
Freed = Callable[[Key, Held], int]
"""Bytes of memory that come free when this value leaves."""


def victims(
    values: Values, excess: int, keep: Entry | None, freed: Freed, visits: int = VISITS
) -> tuple[list[Victim], int]:
    """The oldest values in memory that free `excess` bytes together, among `visits` at most, and how many were visited.

    `keep` is never one. They stay where they are, and are the caller's to take out before the next visit; who was
    spared is at the end.
    """
    values.close_gaps()
    chosen: list[Victim] = []
    spared: list[Key] = []
    visited = 0
    for key, held in values.held.items():
        if excess <= 0 or visited == visits:
            break
        visited += 1
        if held is keep:
            continue
        if held.referenced:
            held.referenced = False
            spared.append(key)
        else:
            chosen.append((key, held))
            excess -= freed(key, held)
    for key in spared:
        values.held[key] = values.held.pop(key)
    return chosen, visited
