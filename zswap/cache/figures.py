"""What the counters of a cache amount to, for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from acomp import PAGE_SIZE

from .contents import Contents
from .spill import LENGTH_MASK


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """A cache at one moment. A ratio is None as long as there is nothing to divide by."""

    ratio: float | None
    """Plain bytes per compressed byte, of what is in memory and in the file."""
    hit_ratio: float | None
    """Hits per call that asked for a value."""
    overhead_bytes: float | None
    """Bytes of memory beyond the compressed ones, for each value in memory: its key, its entry, its objects."""
    raw_by_cause: Mapping[str, int]
    """Units kept raw, by the name of the compressor's errno; as "sample" those of which a sample did not shrink."""


def figures_of(contents: Contents) -> CacheFigures:
    """Count what a cache holds. Takes time proportional to the number of values."""
    values, counters = contents.values, contents.counters
    plain = compressed = in_memory = 0
    for key, held in values.held.items():
        length = len(held.units) if isinstance(held.units, bytes) else sum(map(len, held.units))
        plain += held.length
        compressed += length
        in_memory += held.size(key) - length
    for spilled in values.spilled.values():
        plain += spilled.length
        compressed += sum(place & LENGTH_MASK for place in spilled.places)
    asked = counters.hits + counters.misses
    return CacheFigures(
        ratio=plain / compressed if compressed else None,
        hit_ratio=counters.hits / asked if asked else None,
        overhead_bytes=in_memory / len(values.held) if values.held else None,
        raw_by_cause=MappingProxyType(dict(counters.raw)),
    )


def stats_of(contents: Contents, computing: int) -> Mapping[str, int]:
    """All that is counted, and what there is now."""
    counters, values, file = contents.counters, contents.values, contents.file
    contents.sweep()
    return MappingProxyType(
        {
            "hits": counters.hits,
            "misses": counters.misses,
            "sets": counters.sets,
            "deletes": counters.deletes,
            "expired": counters.expired,
            "evicted": counters.evicted,
            "spilled": counters.spilled,
            "spill_hits": counters.spill_hits,
            "dropped": counters.dropped,
            "damaged": counters.damaged,
            "raw": counters.raw.total(),
            "rejected": counters.rejected,
            "bytes": values.bytes,
            "bytes_spilled": 0 if file is None else file.used * PAGE_SIZE,
            "values": len(values),
            "computing": computing,
        }
    )
