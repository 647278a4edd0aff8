"""What the counters amount to: derived values for people, beside the kernel's own numbers."""

from dataclasses import dataclass

from acomp import PAGE_SIZE

from .paths.parts import Parts
from .pool.zsmalloc import ClassStats

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """One pool: its compressor, whether new stores use it, pages and bytes in it, and its size classes in use."""

    compressor: str
    current: bool
    stored_pages: int
    compressed_bytes: int
    pool_bytes: int
    context_bytes: int
    """Output buffers of all cpus."""
    classes: tuple[ClassStats, ...]

    def table(self) -> str:
        """The size classes in use as text, one line each, like the allocator's debugfs file."""
        lines = [f"{'size':>5} {'objects':>8} {'bytes':>10} {'full':>6} {'partial':>7} {'pages':>7} {'freeable':>8}"]
        lines += [
            f"{c.size_class.size:>5} {c.objects:>8} {c.bytes_stored:>10} {c.full:>6} {c.partial:>7}"
            f" {c.pages_used:>7} {c.pages_freeable:>8}"
            for c in self.classes
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Figures:
    """A store at one moment. Bytes unless the name says otherwise."""

    stored_pages: int
    stored_incompressible_pages: int
    """Those of them that did not compress and lie there as they are (`StoreFeatures.raw_incompressible`)."""
    original_bytes: int
    compressed_bytes: int
    pool_bytes: int
    limit_bytes: int | None
    context_bytes: int
    decompress_fail: int
    events: dict[str, int]
    pools: tuple[PoolFigures, ...]

    @property
    def ratio(self) -> float | None:
        """Original bytes per byte of pool memory, the allocator's losses included; None when nothing is stored."""
        return self.original_bytes / self.pool_bytes if self.pool_bytes else None

    @property
    def original_mib(self) -> float:
        """MiB of pages stored."""
        return self.original_bytes / _MIB

    @property
    def pool_mib(self) -> float:
        """MiB of memory that they take."""
        return self.pool_bytes / _MIB


def figures_of(parts: Parts) -> Figures:
    """Count what `parts` holds. Takes time proportional to the number of entries."""
    pools = []
    for pool in parts.pools.pools:
        classes = tuple(one for one in pool.zs.class_stats() if one.objects)
        pools.append(
            PoolFigures(
                pool.compressor,
                pool is parts.pools.current,
                sum(one.objects for one in classes),
                pool.zs.bytes_stored,
                pool.zs.total_pages * PAGE_SIZE,
                pool.memory_bytes,
                classes,
            )
        )
    limit = parts.limit.max_pages
    return Figures(
        stored_pages=parts.inventory.stored_pages,
        stored_incompressible_pages=parts.inventory.raw_pages,
        original_bytes=parts.inventory.stored_pages * PAGE_SIZE,
        compressed_bytes=sum(pool.compressed_bytes for pool in pools),
        pool_bytes=sum(pool.pool_bytes for pool in pools),
        limit_bytes=None if limit is None else limit * PAGE_SIZE,
        context_bytes=sum(pool.context_bytes for pool in pools),
        decompress_fail=parts.counters.decompress_fail,
        events=dict(parts.counters.events),
        pools=tuple(pools),
    )
