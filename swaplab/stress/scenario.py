"""What is explored: an `async def` that takes a `World`, with how it is to be explored."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .order import POLICIES
from .world import World

Body = Callable[[World], Awaitable[None]]


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
    *,
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
        TypeError: What is decorated is no coroutine function, or takes something else than one world.
        ValueError: An option is out of range.
    """
    if policy not in POLICIES:
        raise ValueError(f"there is no policy {policy!r}: take one of {', '.join(POLICIES)}")
    if seeds < 1 or sweep_seeds < 0 or jitter_ms < 0 or max_events < 1 or max_time_s <= 0:
        raise ValueError("seeds and max_events are 1 at least, max_time_s is above 0, and the others are not negative")

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
