"""One run: a scenario with a seed and a cancellation, from an empty loop until everything is at rest."""

import asyncio
import gc
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any, Protocol

from swaplab.sim import DeadlockError, EventBoundError, RefusedError, SimError
from swaplab.sim.deadlock import who_waits
from swaplab.sim.errors import INLINE

from .case import WHOLE, Cancel, Case, Reductions
from .loop import OURS, StressLoop
from .order import POLICIES
from .scenario import Scenario
from .world import NS_PER_S, BrokenError, Note, World, described, what_left

CLEANING_EVENTS = 10_000
"""What is left of a broken run is cancelled; it may take so many events to end."""


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one run. It failed if `broken`, what did not hold, is not empty.

    `refused` says what it asked for that virtual time does not have, as a socket, and what to do instead.
    `times_ns` has the time of each event, `ran` who ran in it: the serial number of a task or the name of a callback.
    `made` has for each target, by its number, who it is in the trace, and the event in which it was made. `lengths`
    counts the events of each until it was over, `events` those of the run, which took `time_ns` of
    virtual time. The cancellation came after event `cancelled_after`, or never (0), and has ended the scenario itself
    if `ended_by_it`. `clients` were started, and `strikes` of faults struck, by the names that `Reductions` has for
    them, if any may (`is_faulty`).
    """

    seed: int
    cancel: Cancel | None
    policy: str
    reductions: Reductions
    broken: tuple[str, ...]
    refused: str
    faults: tuple[Note, ...]
    told: tuple[Note, ...]
    waiting: tuple[str, ...]
    swallowed: tuple[str, ...]
    reached: dict[str, bool]
    lengths: tuple[int, ...]
    made: dict[int, tuple[int | str, int]]
    cancelled_after: int
    ended_by_it: bool
    clients: tuple[int, ...]
    strikes: tuple[str, ...]
    is_faulty: bool
    events: int
    time_ns: int
    times_ns: tuple[int, ...]
    ran: tuple[int | str | None, ...]

    @property
    def trace(self) -> tuple[tuple[int, int | str | None], ...]:
        """For each event the time in ns, and who ran."""
        return tuple(zip(self.times_ns, self.ran, strict=True))

    @property
    def case(self) -> Case:
        """What this run follows from."""
        return Case(self.seed, self.cancel, self.policy, self.reductions)

    @property
    def cancelled(self) -> bool:
        """Whether its cancellation has struck."""
        return self.cancelled_after > 0

    @property
    def trace_hash(self) -> str:
        """A hash over time and name of every event: equal in equal runs."""
        return blake2b(repr(self.trace).encode(), digest_size=8).hexdigest()


class Watch(Protocol):
    """Who looks at a run while it goes on."""

    def event(self, world: World, loop: StressLoop) -> None:
        """After each event, before anything else is looked at."""

    def cancelled(self) -> None:
        """After the one cancellation of the run, which comes between two events."""


def run(
    scenario: Scenario,
    seed: int,
    cancel: Cancel | None = None,
    policy: str | None = None,
    reductions: Reductions = WHOLE,
    watch: Watch | None = None,
) -> Run:
    """Run `scenario` once. What it does follows from the arguments alone.

    `watch` may look at it, and change nothing.

    Raises:
        RuntimeError: A loop runs in this thread.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(f"{scenario.name} can not be run inside of a running loop: call it from a plain function")
    policy = scenario.policy if policy is None else policy
    loop = StressLoop(
        random=Random(f"{seed}:jitter"),
        jitter_ms=scenario.jitter_ms if reductions.jitter_ms is None else reductions.jitter_ms,
        max_events=scenario.max_events,
        max_time_ns=round(scenario.max_time_s * NS_PER_S),
    )
    world = World(loop, seed, cancel, POLICIES[policy](Random(f"{seed}:order")), reductions)
    unseen: list[str] = []
    loop.set_exception_handler(lambda _, context: unseen.append(_unseen(context)))
    waiting: tuple[str, ...] = ()
    with _same_every_time(seed):
        try:
            look = world.looking()
            loop.after_event = look if watch is None else _watched(world, loop, look, watch)
            waiting = _until_it_rests(scenario, world, loop)
        finally:
            loop.after_event = None
            world.broken += unseen
            _clean_up(loop)
    return Run(
        seed,
        cancel,
        policy,
        reductions,
        tuple(world.broken),
        _refused(world),
        tuple(world.faults),
        tuple(world.told),
        waiting,
        tuple(
            target.task.get_name()
            for target in world.targets
            if target.cancelled and target.over and not target.task.cancelled() and target.task.exception() is None
        ),
        world.checks.reached,
        tuple((target.over or len(world.ran)) - target.born for target in world.targets),
        world.made(),
        world.cancelled_after,
        world.ended_by_it,
        tuple(world.clients_started),
        tuple(world.strikes),
        world.is_faulty,
        len(world.ran),
        world.times_ns[-1] if world.times_ns else 0,
        tuple(world.times_ns),
        tuple(world.ran),
    )


def _refused(world: World) -> str:
    """What the run, or one of its clients, asked for in vain."""
    raised = (getattr(target.task, "_exception", None) for target in world.targets)
    return world.refused or next((str(error) for error in raised if isinstance(error, RefusedError)), "")


def _watched(
    world: World, loop: StressLoop, look: Callable[[StressLoop], None], watch: Watch
) -> Callable[[object], None]:
    def watch_and_look(_: object) -> None:
        watch.event(world, loop)
        before = world.cancelled_after
        look(loop)
        if world.cancelled_after != before:
            watch.cancelled()

    return watch_and_look


def _until_it_rests(scenario: Scenario, world: World, loop: StressLoop) -> tuple[str, ...]:
    """Run everything, note in the world what does not hold, and return who waits for whom if something does not."""
    try:
        _scenario_to_its_end(scenario, world, loop)
        if not world.broken:
            _let_all_be_done_that_is_ready(loop, scenario.max_events)
            world.rest()
            _left_over(world, loop)
    except BrokenError as broken:
        world.broken.append(broken.what)
    except DeadlockError as deadlock:
        world.broken.append("a deadlock: nothing is ready, no timer is set, and the scenario has not returned")
        if deadlock.threads:
            world.refused = f"it waits for a thread ({', '.join(deadlock.threads)}), and none can wake it: {INLINE}"
        world.broken += filter(None, (what_left(target) for target in world.targets if target.task.done()))
    except SystemExit as end:
        world.broken.append(f"the run was left by {described(end)}")
    except RefusedError as refused:
        world.refused = str(refused)
        world.broken.append(world.refused)
    except SimError as bound:
        world.broken.append(str(bound).partition("\n")[0])
    return tuple(map(str, who_waits(loop.tasks, OURS))) if world.broken else ()


def _scenario_to_its_end(scenario: Scenario, world: World, loop: StressLoop) -> None:
    async def whole() -> None:
        await scenario.body(world)

    main = loop.create_task(whole(), name="the scenario")
    try:
        loop.run_until_complete(main)
    except asyncio.CancelledError:
        world.ended_by_it = world.cancelled_after > 0
        if not world.ended_by_it:
            world.broken.append("the scenario was cancelled, and not by us")
    except (BrokenError, SimError):
        raise
    except Exception as error:
        world.broken.append(f"the scenario ended with {described(error)}")


def _let_all_be_done_that_is_ready(loop: StressLoop, max_events: int) -> None:
    """Run until nothing is ready, without moving the clock.

    Raises:
        EventBoundError: `max_events` rounds were not enough.
    """
    for _ in range(max_events):
        if not loop.ready_events():
            return
        loop.call_soon(loop.stop)
        loop.run_forever()
    raise EventBoundError(max_events, loop.now_ns, "somebody who is always ready", who_waits(loop.tasks))


def _left_over(world: World, loop: StressLoop) -> None:
    """Note what outlives the scenario: tasks and timers, and exceptions that nobody has seen."""
    tasks = [task for task in loop.tasks if not task.done()]
    if tasks:
        world.broken.append(f"left over: {', '.join(f'task {task.get_name()!r}' for task in tasks)}")
    elif loop.timers():
        world.broken.append(f"left over: {len(loop.timers())} timers")
    for task in loop.tasks:
        if task.done() and not task.cancelled() and getattr(task, "_log_traceback", False):
            world.broken.append(f"nobody saw what task {task.get_name()!r} ended with: {task.exception()!r}")


def _unseen(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return context["message"] if error is None else f"{context['message'].partition(' <')[0]}: {error!r}"


def _clean_up(loop: StressLoop) -> None:
    """Cancel what is left, give it a bounded time to end, and close the loop. What goes wrong now is of no interest."""
    loop.set_exception_handler(lambda *_: None)
    loop.max_events = CLEANING_EVENTS
    left = [task for task in loop.tasks if not task.done()]
    for task in left:
        task.cancel()
    try:
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
    except SimError:
        pass
    finally:
        for task in loop.tasks:
            if task.done() and not task.cancelled():
                task.exception()  # seen, so that no log tells it again
        loop.close()


@contextmanager
def _same_every_time(seed: int) -> Generator[None]:
    """Seed the module `random`, and let no collection of garbage come in between; all is put back at the end."""
    state, collects = random.getstate(), gc.isenabled()
    random.seed(seed)
    gc.disable()
    try:
        yield
    finally:
        random.setstate(state)
        if collects:
            gc.enable()
