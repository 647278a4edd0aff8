"""Which runs are made, and what is refused."""

import asyncio
from typing import Any

import pytest

from swaplab import stress


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
        ({"seeds": 0}, one, "1 at least"),
        ({"colour": 1}, one, "unexpected keyword argument 'colour'"),
    ],
)
def test_what_is_no_scenario_is_refused(options: dict[str, Any], body: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        decorate(options, body)


def test_what_can_not_be_explored_is_refused() -> None:
    scenario = stress.scenario()(one)
    with pytest.raises(ValueError, match="never suspends"):
        stress.explore(scenario)
    with pytest.raises(ValueError, match="no seed"):
        stress.explore(scenario, seeds=range(5, 5))
    with pytest.raises(ValueError, match="no policy"):
        stress.explore(scenario, policy="lifo")


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
