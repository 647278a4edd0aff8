"""The loop of a run: virtual time in which sleeps take longer than asked, and all tasks are known."""

import asyncio
import contextlib
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from random import Random
from typing import Any, TypeVarTuple

from swaplab.sim import VirtualLoop
from swaplab.sim.deadlock import MACHINERY

Ts = TypeVarTuple("Ts")

NS_PER_MS = 1_000_000
OURS = (*MACHINERY, Path(contextlib.__file__).parent, Path(__file__).parent)
"""Where a task stands is said of the program that is explored: its files are in none of these directories."""
WAKE_A_SLEEPER: Any = asyncio.futures._set_result_unless_cancelled  # type: ignore[attr-defined]
"""What asyncio.sleep asks to be called, and nobody else: so it tells a sleep from a deadline."""


class StressLoop(VirtualLoop):
    """A virtual loop on which `asyncio.sleep` is late by up to `jitter_ms`, a draw of `random` each.

    Deadlines, plain timers and `sleep_ns` stay exact.
    """

    def __init__(self, *, random: Random, jitter_ms: float, max_events: int, max_time_ns: int) -> None:
        super().__init__(max_events=max_events, max_time_ns=max_time_ns, wall_clock=True)
        self._latency = random.random
        self._jitter_ns = round(jitter_ms * NS_PER_MS)
        self.tasks: list[asyncio.Task[Any]] = []
        """Every task of the run, in the order of their making."""

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Make a task, and remember it."""
        task = super().create_task(coro, **options)
        self.tasks.append(task)
        return task

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer; one that ends a sleep is late."""
        if self._jitter_ns and callback is WAKE_A_SLEEPER:
            delay += self.jitter_ns() / 1_000_000_000
        return super().call_later(delay, callback, *args, context=context)

    def jitter_ns(self) -> int:
        """Draw by how much the next sleep is late."""
        return int(self._latency() * (self._jitter_ns + 1))
