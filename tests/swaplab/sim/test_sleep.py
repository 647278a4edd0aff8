"""`sleep_ns` is `asyncio.sleep` in one hop: exact, cancellable at every moment, on every loop."""

import asyncio
from collections.abc import Awaitable

import pytest

from swaplab import sim

pytestmark = pytest.mark.parametrize("debug", [False, True])


def test_it_sleeps_exactly(debug: bool) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, sim.VirtualLoop)
        seen = []
        for delay_ns in (1, 0, 10**15, 7):
            await loop.sleep_ns(delay_ns)
            seen.append(loop.time_ns())
        return seen

    assert sim.run(main(), debug=debug) == [1, 1, 10**15 + 1, 10**15 + 8]


def test_it_stands_in_line_with_timers(debug: bool) -> None:
    log: list[str] = []

    async def sleeper() -> None:
        await sim.sleep_ns(10)
        log.append("sleeper")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(10e-9, log.append, "before")
        task = asyncio.create_task(sleeper())
        await asyncio.sleep(0)
        loop.call_later(10e-9, log.append, "after")
        await task
        assert log == ["before", "sleeper", "after"]

    sim.run(main(), debug=debug)


def test_zero_lets_the_others_run_once(debug: bool) -> None:
    log: list[int] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(log.append, 1)
        await sim.sleep_ns(0)
        log.append(2)

    sim.run(main(), debug=debug)
    assert log == [1, 2]


def test_what_is_no_delay_is_refused(debug: bool) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="backwards"):
            await sim.sleep_ns(-1)
        with pytest.raises(TypeError):
            await sim.sleep_ns(0.5)  # type: ignore[arg-type]

    sim.run(main(), debug=debug)


def test_cancelled_while_waiting(debug: bool) -> None:
    async def main() -> None:
        task = asyncio.create_task(sim.sleep_ns(100))
        await sim.sleep_ns(10)
        assert task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        assert asyncio.get_running_loop().time() == 10e-9
        await sim.sleep_ns(1000)  # past the time at which it would have been woken

    sim.run(main(), debug=debug)


def test_cancelled_before_it_began(debug: bool) -> None:
    async def main() -> None:
        task = asyncio.create_task(sim.sleep_ns(100))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    sim.run(main(), debug=debug)


@pytest.mark.parametrize("first", ["canceller", "sleeper"])
def test_cancelled_at_the_moment_it_is_due(debug: bool, first: str) -> None:
    """Whoever comes first at that moment wins, as with `asyncio.sleep`."""

    async def outcome(sleep: Awaitable[None]) -> str:
        async def sleeper() -> str:
            try:
                await sleep
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                return "cancelled"
            return "slept"

        loop = asyncio.get_running_loop()
        due = loop.time() + 10e-9
        task = asyncio.create_task(sleeper())
        if first == "canceller":
            loop.call_at(due, task.cancel)
        await asyncio.sleep(0)
        if first == "sleeper":
            loop.call_at(due, lambda: loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(task.cancel))))
        return await task

    async def main() -> tuple[str, str]:
        return await outcome(sim.sleep_ns(10)), await outcome(asyncio.sleep(10e-9))

    expected = "cancelled" if first == "canceller" else "slept"
    assert sim.run(main(), debug=debug) == (expected, expected)


def test_a_task_that_goes_on_after_a_cancel_can_sleep_again(debug: bool) -> None:
    async def stubborn() -> float:
        try:
            await sim.sleep_ns(10**9)
        except asyncio.CancelledError:
            await sim.sleep_ns(50)
        return asyncio.get_running_loop().time()

    async def main() -> float:
        task = asyncio.create_task(stubborn())
        await sim.sleep_ns(5)
        task.cancel()
        return await task

    assert sim.run(main(), debug=debug) == 55e-9


def test_it_goes_into_everything_that_takes_an_awaitable(debug: bool) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.gather(sim.sleep_ns(10), sim.sleep_ns(20))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sim.sleep_ns(10**9), 10e-9)
        async with asyncio.TaskGroup() as group:
            group.create_task(sim.sleep_ns(5))
        await asyncio.shield(sim.sleep_ns(5))
        return loop.time()

    assert sim.run(main(), debug=debug) == 40e-9


async def test_it_sleeps_on_every_loop(debug: bool) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await sim.sleep_ns(1_000_000)
    assert loop.time() - before >= 0.0009


def test_a_sleeping_task_shows_for_what_it_waits(debug: bool) -> None:
    async def main() -> None:
        task = asyncio.create_task(sim.sleep_ns(123))
        await asyncio.sleep(0)
        assert "wait_for=<sleep of 123 ns>" in repr(task)
        await task

    sim.run(main(), debug=debug)
