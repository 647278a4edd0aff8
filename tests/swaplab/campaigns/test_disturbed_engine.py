"""The disturbed engine: what becomes of jobs, and that a second landing is ignored and traced."""

from random import Random

import pytest

import acomp
from acomp import compress_pages, crypto_alloc_acomp, trace
from iaa_emulator import Engine, Platform, machine
from swaplab import sim
from swaplab.campaigns import Disturbance, DisturbedEngine
from swaplab.campaigns.pages import page_of
from swaplab.campaigns.remembered import outcome_of
from swaplab.model.engine import EngineModel, ModelledEngine

PAGES = [page_of(number) for number in range(1, 6)]


def engine_with(disturbance: Disturbance) -> DisturbedEngine:
    return DisturbedEngine(ModelledEngine(EngineModel(100, 1000, 2), outcome_of), disturbance, Random(1))


def errs_with(disturbance: Disturbance, **attributes: str) -> tuple[list[int], DisturbedEngine, list[trace.Event]]:
    """The codes of five pages in a chain, the engine, and the events."""
    events: list[trace.Event] = []
    engine = engine_with(disturbance)

    async def run() -> list[int]:
        with acomp.registry(), trace.installed(events.append):
            async with Platform.open(machine(devices=1), engine=engine, attributes=attributes):
                return [result.err for result in await compress_pages(crypto_alloc_acomp("deflate-iaa"), PAGES)]

    return sim.run(run()), engine, events


def test_it_is_an_engine() -> None:
    assert isinstance(engine_with(Disturbance()), Engine)


@pytest.mark.parametrize(
    ("disturbance", "errs"),
    [
        (Disturbance(), [0] * 5),
        (Disturbance(late=1.0), [0] * 5),
        (Disturbance(twice=1.0), [0] * 5),
        (Disturbance(corrupted=1.0), [0] * 5),
        (Disturbance(lost=1.0), [-110] * 5),
        (Disturbance(overflow=1.0), [-7] * 5),
    ],
)
def test_what_the_pages_end_in(disturbance: Disturbance, errs: list[int]) -> None:
    assert errs_with(disturbance)[0] == errs


def test_verification_finds_corrupted_outputs() -> None:
    assert errs_with(Disturbance(corrupted=1.0), verify_compress="1")[0] == [-22] * 5


def test_a_second_landing_is_ignored_and_traced() -> None:
    errs, engine, events = errs_with(Disturbance(twice=1.0, late_ns=1))
    assert errs == [0] * 5 and engine.struck["twice"] == 5
    assert [event.kind for event in events].count("iaa.landed") == 5
    assert 1 <= [event.kind for event in events].count("iaa.landed_again") <= 5


def test_late_jobs_land_out_of_order() -> None:
    _, engine, _ = errs_with(Disturbance(late=0.5))
    assert engine.struck["out of order"]
