"""Scales: whether a run is coarse. One rule, and one sentence, for all commands that scale a workload down.

What counts is how many units of reclaim a process has, and a unit is at least a folio; so large folios need larger
scales. Where the bounds are from: "Small scales are optimistic" in docs/fidelity.md.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Literal

Workload = Literal["usemem", "kernbench"]

COMPARABLE: dict[Workload, dict[str, Fraction]] = {
    "usemem": {"4K": Fraction(1, 256), "64K": Fraction(1, 256), "2M": Fraction(1, 32)},
    "kernbench": {"4K": Fraction(1, 1024), "64K": Fraction(1, 1024)},
}
"""The smallest scales at which counts and times are within 1 % of what large ones give."""


def is_coarse(workload: Workload, folios: Iterable[str], scale: Fraction) -> bool:
    """Whether runs with these folio sizes are to be compared with runs at the same scale only."""
    return scale < _enough(workload, folios)


def sentence(workload: Workload, folios: Iterable[str], scale: Fraction) -> str:
    """The scale, whether it is coarse, and from where on it would not be."""
    folios = list(folios)
    enough = _enough(workload, folios)
    if scale >= enough:
        return f"Scale {scale} is not coarse: these figures may be compared with others at {enough} or larger."
    return f"Scale {scale} is coarse: compare these figures only with each other; for others take {enough} or larger."


def in_a_title(workload: Workload, folios: Iterable[str], scale: Fraction) -> str:
    """The scale where there is no room for a sentence, as below a picture."""
    return f"scale {scale}{' (coarse)' * is_coarse(workload, folios, scale)}"


def _enough(workload: Workload, folios: Iterable[str]) -> Fraction:
    """The smallest scale that suits all of the folio sizes."""
    return max(COMPARABLE[workload][folio] for folio in folios)
