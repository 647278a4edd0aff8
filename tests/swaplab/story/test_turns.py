"""How long a run takes in turns, from the order of its events alone."""

import pytest

from swaplab.story.run import run_script
from swaplab.story.shelf import SHELF
from swaplab.story.turns import engines_busy, turns
from tests.swaplab.story.scripts import Json, call, chain, compress, ref, requests, run


def seen(*calls: Json, **machine: object) -> tuple[int, float]:
    events = run(*calls, **machine).events
    return turns(events), round(engines_busy(events), 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "one-page": (1, 1.0),
        "two-pages": (2, 1.0),
        "chain": (4, 2.0),
        "chain-sync": (8, 1.0),
        "chain-unit": (4, 2.0),
        "chain-array": (4, 2.0),
        "four-devices": (1, 8.0),
        "head-fails": (0, 0.0),
    }.items(),
)
def test_the_stories_take_so_many_turns(name: str, expected: tuple[int, float]) -> None:
    events = run_script(SHELF[name].script()).events
    assert (turns(events), engines_busy(events)) == expected


def test_a_job_without_an_engine_counts_nothing() -> None:
    assert seen(*requests()) == (0, 0.0)
    assert seen(*chain(3), call("fault.at", "iaa.submit", 1), *compress()) == (0, 0.0)
    assert seen(*chain(3), call("fault.at", "iaa.submit", 2), *compress()) == (1, 2.0)


@pytest.mark.parametrize(("engines", "expected"), [(1, (4, 1.0)), (2, (2, 2.0)), (8, (2, 2.0))])
def test_a_device_has_as_many_turns_as_its_engines_need(engines: int, expected: tuple[int, float]) -> None:
    assert seen(*chain(4), *compress(), engines_per_device=engines) == expected


def test_whoever_waits_for_a_descriptor_comes_after_what_has_landed() -> None:
    assert seen(*chain(3), *compress(), wq_size=1) == (3, 1.0)


def test_a_chain_that_runs_again_takes_its_turns_again() -> None:
    again = call("crypto_acomp_compress", ref("r0"), as_="again")
    assert seen(*chain(4), *compress(), again, call("crypto_wait_req", ref("again"), ref("wait"))) == (4, 2.0)


def test_it_is_the_order_that_counts_and_not_who_lands_a_job() -> None:
    """Three of four jobs are landed through one engine while the other one has the first."""
    lands = [call("machine.land", ref(f"r{n}")) for n in (1, 2, 3, 0)]
    assert seen(*chain(4), *compress(task="t"), *lands, landing="stepped") == (3, 1.33)


def test_a_job_that_is_taken_back_has_had_its_engine() -> None:
    assert seen(*requests(), *compress(), landing="stepped") == (1, 1.0)
