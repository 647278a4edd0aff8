"""The view of a script: the words of the transcript, a sentence for each event, and the figures of the picture."""

import json
import re
from functools import cache

import pytest

from acomp import states
from swaplab.story.picture import overlap, rounds
from swaplab.story.run import run_script
from swaplab.story.script import Machine
from swaplab.story.sentences import KINDS, sentences
from swaplab.story.shelf import EXAMPLES, SHELF
from swaplab.story.story import Story, run_story
from swaplab.story.telling import script_of
from swaplab.story.transcript import transcript
from swaplab.story.validate import read_script
from swaplab.story.view import ScriptView, figures_of, view_of
from swaplab.story.vocabulary import vocabulary
from tests.swaplab.story.scripts import DONE, Json, buffer, call, chain, compress, page, ref, requests, run

every_shown = pytest.mark.parametrize("name", SHELF)


@cache
def shown(name: str) -> ScriptView:
    return view_of(SHELF[name].script(), SHELF[name].title)


def said(*calls: Json, **machine: object) -> list[str]:
    return list(sentences(run(*calls, **machine).events))


@every_shown
def test_a_view_can_be_posted_again(name: str) -> None:
    view = json.loads(shown(name).to_json())
    script = read_script(json.dumps(view["script"]))
    assert script == SHELF[name].script()
    assert view["run"] == json.loads(run_script(script).to_json())


@every_shown
def test_it_says_of_each_call_what_the_transcript_says(name: str) -> None:
    view = shown(name)
    lines = transcript(view.script, view.run, 10_000)
    text = "\n".join(line.text for line in lines)
    for number, one in enumerate(view.calls):
        assert f"{number:>3}  {one.spelled}" in text
        assert [note.text for note in one.notes if note.text not in text] == []
    assert len(view.calls) == len(view.run.calls) == len(view.script.calls)


@every_shown
def test_there_is_a_sentence_for_each_event(name: str) -> None:
    view = shown(name)
    assert len(view.said) == len(view.run.events)
    assert {event.kind for event in view.run.events} <= KINDS
    assert not set(view.said) & KINDS
    assert all(event.object in text for event, text in zip(view.run.events, view.said, strict=True) if event.object)


@every_shown
def test_every_negative_code_has_its_name(name: str) -> None:
    view = shown(name)
    names = view.code_names
    assert all(text.startswith("-E") and int(code) < 0 for code, text in names.items())
    for output in view.run.outputs.values():
        assert not output.err or str(output.err) in names
    assert {str(-found.error.errno) for found in view.run.calls if found.error and found.error.errno} <= set(names)


@pytest.mark.parametrize("options", [{}, {"sync_mode": "sync"}, {"interface": "unit"}, {"interface": "array"}], ids=str)
@pytest.mark.parametrize("fault", [{}, {"fail": 3}, {"fail": 0}, {"incompressible": 2}], ids=str)
def test_the_figures_are_those_of_the_picture(options: dict[str, str], fault: dict[str, int]) -> None:
    story = Story(**options, **fault)  # type: ignore[arg-type]  # literals from parameters
    recording, figures = run_story(story), figures_of(run_script(script_of(story)))
    assert figures.submits == len({step.request for step in recording.steps if step.kind == "submit"})
    assert figures.rounds == rounds(recording)
    assert figures.overlap == pytest.approx(overlap(recording.steps), abs=0.005)
    assert figures.failed == sum(bool(result.err) for result in recording.results)


def test_a_chain_that_ran_both_ways_was_polled_in_one_of_them() -> None:
    view = shown("02_sync_or_async")
    assert view.figures.rounds == 2
    ends = [text for event, text in zip(view.run.events, view.said, strict=True) if event.kind == "complete"]
    assert ends == [f"r{n} is polled: finished, 0" for n in range(3)] + [f"r{n} has finished, 0" for n in range(3)]


def test_a_request_alone_is_submitted_by_its_descriptor() -> None:
    assert shown("one-page").figures.model_dump() == {
        **{"submits": 1, "rounds": 0, "overlap": 1.0, "failed": 0},
        **{"turns": 1, "engines_busy": 1.0},
    }
    assert shown("two-pages").figures.overlap == 1.0
    assert shown("one-page").said == [
        "r0 waits in queue wq1.0 of iax1, in slot 0",
        "an engine of iax1 begins with r0",
        "r0 has landed: its completion record is written",
    ]


def test_units_are_named_with_their_request() -> None:
    view = shown("chain-unit")
    assert "unit 3 of u0 is submitted" in view.said
    assert "unit 3 of u0 is polled: finished, 0" in view.said
    assert view.figures.submits == 8


def test_what_goes_wrong_is_said() -> None:
    texts = said(*chain(3, text="random"), call("fault.at", "iaa.submit", 1), *compress())
    assert texts[-3:] == ["r0 is submitted", "the device goes wrong, as asked: iaa.submit", "r0 has failed, -EIO"]
    texts = said(*chain(2), call("fault.at", "acomp.reqchain_state", 1), *compress(), sync_mode="sync")
    assert texts[-1] == "the runner goes wrong, as asked: acomp.reqchain_state"
    texts = said(*chain(2, text="random"), *compress())
    assert "r1 is polled: failed, -E2BIG" in texts
    assert any(text.startswith("r1 has landed: its completion record is written, with status ") for text in texts)
    texts = said(*requests(), call("fault.at", "iaa.lost_completion", 1), *compress())
    assert texts[-2:] == [
        "the driver is disabled: r0 did not land on iax1 in time",
        "r0 is taken back from the device: there is no completion record",
    ]


def test_a_full_queue_is_said_with_what_came_of_it() -> None:
    texts = said(*chain(2), *compress(), wq_size=1)
    assert "r1 found no descriptor at first, and got one after 1 more try" in texts
    removed = [call("machine.unbind", "iax1", task="u"), call("machine.step", 9)]
    texts = said(*chain(2), *compress(task="t"), *removed, landing="stepped", wq_size=1)
    assert "no descriptor came free for r1 in 1 try: it is given up" in texts
    late = [call("time.advance", 10**9)]
    texts = said(*chain(2), *compress(task="t"), *late, landing="stepped", wq_size=1)
    assert any(re.fullmatch("no descriptor came free for r1 in [0-9]+ tries: it is given up", text) for text in texts)


@pytest.mark.parametrize("mode", ["sync", "async_irq"])
def test_what_ran_one_after_the_other_was_not_polled(mode: str) -> None:
    texts = said(*chain(3), *compress(), sync_mode=mode)
    assert "r1 has finished, 0" in texts and not any("polled" in text for text in texts)


def test_software_that_steps_in_is_said() -> None:
    texts = said(
        *requests(),
        call("acomp_request_set_params", ref("r0"), page("text"), buffer(), 4096, 4096),
        call("crypto_acomp_decompress", ref("r0"), as_="code"),
        call("crypto_wait_req", ref("code"), ref("wait")),
    )
    assert any(text.startswith("software decompresses r0: the device had -E") for text in texts)


def test_a_completion_function_that_raises_is_said() -> None:
    texts = said(
        *requests(),
        call("acomp_request_set_callback", ref("r0"), 0, DONE, 7),
        *compress(),
        sync_mode="async_irq",
        patches="base",
    )
    assert any(text.startswith("a completion function has raised ") for text in texts)


def test_the_vocabulary_has_the_tables_of_the_code() -> None:
    words = vocabulary()
    assert words.states.request == states.REQUEST and words.states.chain == states.CHAIN
    assert words.devices[:2] == ["iax1", "iax3"]
    compressed = next(one for one in words.calls if one.name == "crypto_wait_req")
    assert [(param.name, param.kind) for param in compressed.params] == [("code", "code"), ("wait", "wait")]
    assert compressed.waits and not compressed.own
    mode = next(one for one in words.machine if one.name == "sync_mode")
    assert (mode.default, mode.choices) == ("async", ["sync", "async", "async_irq"])
    assert all(choice in mode.what for choice in mode.choices or ())
    assert {key.name for key in words.machine} == set(Machine.model_fields)
    assert all(key.what.endswith(".") for key in words.machine)


@pytest.mark.parametrize("name", vocabulary().algorithms)
def test_every_algorithm_of_the_vocabulary_is_there(name: str) -> None:
    assert run(call("crypto_alloc_acomp", name, as_="tfm")).calls[0].error is None


def test_every_attribute_of_the_vocabulary_takes_its_texts() -> None:
    pairs = [(name, text) for name, texts in vocabulary().attributes.items() for text in texts]
    writes = [call("machine.attribute", *pair) for pair in pairs]
    answer = run(call("machine.unbind", "iax1"), *writes, patches=[3, 4, 5, 9])
    assert [found.error for found in answer.calls if found.error] == []


def test_the_shelf_is_in_reading_order_and_has_the_examples() -> None:
    names = list(SHELF)
    assert names[-13:] == list(EXAMPLES)
    assert names[:3] == ["one-page", "two-pages", "chain"]


def test_the_shelf_says_what_is_a_story_and_titles_are_told_apart() -> None:
    assert {name for name, one in SHELF.items() if one.shelf == "example"} == set(EXAMPLES)
    titles = [one.title for one in SHELF.values()]
    beginnings = [(one, other) for one in titles for other in titles if one != other and other.startswith(one)]
    assert (len(set(titles)), beginnings) == (len(titles), [])


def test_after_a_clear_a_wait_waits() -> None:
    run = shown("clear-rearms").run
    assert (run.left_over, [found.error for found in run.calls if found.error]) == ([], [])
    ended, at_once, _, again, cleared, waits, completed, joined = run.calls[-8:]
    assert (ended.value, at_once.value, again.value, joined.value) == (0, 0, 0, 0)
    waiting = [one.changed["wait"].model_dump()["done"] for one in (ended, at_once, again, cleared)]
    assert waiting == [True, False, True, False], "a clear does what a wait would have done"
    assert (waits.status, completed.status, run.tasks["t"].value) == ("started", "returned", 0)
