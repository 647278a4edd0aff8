"""Who waits for ever is named, with the place and the thing, and equal runs say the same."""

import asyncio
import errno
import math
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from swaplab import sim


async def stuck_on(awaitable: Awaitable[object]) -> None:
    await awaitable


async def get(queue: asyncio.Queue[int]) -> int:
    return await queue.get()


async def lock_again(lock: asyncio.Lock) -> None:
    async with lock:
        await lock.acquire()


def deadlock(make: Callable[[], Awaitable[object]]) -> sim.DeadlockError:
    """The error of a program whose task `victim` waits for what `make` returns."""

    async def main() -> None:
        await sim.sleep_ns(42)
        await asyncio.create_task(stuck_on(make()), name="victim")

    with pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    return caught.value


@pytest.mark.parametrize(
    ("make", "where", "awaits"),
    [
        (lambda: get(asyncio.Queue(3)), "get (", "Queue.get of <Queue maxsize=3 _getters[1]>"),
        (
            lambda: lock_again(asyncio.Lock()),
            "lock_again (",
            "Lock.acquire of <asyncio.locks.Lock [locked, waiters:1]>",
        ),
        (lambda: asyncio.Event().wait(), "stuck_on (", "Event.wait of <asyncio.locks.Event [unset, waiters:1]>"),
        (lambda: asyncio.get_running_loop().create_future(), "stuck_on (", "<Future pending"),
        (lambda: asyncio.sleep(math.inf), "stuck_on (", "sleep of <Future pending"),
        (
            lambda: asyncio.gather(asyncio.create_task(asyncio.Event().wait(), name="other"), asyncio.sleep(0)),
            "stuck_on (",
            "all of task 'other'",
        ),
        (
            lambda: asyncio.wait([asyncio.create_task(asyncio.Event().wait(), name=name) for name in ("b", "a")]),
            "stuck_on (",
            "_wait of task 'a', task 'b'",
        ),
        (
            lambda: asyncio.shield(asyncio.create_task(asyncio.Event().wait(), name="inner")),
            "stuck_on (",
            "shielded task 'inner'",
        ),
    ],
)
def test_it_names_who_waits_for_what(make: Callable[[], Awaitable[object]], where: str, awaits: str) -> None:
    error = deadlock(make)
    assert error.time_ns == 42
    assert error.errno == errno.EDEADLK
    main = error.waiting[0]
    (victim,) = (one for one in error.waiting if one.task == "victim")
    assert (main.task, main.awaits) == ("Task-1", "task 'victim'")
    assert "main (test_deadlock.py:" in main.where
    assert victim.where.startswith(where)
    assert victim.awaits.startswith(awaits)
    assert "at 42 ns" in str(error)
    assert all(str(one) in str(error) for one in error.waiting)


def test_it_says_the_same_each_time() -> None:
    first, second = (str(deadlock(lambda: get(asyncio.Queue()))) for _ in range(2))
    assert first == second
    assert "0x" not in first


def test_tasks_are_told_in_the_order_of_their_making() -> None:
    async def main() -> None:
        event = asyncio.Event()
        await asyncio.gather(*(asyncio.create_task(stuck_on(event.wait()), name=f"{n}") for n in range(50)))

    with pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    assert [one.task for one in caught.value.waiting] == ["Task-1", *(f"{n}" for n in range(50))]


def test_finished_tasks_and_those_of_other_loops_are_not_told() -> None:
    foreign = asyncio.new_event_loop()
    task = foreign.create_task(asyncio.sleep(1), name="foreign")

    async def main() -> None:
        await asyncio.create_task(asyncio.sleep(1), name="finished")
        await asyncio.Event().wait()

    with pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    assert [one.task for one in caught.value.waiting] == ["Task-1"]
    task.cancel()
    foreign.run_until_complete(asyncio.gather(task, return_exceptions=True))
    foreign.close()


def test_what_waits_is_cleaned_up_after() -> None:
    cleaned = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            cleaned.append(asyncio.get_running_loop().time())

    with pytest.raises(sim.DeadlockError):
        sim.run(main())
    assert cleaned == [1.0]


def test_a_loop_without_tasks_that_nobody_will_stop() -> None:
    loop = sim.VirtualLoop()
    with pytest.raises(sim.DeadlockError, match="no task at all"):
        loop.run_forever()
    loop.close()


def test_an_asynchronous_generator_is_looked_into() -> None:
    async def numbers() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    async def main() -> None:
        async for _ in numbers():
            pass

    with pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    assert caught.value.waiting[0].awaits.startswith("Event.wait of")
