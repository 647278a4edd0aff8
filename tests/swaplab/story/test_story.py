"""What a chain of the stepped engine does, and what of it is recorded."""

from typing import Any, Literal

import pytest

from swaplab.story.picture import overlap, rounds
from swaplab.story.story import Story, run_story


def places(story: Story) -> list[str]:
    return [f"{step.kind} {step.request}" for step in run_story(story).steps]


def test_all_submits_come_before_the_first_look_and_jobs_overlap() -> None:
    kinds = [step.kind for step in run_story(Story()).steps]
    last_submit = max(place for place, kind in enumerate(kinds) if kind == "submit")
    assert last_submit < kinds.index("iaa.landed")
    assert last_submit < kinds.index("poll.empty")
    assert overlap(run_story(Story()).steps) > 3
    assert rounds(run_story(Story())) == 2


@pytest.mark.parametrize("mode", ["sync", "async_irq"])
def test_a_serial_chain_has_an_overlap_of_one(mode: str) -> None:
    recording = run_story(Story(sync_mode=mode))  # type: ignore[arg-type]  # a literal from a parameter
    assert overlap(recording.steps) == 1.0
    assert rounds(recording) == 0
    kinds = [step.kind for step in recording.steps if step.kind in ("submit", "complete")]
    assert kinds == ["submit", "complete"] * 8


def test_a_failing_head_submits_nothing_else() -> None:
    recording = run_story(Story(fail=0))
    assert {result.err for result in recording.results} == {-5}
    assert sum(1 for step in recording.steps if step.kind == "submit") == 1


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_a_failing_member_fails_alone(mode: str) -> None:
    recording = run_story(Story(fail=3, sync_mode=mode))  # type: ignore[arg-type]  # a literal from a parameter
    assert [result.err for result in recording.results] == [0, 0, 0, -5, 0, 0, 0, 0]


def test_an_incompressible_page_is_submitted_and_fails_on_the_device() -> None:
    recording = run_story(Story(incompressible=2))
    assert [result.err for result in recording.results] == [0, 0, -7, 0, 0, 0, 0, 0]
    assert "iaa.landed 2" in places(Story(incompressible=2))


def test_a_story_is_the_same_every_time() -> None:
    assert run_story(Story(pages=5, fail=1)) == run_story(Story(pages=5, fail=1))


@pytest.mark.parametrize("story", [{"fail": 8}, {"incompressible": -1}, {"pages": 0}])
def test_what_can_not_be_is_refused(story: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"there is no request|at least one page"):
        Story(**story)  # type: ignore[arg-type]  # numbers by name


@pytest.mark.parametrize("interface", ["array", "unit"])
@pytest.mark.parametrize("mode", ["async", "sync", "async_irq"])
def test_the_later_interfaces_submit_all_and_have_the_same_results(
    interface: Literal["array", "unit"], mode: Any
) -> None:
    recording = run_story(Story(interface=interface, sync_mode=mode))
    kinds = [step.kind for step in recording.steps]
    last_submit = max(place for place, kind in enumerate(kinds) if kind == "iaa.queued")
    assert last_submit < kinds.index("iaa.landed") and last_submit < kinds.index("complete")
    assert recording.results == run_story(Story()).results
    assert recording.code == 0 and recording.parallel
    assert [step.request for step in recording.steps if step.kind == "complete"] == list(range(8))
    assert overlap(recording.steps) > 3


@pytest.mark.parametrize("interface", ["array", "unit"])
def test_more_pages_than_eight_go_down_in_rounds(interface: Literal["array", "unit"]) -> None:
    recording = run_story(Story(interface=interface, pages=12))
    assert recording.results == run_story(Story(pages=12)).results
    assert len([step for step in recording.steps if step.kind == "iaa.landed"]) == 12


@pytest.mark.parametrize("interface", ["array", "unit"])
def test_in_the_later_interfaces_a_page_fails_alone(interface: Literal["array", "unit"]) -> None:
    recording = run_story(Story(interface=interface, fail=0, incompressible=5))
    assert [result.err for result in recording.results] == [-5, 0, 0, 0, 0, -7, 0, 0]
    assert recording.code == -22
