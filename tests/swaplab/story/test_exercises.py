"""The exercises: what they begin with does not do what is asked for, and the answer does."""

import json
from typing import Any

import pytest

from swaplab.story.exercises import Exercise, exercises, meets
from swaplab.story.run import run_script
from swaplab.story.validate import read_script
from tests.swaplab.story.scripts import held

every_exercise = pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.name)


def run(script: dict[str, Any]) -> Any:
    answer = run_script(read_script(json.dumps(script)))
    assert held(answer) == []
    return json.loads(answer.to_json())


@every_exercise
def test_it_begins_with_what_does_not_do_it(exercise: Exercise) -> None:
    assert not meets(run(exercise.start), exercise.wants)


@every_exercise
def test_the_answer_does_it(exercise: Exercise) -> None:
    found = run(exercise.answer)
    assert meets(found, exercise.wants), [(task, found["tasks"][task]) for task in found["tasks"]]


@every_exercise
def test_it_takes_no_more_than_a_few_calls(exercise: Exercise) -> None:
    assert abs(len(exercise.answer["calls"]) - len(exercise.start["calls"])) <= 4
    assert exercise.start.get("machine") == exercise.answer.get("machine")
    assert exercise.start["pages"] == exercise.answer["pages"]


def test_there_are_six_with_names_of_their_own() -> None:
    assert len({exercise.name for exercise in exercises()}) == len(exercises()) == 6
    assert all(exercise.title and exercise.goal and exercise.hint for exercise in exercises())


@pytest.mark.parametrize(
    ("found", "wants", "met"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [1, 2], True),
        ([1, 2, 3], [1, 2], False),
        ([{"a": 1, "b": 2}], [{"a": 1}], True),
        ([1, 2, 3], {"1": 2}, True),
        ([1, 2, 3], {"3": 2}, False),
        ([1, 2, 3], {"in_order": [1, 3]}, True),
        ([1, 2, 3], {"in_order": [3, 1]}, False),
        ([1], {"in_order": [1, 1]}, False),
        (None, {"a": 1}, False),
        (0, None, False),
    ],
)
def test_patterns(found: Any, wants: Any, met: bool) -> None:
    assert meets(found, wants) is met
