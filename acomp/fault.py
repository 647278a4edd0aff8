"""Declared points at which something can be made to fail. Null by default: then nothing fails.

Packages declare their points and ask `should_fail(point)`; who decides (a counter, a plan, a seed) is installed from
outside. The three lower packages hold no generator and no probability.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

Decider = Callable[[str], bool]

_points: dict[str, str] = {}
points: Mapping[str, str] = MappingProxyType(_points)
"""Every declared point with a sentence that says what fails there and how the code answers."""

decider: Decider | None = None
"""Who decides. Change it with `installed` only."""


def declare(point: str, what: str) -> str:
    """Declare `point` (dotted, package first) and return it. ValueError: declared already, with another meaning."""
    if _points.setdefault(point, what) != what:
        raise ValueError(f"fault point {point!r} is declared already, as: {_points[point]}")
    return point


def should_fail(point: str) -> bool:
    """Whether the operation at this point is to fail now. False while no decider is installed."""
    return decider is not None and decider(point)


@contextmanager
def installed(new_decider: Decider) -> Iterator[None]:
    """Let `new_decider(point)` decide for the duration; the former decider comes back."""
    global decider
    former, decider = decider, new_decider
    try:
        yield
    finally:
        decider = former
