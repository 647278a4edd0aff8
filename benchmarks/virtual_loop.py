"""What an event costs in virtual time, in microseconds: `python benchmarks/virtual_loop.py [--repeat N]`.

Two patterns: *sleepers*, 30 tasks that sleep again and again; *devices*, 8 submitters who think, hand a job to one of
4 devices and wait for it. An event is what the model means by one: a sleep that ended, a job that ended, a submitter
who was told. Each is played by a bare heap, by SimPy (if it is installed), by the virtual loop with `sleep_ns` and with
`asyncio.sleep`, in turns within one run, because only ratios of one run mean anything. Reported are medians.
"""

import argparse
import asyncio
import heapq
import itertools
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from swaplab import sim

try:
    import simpy
except ImportError:
    simpy = None  # type: ignore[assignment]

SLEEPERS = 30
SUBMITTERS = 8
DEVICES = 4
SLEEPS = 2_000
JOBS = 2_500
TARGET_US = 5.0
EVENTS = {"sleepers": SLEEPERS * SLEEPS, "devices": SUBMITTERS * JOBS * 3}

Player = Callable[[], int]
"""Plays a pattern and returns the nanosecond at which it ended, which all players must agree on."""


def length_ns(who: int, turn: int) -> int:
    """How long the sleep or job number `turn` of `who` takes: irregular, and equal for all players."""
    return (who * 7919 + turn * 104_729) % 99_991 + 1


class Heap:
    """The least a simulation can do: callbacks in a heap of tuples."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.serial = itertools.count().__next__

    def after(self, delay_ns: int, callback: Callable[..., None], *args: Any) -> None:
        """Call back in `delay_ns`."""
        heapq.heappush(self.heap, (self.now_ns + delay_ns, self.serial(), callback, args))

    def run(self) -> int:
        """Let everything happen, and tell when it was over."""
        while self.heap:
            self.now_ns, _, callback, args = heapq.heappop(self.heap)
            callback(*args)
        return self.now_ns


class Device:
    """Serves jobs one after the other; `after` sets a timer of whichever world this is."""

    def __init__(self, after: Callable[..., object]) -> None:
        self.after = after
        self.jobs: deque[tuple[int, Callable[[], object]]] = deque()

    def submit(self, duration_ns: int, done: Callable[[], object]) -> None:
        """Queue a job; `done()` when it is."""
        self.jobs.append((duration_ns, done))
        if len(self.jobs) == 1:
            self.after(duration_ns, self.finish)

    def finish(self, _event: object = None) -> None:
        """End the first job and begin the next."""
        _, done = self.jobs.popleft()
        if self.jobs:
            self.after(self.jobs[0][0], self.finish)
        done()


def heap_sleepers() -> int:
    """Play the sleepers as callbacks."""
    world = Heap()

    def wake(who: int, turn: int) -> None:
        if turn < SLEEPS:
            world.after(length_ns(who, turn), wake, who, turn + 1)

    for who in range(SLEEPERS):
        wake(who, 0)
    return world.run()


def heap_devices() -> int:
    """Play the devices and their submitters as callbacks."""
    world = Heap()
    devices = [Device(world.after) for _ in range(DEVICES)]

    def think(who: int, turn: int) -> None:
        if turn < JOBS:
            world.after(length_ns(who, turn), submit, who, turn)

    def submit(who: int, turn: int) -> None:
        told = lambda: world.after(0, think, who, turn + 1)  # noqa: E731
        devices[(who + turn) % DEVICES].submit(length_ns(turn, who), told)

    for who in range(SUBMITTERS):
        think(who, 0)
    return world.run()


def simpy_sleepers() -> int:
    """Play the sleepers as SimPy processes."""
    world = simpy.Environment()

    def sleeper(who: int) -> Any:
        for turn in range(SLEEPS):
            yield world.timeout(length_ns(who, turn))

    for who in range(SLEEPERS):
        world.process(sleeper(who))
    world.run()
    return int(world.now)


def simpy_devices() -> int:
    """Play the submitters as SimPy processes."""
    world = simpy.Environment()

    def after(delay_ns: int, callback: Callable[[object], None]) -> None:
        world.timeout(delay_ns).callbacks.append(callback)

    devices = [Device(after) for _ in range(DEVICES)]

    def submitter(who: int) -> Any:
        for turn in range(JOBS):
            yield world.timeout(length_ns(who, turn))
            done = world.event()
            devices[(who + turn) % DEVICES].submit(length_ns(turn, who), done.succeed)
            yield done

    for who in range(SUBMITTERS):
        world.process(submitter(who))
    world.run()
    return int(world.now)


def asyncio_sleep(delay_ns: int) -> Awaitable[None]:
    """Sleep as programs do that know nothing of virtual time."""
    return asyncio.sleep(delay_ns / 1e9)


def loop_sleepers(plain: bool) -> int:
    """Play the sleepers as tasks, which sleep by `asyncio.sleep` (plain) or by `sleep_ns`."""

    async def sleeper(who: int, sleep: Callable[[int], Awaitable[None]]) -> None:
        for turn in range(SLEEPS):
            await sleep(length_ns(who, turn))

    async def main() -> int:
        loop = virtual_loop()
        sleep = asyncio_sleep if plain else loop.sleep_ns
        await asyncio.gather(*(sleeper(who, sleep) for who in range(SLEEPERS)))
        return loop.time_ns()

    return sim.run(main())


def loop_devices(plain: bool) -> int:
    """Play the submitters as tasks, likewise."""

    async def main() -> int:
        loop = virtual_loop()
        sleep = asyncio_sleep if plain else loop.sleep_ns
        devices = [
            Device(lambda delay_ns, call: loop.call_at_ns(loop.time_ns() + delay_ns, call)) for _ in range(DEVICES)
        ]

        async def submitter(who: int) -> None:
            for turn in range(JOBS):
                await sleep(length_ns(who, turn))
                done = loop.create_future()
                devices[(who + turn) % DEVICES].submit(length_ns(turn, who), partial(done.set_result, None))
                await done

        await asyncio.gather(*(submitter(who) for who in range(SUBMITTERS)))
        return loop.time_ns()

    return sim.run(main())


def virtual_loop() -> sim.VirtualLoop:
    """Return the running loop under its own type."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, sim.VirtualLoop)
    return loop


PLAYERS: dict[str, dict[str, Player]] = {
    "sleepers": {
        "bare heap": heap_sleepers,
        "SimPy": simpy_sleepers,
        "loop, sleep_ns": lambda: loop_sleepers(plain=False),
        "loop, asyncio.sleep": lambda: loop_sleepers(plain=True),
    },
    "devices": {
        "bare heap": heap_devices,
        "SimPy": simpy_devices,
        "loop, sleep_ns": lambda: loop_devices(plain=False),
        "loop, asyncio.sleep": lambda: loop_devices(plain=True),
    },
}


def measure(pattern: str, repeat: int) -> dict[str, float]:
    """Median microseconds per event of each player; they take turns, so that the machine's moods hit all."""
    players = {name: play for name, play in PLAYERS[pattern].items() if name != "SimPy" or simpy is not None}
    took: dict[str, list[float]] = {name: [] for name in players}
    ends = set()
    for _ in range(repeat):
        for name, play in players.items():
            began = time.perf_counter()
            ends.add(play())
            took[name].append((time.perf_counter() - began) / EVENTS[pattern] * 1e6)
    assert len(ends) == 1, f"the players disagree on when {pattern} end: {sorted(ends)}"
    return {name: statistics.median(times) for name, times in took.items()}


def main() -> None:
    """Print a table for each pattern."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="runs per player (default 7)")
    repeat = parser.parse_args().repeat
    for pattern in PLAYERS:
        costs = measure(pattern, repeat)
        print(f"{pattern}: us per event, median of {repeat} (target {TARGET_US:g})")
        for name, cost_us in costs.items():
            against = ", ".join(
                f"{cost_us / costs[base]:.2f} x {base}" for base in ("bare heap", "SimPy") if base in costs
            )
            print(f"  {name:20} {cost_us:6.2f}   {against}")


if __name__ == "__main__":
    main()
