"""`wall_clock=True`: the module `time` tells virtual time while the loop runs, and real time always afterwards."""

import asyncio
import datetime
import gc
import logging
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from swaplab import sim

NAMES = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
START = 1_735_689_600


def functions() -> list[object]:
    return [getattr(time, name) for name in NAMES]


def told() -> list[float]:
    return [getattr(time, name)() for name in NAMES]


@pytest.fixture(autouse=True)
def the_real_ones_are_back() -> Iterator[None]:
    before = functions()
    yield
    assert functions() == before


async def a_while() -> list[list[float]]:
    seen = [told()]
    await asyncio.sleep(1.5)
    return [*seen, told()]


def test_the_clocks_follow_virtual_time() -> None:
    first, second = sim.run(a_while(), wall_clock=True)
    assert first == [START, START * 10**9, 0, 0, 0, 0]
    assert second == [START + 1.5, START * 10**9 + 1_500_000_000, 1.5, 1_500_000_000, 1.5, 1_500_000_000]
    assert [type(one) for one in first] == [float, int] * 3
    start = datetime.datetime.fromtimestamp(START, datetime.UTC)
    assert start == datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)


def test_it_is_off_by_default() -> None:
    async def main() -> list[object]:
        return functions()

    assert sim.run(main()) == functions()


def test_whatever_ends_the_run_the_real_ones_are_back() -> None:
    async def fail(error: BaseException) -> None:
        raise error

    for error in (ValueError(), KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(error)):
            sim.run(fail(error), wall_clock=True)
    with pytest.raises(sim.DeadlockError):
        sim.run(asyncio.Event().wait(), wall_clock=True)
    with pytest.raises(sim.TimeBoundError):
        sim.run(asyncio.sleep(2), max_time_ns=1, wall_clock=True)


def test_a_signal_at_any_moment_leaves_the_real_ones() -> None:
    class OutsideError(Exception):
        pass

    def handle(*_: object) -> None:
        raise OutsideError

    before = signal.signal(signal.SIGALRM, handle)
    real = functions()
    gc.disable()  # what is raised in a __del__ reaches nobody
    try:
        for turn in range(100):
            loop = sim.VirtualLoop(wall_clock=True)
            loop.call_soon(loop.stop)
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-6 + turn * 1e-6)
                loop.run_forever()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except OutsideError:
                pass
            assert functions() == real
            loop.call_soon(loop.stop)
            loop.run_forever()
            loop.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()


@pytest.mark.parametrize("inner", [True, False])
def test_a_nested_run_has_its_own_and_gives_back_the_outer(inner: bool) -> None:
    """Without an own it sees that of the outer, which stands still."""

    async def main() -> list[float]:
        await asyncio.sleep(100)
        first, second = await asyncio.to_thread(lambda: sim.run(a_while(), wall_clock=inner))
        assert (first[2], second[2]) == ((0, 1.5) if inner else (100, 100))
        await asyncio.sleep(1)
        return told()

    assert sim.run(main(), wall_clock=True)[:3:2] == [START + 101, 101]


def test_runs_in_threads_may_end_in_any_order() -> None:
    real = functions()
    first, second = sim.VirtualLoop(wall_clock=True), sim.VirtualLoop(wall_clock=True)
    begun, over = threading.Event(), threading.Event()

    def run(loop: sim.VirtualLoop, *waits: threading.Event) -> None:
        for wait in waits:
            loop.call_soon(wait.wait)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()

    with ThreadPoolExecutor(2) as pool:
        first.call_soon(begun.set)
        one = pool.submit(run, first, over)
        begun.wait()
        second.call_soon(over.set)
        second.call_soon(one.result)  # the first ends while the second runs
        pool.submit(run, second).result()
    assert functions() == real


def test_other_threads_see_it_too() -> None:
    async def main() -> None:
        await asyncio.sleep(7)
        seen: list[float] = []
        thread = threading.Thread(target=lambda: seen.append(time.monotonic()))
        thread.start()
        thread.join()
        assert seen == [7]

    sim.run(main(), wall_clock=True)


def test_a_name_that_was_bound_in_a_run_tells_real_time_afterwards() -> None:
    async def main() -> object:
        from time import monotonic

        assert monotonic() == 0
        return monotonic

    bound = sim.run(main(), wall_clock=True)
    before = time.monotonic()
    assert callable(bound) and before <= bound() <= time.monotonic()


def test_what_another_tool_had_put_there_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 5.0)
        assert sim.run(a_while(), wall_clock=True)[0][0] == START
        assert time.time() == 5.0


async def tell() -> float:
    return time.time()


def test_a_mock_that_begins_in_a_run_may_end_after_it() -> None:
    """As `monkeypatch` does, whose end is behind the test. What it puts back then belongs to a run that is over."""
    real, five = time.time, mock.patch("time.time", return_value=5.0)

    async def main() -> float:
        five.start()
        return time.time()

    assert sim.run(main(), wall_clock=True) == 5
    assert time.time() == 5
    assert sim.run(tell(), wall_clock=True) == START
    assert time.time() == 5
    five.stop()
    assert real() <= time.time() <= real()
    assert sim.run(tell(), wall_clock=True) == START
    assert time.time is real


@pytest.mark.parametrize("runs_between", [0, 1, 2])
def test_a_mock_that_begins_in_one_run_may_end_in_another(runs_between: int) -> None:
    """As in the coroutine fixtures of pytest-asyncio, where set-up, test and end are runs of one loop."""
    five = mock.patch("time.time", return_value=5.0)

    async def begin() -> None:
        five.start()

    async def end() -> float:
        five.stop()
        return time.time()

    loop = sim.VirtualLoop(wall_clock=True)
    loop.run_until_complete(begin())
    for _ in range(runs_between):
        assert loop.run_until_complete(tell()) == START
    loop.run_until_complete(end())
    loop.close()
    # the fixture sees that the real ones are back


def test_a_mock_that_begins_before_a_run_may_end_in_it() -> None:
    five = mock.patch("time.time", return_value=5.0)
    five.start()

    async def end() -> None:
        five.stop()

    sim.run(end(), wall_clock=True)


def test_a_nested_run_gives_back_a_mock_of_the_outer() -> None:
    async def main() -> float:
        with mock.patch("time.time", return_value=5.0):
            assert await asyncio.to_thread(lambda: sim.run(tell(), wall_clock=True)) == START
            assert time.time() == 5
        return time.time()

    assert sim.run(main(), wall_clock=True) == START


def test_a_mock_that_asks_what_it_replaced_does_not_ask_itself() -> None:
    real, spy = time.time, mock.patch("time.time")

    async def main() -> float:
        bound = time.time
        spy.start().side_effect = bound
        return time.time()

    assert sim.run(main(), wall_clock=True) == START
    assert real() <= time.time() <= real()
    sim.run(tell(), wall_clock=True)
    spy.stop()
    sim.run(tell(), wall_clock=True)


def test_they_are_used_as_the_real_ones_are() -> None:
    async def main() -> None:
        class Timer:
            clock = time.monotonic

        ask: Callable[[], float] = getattr(Timer(), "clock")  # noqa: B009 # mypy takes it for a method
        assert ask() == 0
        assert pickle.loads(pickle.dumps(time.time_ns)) is time.time_ns
        assert time.perf_counter.__name__ == "perf_counter"

    sim.run(main(), wall_clock=True)


def test_a_name_that_was_bound_in_one_run_tells_virtual_time_in_the_next() -> None:
    """A library may be imported in any run of a loop."""

    async def bind() -> object:
        from time import monotonic

        return monotonic

    loop = sim.VirtualLoop(wall_clock=True)
    bound = loop.run_until_complete(bind())

    async def ask() -> float:
        await asyncio.sleep(3)
        assert callable(bound)
        return float(bound())

    assert loop.run_until_complete(ask()) == 3
    loop.close()


def test_each_run_of_a_loop_goes_on_where_the_last_one_was() -> None:
    loop = sim.VirtualLoop(wall_clock=True)
    loop.run_until_complete(asyncio.sleep(10))
    assert loop.run_until_complete(a_while())[0][0] == START + 10
    loop.close()


def test_debug_mode_measures_callbacks_by_the_real_clock(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        asyncio.get_running_loop().slow_callback_duration = 1e-9
        await asyncio.sleep(3600)

    with caplog.at_level(logging.WARNING, "asyncio"):
        sim.run(main(), debug=True, wall_clock=True)
    messages = [record.getMessage() for record in caplog.records]
    assert messages and not [message for message in messages if "took 3600" in message]


def test_a_mock_that_is_begun_in_a_run_and_ended_after_it_disturbs_no_later_run() -> None:
    real = time.time
    there = mock.patch("time.time", return_value=5.0)

    async def begin() -> None:
        there.start()

    sim.run(begin(), wall_clock=True)
    there.stop()
    assert abs(time.time() - real()) < 60, "what the mock put back tells real time, now that nobody runs"

    async def told() -> float:
        return time.time()

    assert sim.run(told(), wall_clock=True) == 1_735_689_600.0
    assert time.time is real
