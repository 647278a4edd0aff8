"""Which runs are made, and what is refused."""

import asyncio
from typing import Any

import pytest

from swaplab import stress
from swaplab.stress.page import page
from swaplab.stress.run import run


def test_sweep_and_seeds_alternate() -> None:
    seen: list[int] = []

    async def client() -> None:
        await asyncio.sleep(0.01)

    @stress.scenario(seeds=20)
    async def scenario(world: stress.World) -> None:
        seen.append(world._seed)
        async with world.clients(client, n=2):
            pass

    report = stress.explore(scenario)
    assert report.ok and report.runs == len(seen)
    assert seen[:8] == [0, 1, 0, 1, 0, 2, 0, 2]
    assert len(set(seen)) == 20


def test_without_cancel_each_seed_is_one_run() -> None:
    @stress.scenario(seeds=7, cancel=False)
    async def scenario(world: stress.World) -> None:
        await world.target(asyncio.sleep(1))

    assert stress.explore(scenario).runs == 7


def test_what_no_run_reached_fails_the_campaign() -> None:
    @stress.scenario(seeds=3)
    async def scenario(world: stress.World) -> None:
        world.sometimes(lambda: False, "the moon")
        world.sometimes(lambda: True, "the sun")
        await asyncio.sleep(1)

    report = stress.explore(scenario)
    assert not report.ok and report.unreached == ["the moon"]
    assert report.reached["the sun"] == report.runs
    assert "the moon: in 0 runs" in str(report)


def test_a_replay_of_what_was_repaired_holds_though_it_does_not_reach_each_sometimes() -> None:
    broken = [True]

    @stress.scenario(seeds=3)
    async def scenario(world: stress.World) -> None:
        world.sometimes(lambda: False, "the moon")
        await world.target(asyncio.sleep(1))
        assert not broken

    found = stress.explore(scenario).finding
    assert found is not None
    broken.clear()
    report = stress.explore(scenario, token=found.token)
    assert report.ok and report.reached == {"the moon": 0}
    assert str(report).endswith("the run was repeated, and held")


def test_where_nobody_is_cancelled_it_is_said() -> None:
    @stress.scenario(seeds=2)
    async def alone(world: stress.World) -> None:
        await asyncio.sleep(1)

    @stress.scenario(seeds=2)
    async def with_a_client(world: stress.World) -> None:
        async with world.clients(lambda: asyncio.sleep(1), n=1):
            pass

    report = stress.explore(alone)
    assert report.ok and report.held == "held, nobody was cancelled" and "all held, nobody was" in str(report)
    assert stress.explore(with_a_client).held == "held"


def test_a_cancellation_that_ends_the_scenario_itself_is_told() -> None:
    @stress.scenario(seeds=2)
    async def scenario(world: stress.World) -> None:
        world.at_rest(lambda: not state, "closed")
        state = [1]
        await world.target(asyncio.sleep(1))
        state.clear()

    finding = stress.explore(scenario).finding
    assert finding is not None and finding.run.broken == ("at rest: closed",)
    assert "the cancellation ended the scenario itself, which awaits a target" in finding.told()

    @stress.scenario(seeds=2)
    async def closes(world: stress.World) -> None:
        await world.target(asyncio.sleep(1))

    report = stress.explore(closes)
    assert report.ok and 0 < report.ended_by_it < report.runs
    said = f"in {report.ended_by_it} runs the cancellation ended the scenario itself"
    assert said in str(report) and said in page({"closes": report}, {})


def test_a_background_task_and_who_stops_it_are_swept_as_the_page_says() -> None:
    @stress.scenario(seeds=4)
    async def scenario(world: stress.World) -> None:
        closed = asyncio.Event()

        async def client() -> None:
            await asyncio.sleep(0.01)

        async def close() -> None:
            closed.set()
            await asyncio.sleep(0)

        async def reap() -> None:
            while True:
                await asyncio.sleep(0.01)

        reaper = world.target(reap())
        try:
            async with world.clients(client, n=2), world.clients(close, n=1):
                pass
        finally:
            reaper.cancel()
            await asyncio.wait([reaper])

    report = stress.explore(scenario)
    assert report.ok and report.cancelled > report.seeds and not report.ended_by_it
    names = [run(scenario, 0, stress.Cancel(target, 2)).cancelled for target in range(4)]
    assert names == [True] * 4


def test_what_depends_on_something_outside_is_not_reproducible() -> None:
    times: list[int] = []

    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        times.append(1)
        for _ in times:
            await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(stress.NotReproducibleError, match="event 3 was"):
        stress.explore(scenario)


def test_a_sweep_ends_even_if_each_run_is_longer_than_the_one_before() -> None:
    times: list[int] = []

    @stress.scenario(seeds=1)
    async def scenario(world: stress.World) -> None:
        times.append(1)

        async def client() -> None:
            for _ in times:
                await asyncio.sleep(0)

        async with world.clients(client, n=1):
            pass

    assert stress.explore(scenario).runs == len(times) < 20


def test_a_finding_of_a_random_order_says_whether_it_needs_it() -> None:
    @stress.scenario(policy="shuffle")
    async def scenario(world: stress.World) -> None:
        order: list[int] = []
        for number in range(3):
            asyncio.get_running_loop().call_soon(order.append, number)
        await asyncio.sleep(0.01)
        assert order == [0, 1, 2]

    found = stress.explore(scenario).finding
    assert found is not None and found.needs_another_order
    assert "another order than FIFO" in str(found)
    assert stress.explore(scenario, policy="fifo").ok


def decorate(options: dict[str, Any], body: Any) -> None:
    stress.scenario(**options)(body)


async def one(world: stress.World) -> None: ...


async def none() -> None: ...


@pytest.mark.parametrize(
    ("options", "body", "said"),
    [
        ({}, lambda world: None, "no coroutine function"),
        ({}, none, "takes one argument"),
        ({"policy": "lifo"}, one, "there is no policy 'lifo'"),
        ({"policy": ["fifo"]}, one, "there is no policy"),
        ({"seeds": 0}, one, "seeds is 1 at least, and not 0"),
        ({"seeds": range(5)}, one, "seeds is a whole number, and not range.0, 5.; how many, that is"),
        ({"seeds": 2.5}, one, "seeds is a whole number, and not 2.5"),
        ({"sweep_seeds": -1}, one, "sweep_seeds is 0 at least"),
        ({"sweep_seeds": True}, one, "sweep_seeds is a whole number"),
        ({"jitter_ms": "20"}, one, "jitter_ms is a number, and not '20'"),
        ({"jitter_ms": float("nan")}, one, "jitter_ms is not negative"),
        ({"cancel": 1}, one, "cancel is True or False, and not 1"),
        ({"max_events": 0}, one, "max_events is 1 at least"),
        ({"max_time_s": 0}, one, "max_time_s is above 0"),
        ({"max_time_s": float("inf")}, one, "max_time_s is not negative, and 1e.09 at most"),
        ({"colour": 1}, one, "unexpected keyword argument 'colour'"),
    ],
)
def test_what_is_no_scenario_is_refused(options: dict[str, Any], body: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        decorate(options, body)


def test_without_its_parentheses_it_says_so() -> None:
    with pytest.raises(TypeError, match=r"write @stress.scenario\(\), with parentheses"):
        stress.scenario(one)  # type: ignore[arg-type]


def test_what_can_not_be_explored_is_refused() -> None:
    scenario = stress.scenario()(one)
    with pytest.raises(ValueError, match="never suspends"):
        stress.explore(scenario)
    with pytest.raises(ValueError, match="no seed"):
        stress.explore(scenario, seeds=range(5, 5))
    with pytest.raises(ValueError, match="no policy"):
        stress.explore(scenario, policy="lifo")
    with pytest.raises(TypeError, match=r"seeds is a range, as range\(2000\), and not 5"):
        stress.explore(scenario, seeds=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is no scenario: decorate"):
        stress.explore(one)  # type: ignore[arg-type]


async def test_inside_of_a_running_loop_it_is_refused() -> None:
    with pytest.raises(RuntimeError, match="inside of a running loop"):
        stress.explore(stress.scenario()(one))


def test_a_thread_is_refused_with_a_remedy() -> None:
    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        await asyncio.sleep(0.1)
        await asyncio.open_connection("localhost", 1)

    assert "a socket" in str(stress.explore(scenario))


def test_tokens_of_others_are_refused() -> None:
    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        await asyncio.sleep(1)
        raise LookupError

    @stress.scenario()
    async def other(world: stress.World) -> None:
        await asyncio.sleep(1)

    found = stress.explore(scenario).finding
    assert found is not None and found.token.startswith("stress1:")
    with pytest.raises(stress.TokenError, match="is of the scenario"):
        stress.explore(other, token=found.token)
    with pytest.raises(stress.TokenError, match="begins with stress1:"):
        stress.explore(scenario, token="stress2:abc")
    with pytest.raises(stress.TokenError, match="damaged"):
        stress.explore(scenario, token=found.token[:-4])
