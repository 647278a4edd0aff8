"""Order is (time, serial), and where the stock loop's order is defined it is the same."""

import asyncio
import selectors
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swaplab import sim

Log = list[str]


def test_ties_are_served_in_the_order_of_asking() -> None:
    log: Log = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for name in "abc":
            loop.call_at(1, log.append, name)
        loop.call_at(0.5, lambda: loop.call_at(1, log.append, "d"))
        await asyncio.sleep(2)

    sim.run(main())
    assert log == ["a", "b", "c", "d"]


def test_a_timer_for_now_stands_in_line() -> None:
    log: Log = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(log.append, "soon")
        loop.call_later(0, log.append, "zero")
        loop.call_at(-1, log.append, "past")
        loop.call_soon(log.append, "soon after")
        await asyncio.sleep(1)

    sim.run(main())
    assert log == ["soon", "zero", "past", "soon after"]


def test_timers_of_a_moment_come_before_what_they_ask_for() -> None:
    log: Log = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(1, loop.call_soon, log.append, "asked for")
        loop.call_at(1, log.append, "second")
        await asyncio.sleep(2)

    sim.run(main())
    assert log == ["second", "asked for"]


def test_what_an_iteration_asks_for_runs_in_the_next() -> None:
    log: Log = []
    loop = sim.VirtualLoop()
    loop.call_soon(loop.call_soon, log.append, "next iteration")
    loop.call_soon(loop.stop)
    loop.call_soon(log.append, "same iteration")
    loop.run_forever()
    assert log == ["same iteration"]
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert log[1:] == ["next iteration"]


def test_an_interrupted_moment_is_taken_up_where_it_was_left() -> None:
    log: Log = []
    loop = sim.VirtualLoop()

    def interrupt() -> None:
        loop.call_soon(log.append, "asked for in between")
        raise KeyboardInterrupt

    loop.call_at(1, interrupt)
    loop.call_at(1, log.append, "same moment")
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert log == ["same moment", "asked for in between"]


class StockInNoTime(asyncio.SelectorEventLoop):
    """The stock loop with its own scheduling and a clock that moves by what it would have waited."""

    def __init__(self) -> None:
        loop = self
        self.now = 0.0

        class Selector(selectors.SelectSelector):
            def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
                assert timeout is not None, "nothing is left to happen"
                loop.now += timeout
                return []

        super().__init__(Selector())

    def time(self) -> float:
        return self.now


# A program is a list of tasks, a task a list of steps. No two times in it are equal: asyncio orders no ties.
KINDS = ["yield", "sleep", "set", "wait", "soon", "spawn", "lock", "queue", "cancel", "shield"]
Program = list[list[tuple[str, int]]]
PROGRAMS = st.lists(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3)), max_size=8), min_size=1, max_size=5)


class Player:
    """Runs a program and keeps the order of everything."""

    def __init__(self) -> None:
        self.log: Log = []
        self.events = [asyncio.Event() for _ in range(4)]
        self.locks = [asyncio.Lock() for _ in range(4)]
        self.queue: asyncio.Queue[str] = asyncio.Queue(2)
        self.tasks: list[asyncio.Task[None]] = []
        self.delay_us = 1

    def delay(self) -> float:
        """A length of time like no sum of others: a power of two, in microseconds."""
        self.delay_us *= 2
        return self.delay_us / 1e6

    async def play(self, program: Program) -> Log:
        for number, steps in enumerate(program):
            self.tasks.append(asyncio.create_task(self.run(str(number), steps)))
        for result in await asyncio.gather(*self.tasks, return_exceptions=True):
            self.log.append(repr(result))
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return self.log

    async def run(self, name: str, steps: list[tuple[str, int]]) -> None:
        try:
            for kind, number in steps:
                await getattr(self, f"do_{kind}")(name, number)
                self.log.append(f"{name} {kind} {number}")
        except TimeoutError:
            self.log.append(f"{name} waited in vain")

    async def do_yield(self, name: str, number: int) -> None:
        await asyncio.sleep(0)

    async def do_sleep(self, name: str, number: int) -> None:
        await asyncio.sleep(self.delay())

    async def do_set(self, name: str, number: int) -> None:
        self.events[number].set()

    async def do_wait(self, name: str, number: int) -> None:
        async with asyncio.timeout(self.delay()):
            await self.events[number].wait()

    async def do_soon(self, name: str, number: int) -> None:
        asyncio.get_running_loop().call_soon(self.log.append, f"{name} soon")

    async def do_spawn(self, name: str, number: int) -> None:
        self.tasks.append(asyncio.create_task(self.run(f"{name}/child", [("yield", 0), ("sleep", 0)])))

    async def do_lock(self, name: str, number: int) -> None:
        async with self.locks[number]:
            await asyncio.sleep(0)

    async def do_queue(self, name: str, number: int) -> None:
        await (self.queue.put(name) if self.queue.empty() else self.queue.get())

    async def do_cancel(self, name: str, number: int) -> None:
        self.tasks[number % len(self.tasks)].cancel()

    async def do_shield(self, name: str, number: int) -> None:
        await asyncio.shield(asyncio.sleep(0, name))


def in_virtual_time(program: Program, debug: bool = False) -> Log:
    return sim.run(Player().play(program), debug=debug)


@pytest.mark.slow
@given(PROGRAMS)
def test_order_is_that_of_the_stock_loop(program: Program) -> None:
    with asyncio.Runner(loop_factory=StockInNoTime) as runner:
        stock = runner.run(Player().play(program))
    assert in_virtual_time(program) == stock


@pytest.mark.slow
@given(PROGRAMS)
def test_order_is_repeated_and_does_not_depend_on_debug_mode(program: Program) -> None:
    first = in_virtual_time(program)
    assert first == in_virtual_time(program)
    assert first == in_virtual_time(program, debug=True)


DELAYS = st.lists(st.integers(0, 5), min_size=1, max_size=60)


@given(DELAYS, st.sets(st.integers(0, 59)))
def test_timers_run_by_time_and_then_by_serial(delays: list[int], cancelled: set[int]) -> None:
    log: list[tuple[int, int]] = []
    loop = sim.VirtualLoop()
    ask: Callable[[int, int], asyncio.TimerHandle] = lambda number, delay: loop.call_at_ns(  # noqa: E731
        delay, lambda: log.append((loop.time_ns(), number))
    )
    timers = [ask(number, delay) for number, delay in enumerate(delays)]
    for number in sorted(cancelled & set(range(len(delays)))):
        timers[number].cancel()
    loop.call_at_ns(6, loop.stop)
    loop.run_forever()
    loop.close()
    assert log == sorted((delay, number) for number, delay in enumerate(delays) if number not in cancelled)
