"""A run that does not end reaches its bound, which has a name and says what came next."""

import asyncio
import errno

import pytest

from swaplab import sim


async def spin() -> None:
    while True:
        await asyncio.sleep(0)


async def tick() -> None:
    while True:
        await sim.sleep_ns(1)


def test_spinning_reaches_the_bound_of_events() -> None:
    with pytest.raises(
        sim.EventBoundError, match=r"1000 events and no end at 0 ns, next is task 'Task-1': raise max_events"
    ) as caught:
        sim.run(spin(), max_events=1000)
    assert caught.value.bound == 1000
    assert caught.value.errno == errno.ELOOP
    assert isinstance(caught.value, sim.BoundReachedError)


def test_all_tasks_are_named_with_their_place_and_without_an_address() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(spin(), name="top")
            group.create_task(tick(), name="clock")

    said = []
    for _ in range(2):
        with pytest.raises(sim.EventBoundError) as caught:
            sim.run(main(), max_events=1001)
        said.append(str(caught.value))
        assert [one.task for one in caught.value.waiting] == ["Task-1", "top", "clock"]
        top, clock = caught.value.waiting[1:]
        assert "spin (test_bounds.py:" in top.where and "yields by itself" in top.awaits
        assert "tick (test_bounds.py:" in clock.where and "sleep of 1 ns" in clock.awaits
    assert said[0] == said[1]
    assert "0x" not in said[0] and "next is task 'top'" in said[0]


def test_a_callback_that_spins_is_named() -> None:
    loop = sim.VirtualLoop(max_events=10)

    def again() -> None:
        loop.call_soon(again)

    again()
    with pytest.raises(sim.EventBoundError, match=r"next is <function .*again>: raise"):
        loop.run_forever()
    loop.close()


def test_ticking_reaches_the_bound_of_events() -> None:
    loop = sim.VirtualLoop(max_events=1000)
    with pytest.raises(sim.EventBoundError, match=r"next is task [^:]*: .*\n .*tick .*sleep of 1 ns"):
        loop.run_until_complete(tick())
    assert loop.time_ns() == pytest.approx(1000, abs=2)
    (task,) = asyncio.all_tasks(loop)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_the_bound_of_time_holds_the_clock_back() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        try:
            await asyncio.sleep(1)
        finally:
            assert asyncio.get_running_loop().time() == 1.0

    with pytest.raises(sim.TimeBoundError, match=r"due at 2000000000 ns, past the 1999999999 ns") as caught:
        sim.run(main(), max_time_ns=2 * 10**9 - 1)
    assert caught.value.bound == 2 * 10**9 - 1
    assert caught.value.errno == errno.ETIME


def test_what_just_fits_is_no_error() -> None:
    sim.run(asyncio.sleep(2), max_time_ns=2 * 10**9)


def test_the_least_bound_of_events_that_fits() -> None:
    def fits(bound: int) -> bool:
        loop = sim.VirtualLoop(max_events=bound)
        try:
            loop.run_until_complete(asyncio.sleep(0))
        except sim.EventBoundError:
            loop.max_events = None
            loop.call_soon(loop.stop)
            loop.run_forever()
            return False
        finally:
            loop.close()
        return True

    assert [fits(bound) for bound in range(1, 6)] == [False, False, True, True, True]


def test_each_run_of_a_loop_has_the_whole_bound() -> None:
    loop = sim.VirtualLoop(max_events=100, max_time_ns=10)
    for _ in range(20):
        loop.run_until_complete(loop.sleep_ns(10))
    assert loop.time_ns() == 200
    loop.close()


def test_events_are_counted() -> None:
    loop = sim.VirtualLoop()
    for number in range(5):
        loop.call_soon(int)
        loop.call_at(number, int)
    loop.call_at(9, loop.stop)
    loop.run_forever()
    assert loop.events == 11
    loop.close()
