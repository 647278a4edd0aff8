"""The world of a run: what a scenario makes its clients, faults and checks with.

The loop calls what `World.looking` returns after each event. A world lives for one run: `run` makes it, and asks it
afterwards.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from pathlib import Path
from random import Random
from traceback import extract_tb
from typing import Any, NamedTuple, ParamSpec, TypeVar

from swaplab import sim
from swaplab.sim import VirtualLoop
from swaplab.sim.task import VirtualTask

from .case import WHOLE, Cancel, Reductions
from .loop import NS_PER_MS, OURS, StressLoop
from .words import duration

P = ParamSpec("P")
T = TypeVar("T")
Check = Callable[[], object]

NS_PER_S = 1_000_000_000


class InjectedFault(ConnectionError):  # noqa: N818 (the name is part of the interface)
    """What a call that was wrapped by `World.faulty` raises when it is made to fail."""


class BrokenError(Exception):
    """Something does not hold: `what`. It ends the run, and never reaches a program."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


@dataclass(slots=True)
class Target:
    """A task that may be cancelled. It was made in event `born` of the loop and was over after event `over`, else 0.

    `struck` says that it was waiting for a target that we cancelled when that was over: it may be cancelled by it.
    """

    task: asyncio.Task[Any]
    born: int
    over: int = 0
    cancelled: bool = False
    struck: bool = False


class Note(NamedTuple):
    """Something to be told: when (ns, and during which event), what, and which task met it (serial number, name)."""

    ns: int
    event: int
    who: int | str | None
    name: str
    what: str

    def __str__(self) -> str:
        return f"{duration(self.ns)}, {self.name}: {self.what}"


@dataclass(slots=True)
class Checks:
    """What was promised, by name."""

    always: dict[str, Check] = field(default_factory=dict)
    sometimes: dict[str, Check] = field(default_factory=dict)
    at_rest: dict[str, Check] = field(default_factory=dict)
    reached: dict[str, bool] = field(default_factory=dict)


class World:
    """What a scenario is given; each run has its own."""

    def __init__(
        self,
        loop: StressLoop,
        seed: int,
        cancel: Cancel | None,
        order: Callable[[VirtualLoop], None] | None,
        reductions: Reductions = WHOLE,
    ):
        self._loop = loop
        self._seed = seed
        self._cancel = cancel
        self._order = order
        self._reductions = reductions
        self._next_number = count().__next__
        self._would_strike: Counter[str] = Counter()
        self._calls = 0
        self.random = Random(f"{seed}:world")
        """A stream of random numbers of this seed."""
        self.checks = Checks()
        self.targets: list[Target] = []
        self._numbered: dict[int, Target] = {}
        self._of_task: dict[int | str | None, Target] = {}
        self.cancelled_after = 0
        self.ended_by_it = False
        self.refused = ""
        self.faults: list[Note] = []
        self.strikes: list[str] = []
        self.clients_started: list[int] = []
        self.told: list[Note] = []
        self.broken: list[str] = []
        self.times_ns: list[int] = []
        self.ran: list[int | str | None] = []
        """When each event was, and who ran in it."""

    def always(self, check: Check, name: str) -> None:
        """From now on `check()` is true after every event."""
        _plain(check, name)
        self.checks.always[name] = check

    def sometimes(self, check: Check, name: str) -> None:
        """In one run of the campaign at least, `check()` is true after some event."""
        _plain(check, name)
        self.checks.sometimes[name] = check
        self.checks.reached.setdefault(name, False)

    def at_rest(self, check: Check, name: str) -> None:
        """When the scenario has returned and nothing is ready any more, `check()` is true."""
        _plain(check, name)
        self.checks.at_rest[name] = check

    def log(self, what: str) -> None:
        """Note something for the report of a failure, with the time."""
        self.told.append(self._note(what))

    def strike(self, what: str) -> bool:
        """A fault is about to strike: whether it does, and then it is told in the report. Shrinking leaves some out.

        `faulty` asks here, and so does a scenario with faults of its own.
        """
        who, kept = self._who(), self._reductions.strikes
        self._would_strike[who] += 1
        strike = f"{who}:{self._would_strike[who]}"
        if kept is not None and strike not in kept:
            return False
        self.strikes.append(strike)
        self.faults.append(self._note(what))
        return True

    async def sleep(self, delay_s: float) -> None:
        """Sleep `delay_s` seconds, and up to the jitter longer."""
        await sim.sleep_ns(round(delay_s * NS_PER_S) + self._loop.jitter_ns())

    def faulty(
        self,
        fn: Callable[P, Awaitable[T]],
        *,
        fail: float = 0.0,
        error: type[BaseException] = InjectedFault,
        delay_ms: tuple[float, float] = (0, 0),
        lose: float = 0.0,
        name: str | None = None,
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Wrap a coroutine function: it takes `delay_ms` (at least, at most) and the jitter, and may go wrong.

        With probability `fail` it raises `error` before the call, with `lose` it makes the call and never returns.
        Only `InjectedFault` and what is derived from it may leave a client. What happens to one task does not depend on
        what the others call. Reports call it `name`, or what the function is called.
        """
        if not (0 <= fail <= 1 and 0 <= lose <= 1 and 0 <= delay_ms[0] <= delay_ms[1]):
            raise ValueError("fail and lose are probabilities, and delay_ms is (at least, at most)")
        self._calls += 1
        stream = f"{self._seed}:faulty:{self._calls}"
        called = getattr(fn, "__qualname__", repr(fn)) if name is None else name
        random_of: dict[str, Random] = {}

        @wraps(fn)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            who = self._who()
            random = random_of.get(who) or random_of.setdefault(who, Random(f"{stream}:{who}"))
            delay_ns = round(random.uniform(*delay_ms) * NS_PER_MS) + self._loop.jitter_ns()
            fails, lost = random.random() < fail, random.random() < lose
            if delay_ns:
                await sim.sleep_ns(delay_ns)
            if fails and self.strike(f"{called} failed"):
                raise error(f"injected into {called}")
            result = await fn(*args, **kwargs)
            if lost and self.strike(f"the answer of {called} was lost"):
                await self._loop.create_future()
            return result

        return call

    def target(self, coroutine: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Make a task of `coroutine` that is one of those to be cancelled. Whoever awaits it gets the cancellation.

        Without a `name` it is called for its number and its function.
        """
        number = self._next_number()
        called = f"target {number}: {getattr(coroutine, '__name__', 'a coroutine')}" if name is None else name
        task: asyncio.Task[T] = self._loop.create_task(coroutine, name=called)
        self._start(number, task)
        return task

    @asynccontextmanager
    async def clients(self, client: Callable[[], Coroutine[Any, Any, object]], n: int) -> AsyncGenerator[None]:
        """Start `n` tasks of `client()`, each to be cancelled in turn, and wait for all of them at the end."""
        numbers = [number for _ in range(n) if (number := self._next_number()) not in self._reductions.without]
        mine = [self._start(number, self._loop.create_task(client(), name=f"client {number}")) for number in numbers]
        self.clients_started += numbers
        try:
            yield
        except BaseException:
            for target in mine:
                target.task.cancel()
            raise
        finally:
            if mine:
                await asyncio.wait([target.task for target in mine])
        self.broken += filter(None, map(what_left, mine))

    def looking(self) -> Callable[[VirtualLoop], None]:
        """Return what the loop calls after each event: it looks, cancels whose turn it is, and chooses who is next.

        (It is most of what a run costs beside the program, so what it needs is at hand, and little is called.)
        """
        note_time, note_who, target_of = self.times_ns.append, self.ran.append, self._of_task.get
        always, sometimes, reached = self.checks.always, self.checks.sometimes, self.checks.reached
        cancel, order = self._cancel, self._order

        def look(loop: VirtualLoop) -> None:
            event = loop.last_event
            note_time(loop.now_ns)
            note_who(event)
            name = ""
            try:
                for name, check in always.items():
                    if not check():
                        raise BrokenError(f"always: {name}")
                if sometimes:
                    for name, check in list(sometimes.items()):
                        if check():
                            reached[name] = True
                            del sometimes[name]
            except BrokenError:
                raise
            except Exception as error:
                raise BrokenError(f"{name} raised {described(error)}") from error
            target = target_of(event)
            if target is not None and target.task.done():
                self._over(target)
            if cancel is not None:
                self._cancel_if_due(cancel)
            if order is not None:
                order(loop)

        return look

    def _over(self, target: Target) -> None:
        target.over = len(self.ran)
        if target.cancelled or target.struck:
            self._strike_who_waits_for(target.task)

    def made(self) -> dict[int, tuple[int | str, int]]:
        """Who each target is in the trace, and in which event it was made, by its number."""
        return {number: (identity_of(target.task), target.born) for number, target in self._numbered.items()}

    def rest(self) -> None:
        """Look at what must hold in the end, and note what does not."""
        for name, check in self.checks.at_rest.items():
            try:
                held = bool(check())
            except Exception as error:
                self.broken.append(f"at rest: {name} raised {described(error)}")
            else:
                self.broken += [] if held else [f"at rest: {name}"]

    @property
    def is_faulty(self) -> bool:
        """Whether faults may strike: `faulty` was called, or one has struck."""
        return self._calls > 0 or bool(self.strikes)

    def _start(self, number: int, task: asyncio.Task[Any]) -> Target:
        target = Target(task, born=len(self.ran) + 1)
        self.targets.append(target)
        self._numbered[number] = target
        self._of_task[identity_of(task)] = target
        return target

    def _who(self) -> str:
        """Who is running, in words that are the same without others."""
        task = asyncio.current_task(self._loop)
        return "nobody" if task is None else task.get_name()

    def _note(self, what: str) -> Note:
        task = asyncio.current_task(self._loop)
        who = None if task is None else identity_of(task)
        return Note(self._loop.now_ns, len(self.ran) + 1, who, self._who(), what)

    def _strike_who_waits_for(self, task: asyncio.Task[Any]) -> None:
        """Note which targets the end of a cancelled one reaches, directly or by `asyncio.gather`."""
        for target in self.targets:
            awaited = getattr(target.task, "_fut_waiter", None)
            if awaited is task or task in (getattr(awaited, "_children", None) or ()):
                target.struck = True

    def _cancel_if_due(self, cancel: Cancel) -> None:
        target, now = self._numbered.get(cancel.target), len(self.ran)
        if target is not None and now - target.born == cancel.k and not target.over:
            target.cancelled = True
            self.cancelled_after = now
            for _ in range(cancel.times):
                target.task.cancel()


def what_left(target: Target) -> str | None:
    """What left a client and should not have; None if all is well."""
    task = target.task
    if task.cancelled():
        return None if target.cancelled or target.struck else f"{task.get_name()} was cancelled, and not by us"
    error = task.exception()
    return None if error is None or _is_injected(error) else f"{task.get_name()} ended with {described(error)}"


def identity_of(task: asyncio.Task[Any]) -> int | str:
    """What the trace names a task by."""
    return task.serial if isinstance(task, VirtualTask) else task.get_name()


def described(error: BaseException) -> str:
    """An exception on one line, with the place in the program that it comes from."""
    frames = [(Path(frame.filename), frame.lineno) for frame in extract_tb(error.__traceback__)]
    own = [frame for frame in frames if frame[0].parent not in OURS] or frames
    return f"{error!r} at {own[-1][0].name}:{own[-1][1]}" if own else repr(error)


def _is_injected(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_injected, error.exceptions))
    return isinstance(error, InjectedFault)


def _plain(check: Check, name: str) -> None:
    if asyncio.iscoroutinefunction(check):
        raise TypeError(f"the check {name!r} is a coroutine function: checks are plain functions, called at once")
