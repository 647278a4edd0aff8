"""What a cache counts. Every field is the name of a figure in `stats()`."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Events since the cache was opened."""

    hits: int = 0
    misses: int = 0
    sets: int = 0
    deletes: int = 0
    expired: int = 0
    evicted: int = 0
    spilled: int = 0
    spill_hits: int = 0
    dropped: int = 0
    damaged: int = 0
    rejected: int = 0
    raw: Counter[str] = field(default_factory=Counter)
    """Units kept raw, by the name of the compressor's errno, or as "sample"."""
