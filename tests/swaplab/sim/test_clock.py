"""The clock counts integer nanoseconds from 0, jumps to the next event, and is rounded at the door only."""

import asyncio
import math
import sys
import threading
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swaplab import sim


def virtual() -> sim.VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, sim.VirtualLoop)
    return loop


def moments(*ask: Callable[[Callable[[], None]], object]) -> list[int]:
    """When, in ns, the callback ran that each function asked for; the clock starts at 5 ns."""
    seen: list[int] = []

    async def main() -> None:
        loop = virtual()
        await sim.sleep_ns(5)
        for one in ask:
            one(lambda: seen.append(loop.time_ns()))
        await asyncio.sleep(3600)

    sim.run(main())
    return seen


def test_time_starts_at_zero_and_jumps() -> None:
    async def main() -> tuple[int, int, float]:
        loop = virtual()
        before = loop.time_ns()
        await asyncio.sleep(86_400)
        return before, loop.time_ns(), loop.time()

    assert sim.run(main()) == (0, 86_400 * 10**9, 86_400.0)


@pytest.mark.parametrize(
    ("delay", "ns"),
    [
        (5e-324, 1),
        (0.4e-9, 1),
        (0.5e-9, 1),
        (1.5e-9, 2),
        (2.5e-9, 2),
        (Fraction(7, 2 * 10**9), 4),
        (1e-9, 1),
        (0.1, 10**8),
        (3, 3 * 10**9),
        (Fraction(1, 10**10), 1),
        (0.0, 0),
        (-0.4e-9, 0),
        (-1, 0),
    ],
)
def test_delays_round_half_even_but_never_to_nothing(delay: float, ns: int) -> None:
    assert moments(lambda tell: virtual().call_later(delay, tell)) == [5 + ns]


@pytest.mark.parametrize(("when", "ns"), [(5.5e-9, 6), (6.5e-9, 6), (1.0, 10**9), (0, 5), (5e-9, 5), (5.4e-9, 6)])
def test_times_round_half_even_and_only_the_past_is_now(when: float, ns: int) -> None:
    assert moments(lambda tell: virtual().call_at(when, tell)) == [ns]


def test_whoever_waits_for_a_deadline_gets_there() -> None:
    """What every rate limiter does; where the deadline is not a whole number of ns, the rest may be less than one."""

    async def until(end: float) -> float:
        loop = virtual()
        while (left := end - loop.time()) > 0:
            await asyncio.sleep(left)
        return loop.time()

    for k in range(1, 200):
        assert sim.run(until(1 / k), max_events=20) == pytest.approx(1 / k, abs=2e-9)


@pytest.mark.parametrize("start_ns", [0, 5, 10**9 // 3, 2**53 + 1, 2**60 + 1])
@given(st.data())
def test_a_time_later_than_now_is_not_now(start_ns: int, data: st.DataObject) -> None:
    """However coarse a float of seconds is by then: it is always possible to wait until `loop.time()` has come."""

    async def main() -> None:
        loop = virtual()
        await sim.sleep_ns(start_ns)
        due = data.draw(st.floats(loop.time(), loop.time() + 1e-6))

        def again() -> None:
            if loop.time() < due:
                loop.call_at(due, again)
            else:
                reached.set()

        reached = asyncio.Event()
        again()
        await reached.wait()
        assert loop.time() >= due

    sim.run(main(), max_events=2000)


@given(st.integers(6, 3600 * 10**9 - 1))
def test_integers_are_exact(when_ns: int) -> None:
    assert moments(lambda tell: virtual().call_at_ns(when_ns, tell)) == [when_ns]


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=20))
def test_seconds_are_exact_for_integer_nanoseconds(delays_ns: list[int]) -> None:
    async def main() -> int:
        for delay_ns in delays_ns:
            await asyncio.sleep(delay_ns / 1e9)
        return virtual().time_ns()

    assert sim.run(main()) == sum(delays_ns)


@pytest.mark.parametrize("long_past", [-1.0, -1e300, -math.inf])
def test_what_is_long_past_comes_now(long_past: float) -> None:
    came: list[str] = []

    async def main() -> None:
        virtual().call_later(long_past, came.append, "later")
        virtual().call_at(long_past, came.append, "at")
        await sim.sleep_ns(0)
        assert came == ["later", "at"] and virtual().time_ns() == 0

    sim.run(main())


@pytest.mark.parametrize("far", [threading.TIMEOUT_MAX, 1e12, 1e300, 10**400, math.inf])
def test_a_time_beyond_the_clock_is_never(far: float) -> None:
    async def main() -> None:
        for call in (virtual().call_later, virtual().call_at):
            call(far, pytest.fail)
        assert await asyncio.wait_for(asyncio.sleep(5, "done"), far) == "done"
        await asyncio.sleep(far)

    with pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    assert caught.value.time_ns == 5 * 10**9


@pytest.mark.parametrize("bound", [None, 10**30])
@pytest.mark.parametrize("far_ns", [sys.maxsize, 10**30])
def test_so_it_is_in_integers(far_ns: int, bound: int | None) -> None:
    async def main() -> None:
        virtual().call_at_ns(far_ns, pytest.fail)
        await sim.sleep_ns(far_ns)

    with pytest.raises(sim.DeadlockError, match=r"main .* for <sleep of"):
        sim.run(main(), max_time_ns=bound)


def test_infinity_never_comes_and_can_be_cancelled() -> None:
    async def main() -> float:
        virtual().call_at(math.inf, pytest.fail).cancel()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(math.inf), 1)
        return virtual().time()

    assert sim.run(main()) == 1.0


def test_what_is_no_time_is_refused() -> None:
    async def main() -> None:
        loop = virtual()
        with pytest.raises(ValueError, match="not a number"):
            loop.call_later(math.nan, print)
        with pytest.raises(TypeError):
            loop.call_at(None, print)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            loop.call_at_ns(1.5, print)  # type: ignore[arg-type]

    sim.run(main())


def test_a_timer_says_when() -> None:
    async def main() -> None:
        timer = virtual().call_later(1.5, print)
        assert timer.when() == 1.5
        assert isinstance(timer, asyncio.TimerHandle)
        assert "when=1.5" in repr(timer)
        timer.cancel()
        assert timer.cancelled()
        assert "cancelled" in repr(timer)

    sim.run(main())


def test_time_does_not_pass_for_what_was_cancelled() -> None:
    async def main() -> int:
        timers = [virtual().call_later(n, pytest.fail) for n in range(1, 10)]
        for timer in timers:
            timer.cancel()
        await asyncio.sleep(20)
        return virtual().time_ns()

    assert sim.run(main()) == 20 * 10**9


def test_timeouts_that_did_not_happen_do_not_pile_up() -> None:
    async def main() -> int:
        loop = virtual()
        for _ in range(10_000):
            async with asyncio.timeout(3600):
                await loop.sleep_ns(1)
        assert loop.timers() == []
        return len(loop._timers)

    assert sim.run(main()) < 300


def test_pending_timers_are_listed_in_their_order() -> None:
    async def main() -> None:
        loop = virtual()
        late, early, tie = loop.call_later(2, print), loop.call_later(1, print), loop.call_later(2, print)
        loop.call_later(3, print).cancel()
        assert loop.timers() == [early, late, tie]
        for timer in loop.timers():
            timer.cancel()

    sim.run(main())
