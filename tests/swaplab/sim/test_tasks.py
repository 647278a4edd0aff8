"""Tasks are asyncio's own, but for their order: nothing hangs on addresses."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from swaplab import sim


def test_a_task_is_a_task_with_a_name_of_its_loop() -> None:
    async def main() -> tuple[str, str]:
        task = asyncio.create_task(asyncio.sleep(0))
        named = asyncio.create_task(asyncio.sleep(0), name="named")
        assert isinstance(task, asyncio.Task)
        assert {task, named} <= asyncio.all_tasks()
        await asyncio.gather(task, named)
        return task.get_name(), named.get_name()

    assert [sim.run(main()) for _ in range(2)] == [("Task-2", "named")] * 2


def test_a_failing_group_cancels_in_the_order_of_making() -> None:
    cancelled: list[int] = []

    async def child(number: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            cancelled.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(child(number))
            await asyncio.sleep(1)
            raise ValueError

    with pytest.raises(ExceptionGroup):
        sim.run(main())
    assert cancelled == list(range(100))


def test_what_is_left_over_is_cancelled_in_the_order_of_making() -> None:
    cancelled: list[int] = []

    async def child(number: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            cancelled.append(number)

    async def main() -> None:
        kept.extend(asyncio.create_task(child(number)) for number in range(100))
        await asyncio.sleep(1)

    kept: list[asyncio.Task[None]] = []
    sim.run(main())
    assert cancelled == list(range(100))


def test_generators_left_over_are_closed_in_the_order_of_their_first_step() -> None:
    closed: list[int] = []

    async def numbers(start: int) -> AsyncIterator[int]:
        try:
            while True:
                yield start
        finally:
            await asyncio.sleep(0)
            closed.append(start)

    async def main() -> None:
        for start in range(50):
            kept.append(numbers(start))
            assert await anext(kept[-1]) == start

    kept: list[AsyncIterator[int]] = []
    sim.run(main())
    assert closed == list(range(50))


def test_a_dropped_generator_is_closed() -> None:
    closed = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            closed.append(asyncio.get_running_loop().time())

    async def main() -> None:
        await anext(numbers())
        await asyncio.sleep(2)

    sim.run(main())
    assert closed == [1.0]


def test_a_task_factory_is_used() -> None:
    made: list[asyncio.Task[Any]] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(asyncio.Task(coro, loop=loop, **options))
        return made[-1]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        assert loop.get_task_factory() is factory
        await asyncio.create_task(asyncio.sleep(1), name="foreign")
        await asyncio.gather(asyncio.create_task(asyncio.Event().wait(), name="stuck"))

    with pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    assert [task.get_name() for task in made[:2]] == ["foreign", "stuck"]
    assert [one.task for one in caught.value.waiting] == ["Task-1", "stuck"]


PROGRAM = Path(__file__).with_name("shuffled_program.py")


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_another_process_tells_the_same_story(seed: str) -> None:
    """Addresses and hashes of strings differ between processes; the order of events does not."""
    stories = {
        subprocess.run(
            [sys.executable, PROGRAM, str(ballast)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for ballast in (0, 12_345)
    }
    assert len(stories) == 1
    assert len(stories.pop().splitlines()) > 300
