"""What a scenario is given: latencies, faults, checks, clients; and what counts as a failure."""

import asyncio
import random
import time

import pytest

from swaplab import sim, stress
from swaplab.stress.run import run


def broken(scenario: stress.Scenario, seed: int = 0, cancel: stress.Cancel | None = None) -> tuple[str, ...]:
    return run(scenario, seed, cancel).broken


def test_sleeps_are_late_and_deadlines_exact() -> None:
    slept: list[int] = []

    @stress.scenario(jitter_ms=20)
    async def scenario(world: stress.World) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, sim.VirtualLoop)
        for _ in range(20):
            before = loop.now_ns
            await asyncio.sleep(0.01)
            slept.append(loop.now_ns - before)
            before = loop.now_ns
            await world.sleep(0.01)
            slept.append(loop.now_ns - before)
        before = loop.now_ns
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await loop.create_future()
        await sim.sleep_ns(7)
        assert loop.now_ns - before == 500_000_007

    assert broken(scenario) == ()
    assert len(set(slept)) > 30 and all(10_000_000 <= ns <= 30_000_000 for ns in slept)


def test_the_run_follows_from_its_name_alone() -> None:
    numbers: list[object] = []

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        await asyncio.sleep(1)
        numbers.append((random.random(), world.random.random(), time.time(), time.monotonic()))

    before = random.getstate()
    one, two, other = run(scenario, 3), run(scenario, 3), run(scenario, 4)
    assert random.getstate() == before
    assert one.trace_hash == two.trace_hash != other.trace_hash
    assert numbers[0] == numbers[1] != numbers[2]


def test_calls_fail_and_get_lost_and_clients_may_end_by_it() -> None:
    made: list[int] = []

    async def call() -> None:
        made.append(1)

    @stress.scenario()
    async def fails(world: stress.World) -> None:
        async with world.clients(world.faulty(call, fail=1), n=2):
            pass

    @stress.scenario()
    async def loses(world: stress.World) -> None:
        async with world.clients(world.faulty(call, lose=1), n=1):
            pass

    failed = run(fails, 0)
    assert failed.broken == () and len(failed.faults) == 2 and not made
    lost = run(loses, 0)
    assert "deadlock" in lost.broken[0] and len(lost.faults) == 1 and made
    assert any("client 0" in line for line in lost.waiting)


def test_another_exception_that_leaves_a_client_fails_the_run() -> None:
    async def client() -> None:
        await asyncio.sleep(0.01)
        raise LookupError("mine")

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        async with world.clients(client, n=1):
            pass

    (said,) = broken(scenario)
    assert said.startswith("client 0 ended with LookupError('mine') at test_world.py:")


@pytest.mark.parametrize("in_a_client", [True, False])
def test_who_leaves_the_interpreter_fails_the_run(in_a_client: bool) -> None:
    async def leave() -> None:
        await asyncio.sleep(0.01)
        raise SystemExit(3)

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        if not in_a_client:
            await leave()
        async with world.clients(leave, n=1):
            pass

    (said,) = broken(scenario)
    assert said.startswith("the run was left by SystemExit(3) at test_world.py:")


def test_injected_faults_in_a_group_may_leave_a_client() -> None:
    async def fail() -> None:
        raise stress.InjectedFault

    async def client() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        async with world.clients(client, n=1):
            pass

    assert broken(scenario) == ()


def test_swallowing_the_cancellation_is_told_and_is_no_failure() -> None:
    async def client() -> None:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            await asyncio.sleep(1)

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        async with world.clients(client, n=1):
            pass

    became = run(scenario, 0, stress.Cancel(0, 1))
    assert became.broken == () and became.swallowed == ("client 0",)


def test_twice_is_two_calls_of_cancel_in_a_row() -> None:
    told: list[int] = []

    async def client() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            task = asyncio.current_task()
            assert task is not None
            told.append(task.cancelling())

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        async with world.clients(client, n=1):
            pass

    assert broken(scenario, cancel=stress.Cancel(0, 1, 1)) == () and told == [1]
    assert broken(scenario, cancel=stress.Cancel(0, 1, 2)) == () and told == [1, 2]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_event_1_is_the_first_after_the_task_was_made(k: int) -> None:
    steps: list[int] = []

    async def client() -> None:
        for step in range(1, 4):
            steps.append(step)
            await asyncio.sleep(0)

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        async with world.clients(client, n=1):
            pass

    assert run(scenario, 0, stress.Cancel(0, k)).cancelled is (k < 4)
    assert steps == list(range(1, min(k, 3) + 1))


def test_what_holds_always_is_looked_at_after_every_event() -> None:
    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        state = [0]
        world.always(lambda: not state[0], "nothing")
        asyncio.get_running_loop().call_soon(state.__setitem__, 0, 1)
        asyncio.get_running_loop().call_soon(state.__setitem__, 0, 0)
        await asyncio.sleep(1)

    assert broken(scenario) == ("always: nothing",)


def test_a_check_that_raises_fails_the_run_and_a_coroutine_is_none() -> None:
    @stress.scenario()
    async def raises(world: stress.World) -> None:
        world.always(lambda: 1 / 0 > 0, "quotient")
        await asyncio.sleep(1)

    async def check() -> bool:
        return True

    @stress.scenario()
    async def waits(world: stress.World) -> None:
        world.at_rest(check, "coroutine")

    assert "quotient raised ZeroDivisionError" in broken(raises)[0]
    assert "checks are plain functions" in broken(waits)[0]


def test_what_is_left_over_fails_the_run() -> None:
    @stress.scenario()
    async def leaves_a_task(world: stress.World) -> None:
        world.left = asyncio.create_task(asyncio.sleep(10), name="forgotten")  # type: ignore[attr-defined]
        await asyncio.sleep(0)

    @stress.scenario()
    async def leaves_a_timer(world: stress.World) -> None:
        asyncio.get_running_loop().call_later(10, print)

    async def fail() -> None:
        raise LookupError("unseen")

    @stress.scenario()
    async def leaves_an_exception(world: stress.World) -> None:
        world.left = asyncio.create_task(fail(), name="failing")  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)

    assert broken(leaves_a_task) == ("left over: task 'forgotten'",)
    assert broken(leaves_a_timer) == ("left over: 1 timers",)
    assert "nobody saw what task 'failing' ended with" in broken(leaves_an_exception)[0]


def test_at_rest_is_looked_at_when_nothing_is_ready_and_no_time_has_passed() -> None:
    times: list[int] = []

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, sim.VirtualLoop)
        left = [5]

        def count_down() -> None:
            left[0] -= 1
            if left[0]:
                loop.call_soon(count_down)

        def rests() -> bool:
            times.append(loop.now_ns)
            return left[0] == 0

        world.at_rest(rests, "counted down")
        await sim.sleep_ns(5)
        loop.call_soon(count_down)

    assert broken(scenario) == () and times == [5]


def test_a_run_is_bounded() -> None:
    @stress.scenario(max_events=100)
    async def spins(world: stress.World) -> None:
        while True:
            await asyncio.sleep(0)

    @stress.scenario(max_time_s=10)
    async def sleeps(world: stress.World) -> None:
        await asyncio.sleep(20)

    assert "100 events and no end" in broken(spins)[0]
    assert "raise max_time" in broken(sleeps)[0]


def test_a_target_that_is_cancelled_may_end_the_scenario() -> None:
    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        await world.target(asyncio.sleep(1))

    assert broken(scenario, cancel=stress.Cancel(0, 1)) == ()


@pytest.mark.parametrize("k", range(1, 6))
@pytest.mark.parametrize("directly", [True, False])
def test_the_cancellation_may_leave_a_client_through_a_target_that_it_awaits(directly: bool, k: int) -> None:
    async def work() -> None:
        for _ in range(3):
            await asyncio.sleep(0.01)

    @stress.scenario(jitter_ms=0)
    async def scenario(world: stress.World) -> None:
        async def client() -> None:
            target = world.target(work())
            await (target if directly else asyncio.gather(target))

        async with world.clients(client, n=1):
            pass

    became = run(scenario, 0, stress.Cancel(1, k))
    assert became.cancelled and became.broken == ()


def test_the_cancellation_of_somebody_else_may_not() -> None:
    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        shared = asyncio.get_running_loop().create_future()

        async def client() -> None:
            await shared

        async with world.clients(client, n=2):
            await asyncio.sleep(1)
            if not shared.done():
                shared.set_result(None)

    assert broken(scenario, cancel=stress.Cancel(0, 3)) == ("client 1 was cancelled, and not by us",)
