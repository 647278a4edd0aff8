"""What can not work is an error at once, and never ignored: no callback at all, a clock that somebody replaced."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from swaplab import sim


def virtual() -> sim.VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, sim.VirtualLoop)
    return loop


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "ask",
    [
        lambda: virtual().call_soon(None),  # type: ignore[arg-type]
        lambda: virtual().call_soon_threadsafe(None),  # type: ignore[arg-type]
        lambda: virtual().call_later(0, None),  # type: ignore[arg-type]
        lambda: virtual().call_later(1, None),  # type: ignore[arg-type]
        lambda: virtual().call_at(1, None),  # type: ignore[arg-type]
        lambda: virtual().call_at_ns(1, None),  # type: ignore[arg-type]
    ],
)
def test_none_is_no_callback(ask: Callable[[], object], debug: bool) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match=r"a callable object was expected by call_\w+\(\), got None"):
            ask()

    sim.run(main(), debug=debug)


def test_anything_else_that_can_not_be_called_is_told_to_the_exception_handler() -> None:
    told: list[Any] = []

    async def main() -> None:
        virtual().set_exception_handler(lambda _, context: told.append(context["exception"]))
        virtual().call_soon(5)  # type: ignore[arg-type]
        virtual().call_later(1, "five")  # type: ignore[arg-type]
        await asyncio.sleep(2)

    sim.run(main())
    assert [type(error) for error in told] == [TypeError] * 2


TIMERS: list[Callable[[], Any]] = [
    lambda: asyncio.sleep(1),
    lambda: sim.sleep_ns(1),
    lambda: asyncio.wait_for(virtual().create_future(), 1),
    lambda: virtual().call_later(0, int),
    lambda: virtual().call_at(5, int),
    lambda: virtual().call_at_ns(5, int),
]


async def refused(timer: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"loop\.time\(\) of this \w+ was replaced"):
        await timer()


@pytest.mark.parametrize("timer", TIMERS)
def test_a_subclass_with_a_clock_of_its_own_is_refused_at_the_first_timer(timer: Callable[[], Any]) -> None:
    class Backwards(sim.VirtualLoop):
        def time(self) -> float:
            return -super().time()

    with asyncio.Runner(loop_factory=Backwards) as runner:
        runner.run(refused(timer))


@pytest.mark.parametrize("timer", TIMERS)
def test_a_mock_of_the_clock_is_refused_at_the_first_timer(timer: Callable[[], Any]) -> None:
    async def main() -> None:
        loop = virtual()
        with mock.patch.object(loop, "time", return_value=5.0):
            assert loop.time() == 5.0
            await refused(timer)
        await asyncio.sleep(1)
        loop.time = lambda: 7.0
        await refused(timer)
        del loop.time
        await asyncio.sleep(1)

    sim.run(main())


def test_a_monkeypatch_is_refused_and_forgotten_when_it_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> float:
        with monkeypatch.context() as patch:
            patch.setattr(virtual(), "time", lambda: 5.0)
            await refused(TIMERS[0])
        await asyncio.sleep(1)
        return virtual().time()

    assert sim.run(main()) == 1.0


@pytest.mark.parametrize("timer", TIMERS)
def test_a_mock_of_the_class_is_refused_in_the_next_run(timer: Callable[[], Any]) -> None:
    loop = sim.VirtualLoop()
    with mock.patch.object(sim.VirtualLoop, "time", return_value=5.0):
        loop.run_until_complete(refused(timer))
    loop.run_until_complete(asyncio.sleep(1))
    assert loop.time() == 1.0
    loop.close()
