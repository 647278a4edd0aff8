"""Columns: which patches of the series a kernel has, and what follows for driver, store and queue configuration.

Columns of later revisions have all patches, the driver of v8, and a store of their own: nothing is fitted for them, and
what differs is what the store's code does (docs/generations.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from iaa_emulator import DriverFeatures
from iaa_emulator.driver import features
from swaplab.model.asked import quoted, whole_number
from zswap import Params, StoreFeatures
from zswap.params import Generation

ALL_PATCHES = frozenset(range(1, 15))
NEEDS = {**features.NEEDS, 13: {2, 12}, 14: {1, 2, 3, 4, 12, 13}}
"""What a patch cannot be without: the driver's needs, and those of the store's patches."""

DRIVER_PATCHES = frozenset(features.PATCHES)

PATCH_TITLES = {
    1: "request chains",
    2: "batch-size query",
    3: "POLL flag",
    4: "batch entry points",
    5: "async mode works",
    6: "verify off by default",
    7: "code moved",
    8: "map by package",
    9: "global work queues",
    10: "bounded descriptor allocation",
    11: "software inflate locked",
    12: "contexts live with their pool",
    13: "request arrays",
    14: "store in batches",
}


class ColumnError(ValueError):
    """A column cannot be made of that; the message says why and what can."""


@dataclass(frozen=True, slots=True)
class Column:
    """A kernel: the name of its column, and its patches with all that they need."""

    name: str
    patches: frozenset[int]
    generation: Generation | None = None
    """The revision whose store it has, where that is more than its patches."""

    @property
    def driver(self) -> DriverFeatures:
        """The driver's part."""
        return DriverFeatures(self.patches & DRIVER_PATCHES)

    @property
    def store(self) -> StoreFeatures:
        """The store's part, as far as it is patches of the series."""
        return StoreFeatures(
            pool_lifetime_contexts=12 in self.patches,
            request_arrays=13 in self.patches,
            batched_store=14 in self.patches,
        )

    def store_params(self, **rest: Any) -> Params:
        """What its store is opened with; `rest` is as in `Params`."""
        if self.generation is not None:
            return Params.for_generation(self.generation, **rest)
        return Params(features=self.store, **rest)

    @property
    def wqs_per_device(self) -> int:
        """Two dedicated queues of 64 with patch 9, else one of 128."""
        return 2 if 9 in self.patches else 1

    def attributes(self, sync_mode: str = "async") -> dict[str, str]:
        """The driver's attributes: verify off everywhere, and one global queue per device with patch 9."""
        written = {"verify_compress": "0", "sync_mode": sync_mode}
        if 9 in self.patches:
            written |= {"g_wqs_per_iaa": "1", "g_consec_descs_per_gwq": "1"}
        return written


BASE = Column("base", frozenset())
V8 = Column("v8", ALL_PATCHES)
KERNELS = {
    column.name: column for column in (BASE, V8, Column("v9", ALL_PATCHES, "v9"), Column("v14", ALL_PATCHES, "v14"))
}
"""Those that have a name."""


def with_needs(patches: Iterable[int]) -> frozenset[int]:
    """`patches` and all that they need; ColumnError for a number that is no patch."""
    found = frozenset(patches)
    unknown = sorted(found - ALL_PATCHES)
    if unknown:
        raise ColumnError(f"there is no patch {unknown[0]}; the series has 1 to {max(ALL_PATCHES)}")
    for patch in sorted(found, reverse=True):
        found |= frozenset(NEEDS.get(patch, ()))
    return found


def without(patch: int) -> frozenset[int]:
    """All patches but `patch` and those that need it."""
    return frozenset(other for other in ALL_PATCHES if patch not in with_needs([other]))


def patches_column(text: str) -> Column:
    """The column `patches:LIST` of a comma-separated list such as "8,9"; ColumnError for what is none."""
    try:
        asked = sorted({whole_number(part) for part in text.split(",")})
    except ValueError:
        raise ColumnError(f"--patches takes numbers such as 8,9, not {quoted(text)}") from None
    return Column(f"patches:{','.join(map(str, asked))}", with_needs(asked))


def parse_columns(names: str | None = None, patches: str | None = None) -> list[Column]:
    """Columns by name, and that of `patches` as well; always in the order base, patches:..., v8, v9, v14.

    Without names: base, and beside it the column of `patches`, or else v8.
    """
    if names is None:
        names = "base,v8" if patches is None else "base"
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in KERNELS:
            raise ColumnError(
                f"there is no column {quoted(name)}; there are {', '.join(KERNELS)}, and --patches LIST makes others"
            )
    chosen = [KERNELS[name] for name in wanted] + ([] if patches is None else [patches_column(patches)])
    order = {name: place or -1 for place, name in enumerate(KERNELS)}  # patches come between base and v8
    return sorted(set(chosen), key=lambda column: (order.get(column.name, 0), column.name))
