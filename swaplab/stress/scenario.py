"""What is explored: an `async def` that takes a `World`, with how it is to be explored."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Never

from .case import MOST_JITTER_MS
from .order import POLICIES
from .world import World

Body = Callable[[World], Awaitable[None]]
MOST_TIME_S = 1e9
"""Virtual seconds of one run: decades, and still a whole number of ns."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One program under stress. `scenario` makes them and describes the options."""

    body: Body
    seeds: int
    sweep_seeds: int
    jitter_ms: float
    policy: str
    cancel: bool
    max_events: int
    max_time_s: float

    @property
    def name(self) -> str:
        """`module:qualname`, as tokens name it."""
        return f"{self.body.__module__}:{self.body.__qualname__}"


def scenario(
    *bare: Never,
    seeds: int = 200,
    sweep_seeds: int = 1,
    jitter_ms: float = 20,
    policy: str = "fifo",
    cancel: bool = True,
    max_events: int = 100_000,
    max_time_s: float = 3600,
) -> Callable[[Body], Scenario]:
    """Make a `Scenario` of an `async def` that takes a `World`.

    `seeds` counts seeds, not runs. In the first `sweep_seeds` of them each target is cancelled after each event.
    `jitter_ms` is the most that a sleep takes longer. `policy` is "fifo", which asyncio promises, "shuffle" or "pct".
    Without `cancel` nobody is cancelled. `max_events` and `max_time_s` (virtual seconds) bound one run.

    Raises:
        TypeError: What is decorated is no coroutine function, or takes something else than one world; an option is of
            another type, or the parentheses are missing.
        ValueError: An option is out of range.
    """
    if bare:
        raise TypeError("write @stress.scenario(), with parentheses; options have names, as in (seeds=50)")
    _check_count("seeds", seeds, least=1)
    _check_count("sweep_seeds", sweep_seeds, least=0)
    _check_count("max_events", max_events, least=1)
    _check_span("jitter_ms", jitter_ms, MOST_JITTER_MS)
    _check_span("max_time_s", max_time_s, MOST_TIME_S)
    if not max_time_s:
        raise ValueError("max_time_s is above 0")
    if policy not in tuple(POLICIES):
        raise ValueError(f"there is no policy {policy!r}: take one of {', '.join(POLICIES)}")
    if not isinstance(cancel, bool):
        raise TypeError(f"cancel is True or False, and not {cancel!r}")

    def make(body: Body) -> Scenario:
        name = getattr(body, "__qualname__", repr(body))
        if not inspect.iscoroutinefunction(body):
            raise TypeError(f"the scenario {name} is no coroutine function: write `async def`")
        try:
            inspect.signature(body).bind(None)
        except TypeError:
            raise TypeError(
                f"the scenario {name} takes one argument, the stress.World, and nothing else (no fixtures)"
            ) from None
        return Scenario(body, seeds, sweep_seeds, jitter_ms, policy, cancel, max_events, max_time_s)

    return make


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        instead = "; how many, that is: stress.explore takes a range of them" if isinstance(value, range) else ""
        raise TypeError(f"{name} is a whole number, and not {value!r}{instead}")
    if value < least:
        raise ValueError(f"{name} is {least} at least, and not {value}")


def _check_span(name: str, value: object, most: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} is a number, and not {value!r}")
    if not 0 <= value <= most:
        raise ValueError(f"{name} is not negative, and {most:g} at most, and not {value}")
