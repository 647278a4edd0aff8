"""Which patches of the series the driver has: any subset whose needs are met (docs/kernel.md#patches).

Patches 1 and 2 are acomp's and always there as code; here they stand for what patch 4 needs. Patch 7 moves code only.
Patches 12 to 14 are zswap's.
"""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from ..errors import ConfigurationError

PATCHES: Final[Mapping[int, str]] = {
    1: "request chains",
    2: "batch-size query",
    3: "POLL flag gates asynchronous operation",
    4: "batch entry points",
    5: "sync_mode async works, and is the default",
    6: "verify_compress off by default",
    7: "code moved around, no change",
    8: "cpus are mapped to devices by package",
    9: "global work queues for compression",
    10: "descriptor allocation is bounded, decompression falls back",
    11: "software inflate under one lock",
}
"""The driver's patches by number."""

NEEDS: Final[Mapping[int, frozenset[int]]] = {
    4: frozenset({1, 2, 3}),
    5: frozenset({3}),
    9: frozenset({8}),
}
"""What a patch cannot be without; whoever asks for it gets these too."""


ArrayErrors = Literal["v9", "real"]


@dataclass(frozen=True, slots=True)
class DriverFeatures:
    """A set of patches, and what is as it was posted in later revisions (docs/generations.md).

    Make one with `base()`, `v8()` or `of(...)`, change it with `with_patches` and `without`.
    """

    patches: frozenset[int]
    array_errors: ArrayErrors = "real"
    """What an array (v9) has in its errors for a unit that could not be submitted. "v9", as posted: -EINVAL, also for a
    unit that software decompressed instead. "real": the code, and success."""
    unit_poll_errors: bool = True
    """Whether errors found by polling the units of a request (v14) are returned. As posted (False) they are in the
    entries alone, and only errors of submitting are returned."""

    def __post_init__(self) -> None:
        if not isinstance(self.patches, frozenset):
            raise TypeError(
                f"patches are a frozenset, not {type(self.patches).__name__}; DriverFeatures.of(4, 9) makes one"
            )
        if self.array_errors not in get_args(ArrayErrors):
            raise ValueError(f"array_errors is 'v9' or 'real', not {self.array_errors!r}")
        if type(self.unit_poll_errors) is not bool:
            raise TypeError(f"unit_poll_errors is True or False, not {self.unit_poll_errors!r}")
        unknown = self.patches - set(PATCHES)
        if unknown:
            raise ConfigurationError(
                errno.EINVAL,
                f"there is no driver patch {', '.join(map(str, sorted(unknown)))}",
                f"The driver's patches are {min(PATCHES)} to {max(PATCHES)}.",
            )
        for patch in sorted(self.patches):
            missing = NEEDS.get(patch, frozenset()) - self.patches
            if missing:
                names = ", ".join(f"{number} ({PATCHES[number]})" for number in sorted(missing))
                raise ConfigurationError(
                    errno.EINVAL,
                    f"patch {patch} ({PATCHES[patch]}) cannot be without patch {names}",
                    f"Leave out patch {patch} as well, or keep what it needs.",
                )

    @classmethod
    def base(cls) -> "DriverFeatures":
        """The driver before the series."""
        return cls(frozenset())

    @classmethod
    def v8(cls) -> "DriverFeatures":
        """The driver with the whole series."""
        return cls(frozenset(PATCHES))

    @classmethod
    def of(cls, *patches: int) -> "DriverFeatures":
        """These patches and what they need."""
        return cls.base().with_patches(*patches)

    def with_patches(self, *patches: int) -> "DriverFeatures":
        """This set with `patches` and what they need."""
        return replace(self, patches=self.patches | _closure(patches))

    def without(self, *patches: int) -> "DriverFeatures":
        """This set without `patches`; ConfigurationError when another one needs them."""
        return replace(self, patches=self.patches - set(patches))

    def __contains__(self, patch: int) -> bool:
        return patch in self.patches

    def __str__(self) -> str:
        quirks = ("" if self.array_errors == "real" else ", array errors of v9") + (
            "" if self.unit_poll_errors else ", unit poll errors not returned"
        )
        if self.patches == frozenset(PATCHES):
            return f"v8{quirks}"
        return "base" + "".join(f"+{patch}" for patch in sorted(self.patches)) + quirks


def _closure(patches: Iterable[int]) -> frozenset[int]:
    found = frozenset(patches)
    for patch in patches:
        found |= NEEDS.get(patch, frozenset())
    return found
