"""Shrinking leaves out what is not needed, keeps what did not hold, and its token repeats what is left."""

import asyncio
from dataclasses import replace

import pytest

from swaplab import stress
from swaplab.stress.case import Case, Reductions
from swaplab.stress.run import run
from swaplab.stress.shrink import MOST_TRIES, fails_alike, shrink
from swaplab.stress.token import read, token
from swaplab.stress.zoo import BUGS


@pytest.mark.parametrize("name", BUGS)
def test_what_is_left_is_no_larger_and_replays(name: str) -> None:
    scenario = BUGS[name].faulty
    found, smaller = stress.explore(scenario).finding, stress.explore(scenario, shrink=True).finding
    assert found is not None and smaller is not None and 0 < smaller.tries <= MOST_TRIES
    assert smaller.run.broken[0] == found.run.broken[0] and smaller.run.events <= found.run.events
    again = stress.explore(scenario, token=smaller.token).finding
    assert again is not None and again.run == smaller.run


def test_clients_faults_jitter_and_k_that_are_not_needed_are_left_out() -> None:
    @stress.scenario(jitter_ms=30)
    async def scenario(world: stress.World) -> None:
        call = world.faulty(asyncio.sleep, fail=0.5)
        lost: list[int] = []
        world.at_rest(lambda: not lost, "nothing lost")

        async def client() -> None:
            try:
                for _ in range(3):
                    await call(0.01)
            except asyncio.CancelledError:
                lost.append(1)
                raise

        async with world.clients(client, n=5):
            pass

    failed = run(scenario, 3, stress.Cancel(2, 9, 2), "shuffle")
    assert len(failed.faults) > 1 and failed.broken == ("at rest: nothing lost",)
    smaller, _ = shrink(scenario, failed)
    assert smaller.case == Case(3, stress.Cancel(2, 1, 1), "fifo", Reductions((0, 1, 3, 4), (), 0))
    assert (smaller.clients, smaller.faults, smaller.broken) == ((2,), (), failed.broken)


def test_who_is_cancelled_in_a_crowd_is_found_at_the_same_place_without_it() -> None:
    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        begun: list[int] = []
        ended: list[int] = []
        call = world.faulty(asyncio.sleep, fail=0.4, delay_ms=(1, 5))
        world.at_rest(lambda: len(begun) == len(ended), "what begins ends")

        async def client() -> None:
            for turn in range(2):
                await asyncio.sleep(0)
                await call(0.005)
                begun.append(turn)
                await asyncio.sleep(0.001)
                ended.append(turn)

        async with world.clients(client, n=12):
            pass

    finding = stress.explore(scenario, shrink=True).finding
    assert finding is not None and finding.run.cancel is not None
    target = finding.run.cancel.target
    assert finding.run.case[1:] == (
        stress.Cancel(target, 5),
        "fifo",
        Reductions(tuple(number for number in range(12) if number != target), (), 0),
    )


def test_what_is_left_out_is_said_in_words() -> None:
    assert str(Reductions()) == ""
    assert str(Reductions((1, 3), (), 0)) == "clients 1, 3, all faults, all jitter"
    assert str(Reductions((2,), ("client 1:1",), 0.5)) == "client 2, all other faults, jitter above 0.5 ms"


def test_another_failure_is_not_what_is_looked_for() -> None:
    @stress.scenario()
    async def scenario(world: stress.World) -> None:
        started: list[int] = []

        async def client() -> None:
            started.append(1)
            await asyncio.sleep(0.01)

        async with world.clients(client, n=3):
            pass
        world.at_rest(lambda: len(started) < 3, "less than three")
        world.at_rest(lambda: len(started) > 2, "more than two")

    failed = run(scenario, 0)
    assert failed.broken == ("at rest: less than three",)
    assert shrink(scenario, failed)[0].clients == (0, 1, 2)


def test_numbers_do_not_make_another_failure() -> None:
    scenario = BUGS["made twice"].faulty
    failed = run(scenario, 0)

    def failing(*broken: str) -> bool:
        return fails_alike(replace(failed, broken=broken[:1]), replace(failed, broken=broken[1:]))

    assert failing("client 3 ended with KeyError(3) at x.py:7", "other", "client 1 ended with KeyError(5) at x.py:9")
    assert failing("left over: task 'a', task 'b'", "left over: task 'b'")
    assert not failing("always: limit", "always: limits")


def test_a_token_holds_what_is_left_out() -> None:
    for reductions in (Reductions(), Reductions((1, 3)), Reductions(strikes=()), Reductions((), ("client 1:1",), 0.5)):
        case = Case(7, stress.Cancel(1, 2, 2), "pct", reductions)
        assert read(token("m:f", case), "m:f") == case


def test_a_token_is_one_however_its_numbers_are_written() -> None:
    whole, read_again = (Case(7, None, "fifo", Reductions(jitter_ms=ms)) for ms in (10, 10.0))
    assert token("m:f", whole) == token("m:f", read_again)
