"""What a signal handler raises is what the run ends with, wherever it hits; nothing that was due is lost by it."""

import asyncio
import ctypes
import functools
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from swaplab import sim
from swaplab.sim.task import identity


class OutsideError(Exception):
    """What the handler raises."""


def handle(number: int, frame: FrameType | None) -> None:
    raise OutsideError


class Handlers:
    def method(self, number: int, frame: FrameType | None) -> None:
        raise OutsideError

    __call__ = method


@pytest.fixture
def handler(request: pytest.FixtureRequest) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, getattr(request, "param", handle))
    yield
    signal.signal(signal.SIGUSR1, before)


def at_once() -> None:
    """The handler runs in this very function."""
    signal.raise_signal(signal.SIGUSR1)


def when_it_is_over() -> Callable[[], object]:
    """The handler runs when the callback, which is no code of Python, has returned to the loop."""
    return functools.partial(ctypes.pythonapi.PyErr_SetInterruptEx, signal.SIGUSR1)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("delay", [None, 1])
@pytest.mark.parametrize(
    ("handler", "hit"),
    [
        (handle, at_once),
        (handle, when_it_is_over()),
        (Handlers().method, at_once),
        (Handlers(), at_once),
        (functools.partial(handle), at_once),
        (signal.default_int_handler, at_once),
        (signal.default_int_handler, when_it_is_over()),
    ],
    indirect=["handler"],
)
def test_the_run_ends_with_it_and_the_next_takes_up_the_rest(
    handler: None, hit: Callable[[], object], delay: int | None, debug: bool
) -> None:
    log: list[str] = []
    loop = sim.VirtualLoop()
    loop.set_debug(debug)
    loop.set_exception_handler(lambda _, context: pytest.fail(str(context)))
    ask: Callable[..., object] = loop.call_soon if delay is None else functools.partial(loop.call_later, delay)
    ask(log.append, "before")
    ask(hit)
    ask(log.append, "after")
    ask(loop.call_soon, loop.stop)
    with pytest.raises((OutsideError, KeyboardInterrupt)):
        loop.run_forever()
    assert log == ["before"]
    loop.run_forever()
    loop.close()
    assert log == ["before", "after"]


def test_what_a_callback_raises_by_itself_goes_to_the_exception_handler(handler: None) -> None:
    told: list[object] = []

    def fail() -> None:
        try:
            signal.raise_signal(signal.SIGUSR1)
        except OutsideError:
            told.append("caught")
        raise ZeroDivisionError

    loop = sim.VirtualLoop()
    loop.set_exception_handler(lambda _, context: told.append(type(context["exception"])))
    loop.call_soon(fail)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert told == ["caught", ZeroDivisionError]


def interrupted(delay_s: float, debug: bool) -> None:
    """Run sleepers and spinners until the signal comes, then cancel them all and wait until they have ended."""
    loop = sim.VirtualLoop(max_events=3_000 if debug else 30_000)
    loop.set_debug(debug)
    loop.slow_callback_duration = 3600

    async def live(number: int) -> None:
        while True:
            await (sim.sleep_ns(number) if number % 3 else asyncio.sleep(number % 2 * 1e-9))

    tasks = [loop.create_task(live(number)) for number in range(20)]
    stop: Callable[[object], None] = lambda _: loop.stop()  # noqa: E731
    for task in tasks:
        task.add_done_callback(stop)  # it was hit itself, and that is its own matter
    loop.call_soon(signal.setitimer, signal.ITIMER_REAL, delay_s)
    try:
        loop.run_forever()
    except (OutsideError, sim.EventBoundError):  # it may hit a finalizer, of which Python only says that it failed
        pass
    for task in tasks:
        task.remove_done_callback(stop)
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("debug", [False, True])
def test_nobody_is_forgotten_wherever_it_hits(debug: bool) -> None:
    before = signal.signal(signal.SIGALRM, handle)
    try:
        for turn in range(20 if debug else 100):
            interrupted(0.0005 + turn * 6e-6, debug)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("watching", [False, True])
@pytest.mark.parametrize("debug", [False, True])
def test_nobody_is_forgotten_while_it_is_named(watching: bool, debug: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks in after each event is told whose it was, which is found out before the event."""
    named: list[Any] = []

    def hit_once(handle: Any) -> Any:
        named.append(handle)
        if len(named) == 1:
            signal.raise_signal(signal.SIGUSR1)
        return identity(handle)

    monkeypatch.setattr("swaplab.sim.loop.identity", hit_once)
    loop = sim.VirtualLoop(after_event=(lambda _: None) if watching else None)
    loop.set_debug(debug)
    before = signal.signal(signal.SIGUSR1, handle)
    try:
        task = loop.create_task(asyncio.sleep(1, 5))
        if watching:
            with pytest.raises(OutsideError):
                loop.run_forever()
        assert loop.run_until_complete(task) == 5
    finally:
        signal.signal(signal.SIGUSR1, before)
        loop.close()
    assert bool(named) is watching, "nothing is called between two events that nobody looks at"


def test_a_deadlock_of_the_clean_up_does_not_cover_it() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        assert not task.done()
        raise OutsideError

    with pytest.raises(OutsideError) as caught:
        sim.run(main())
    (note,) = caught.value.__notes__
    assert note.startswith("cleaning up after it failed: DeadlockError: ") and "stubborn" in note


def test_a_deadlock_of_the_clean_up_is_told_where_nothing_else_went_wrong() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.Event().wait()

    async def main() -> None:
        kept.append(asyncio.create_task(stubborn()))
        await asyncio.sleep(1)

    kept: list[asyncio.Task[None]] = []
    with pytest.raises(sim.DeadlockError, match="stubborn"):
        sim.run(main())
