"""/script: examples, the editor, errors with their remedies, exercises, states."""

from collections.abc import Iterator
from typing import Any

import pytest

from acomp import states
from swaplab.story.exercises import exercises
from swaplab.story.shelf import SHELF
from tests.swaplab.service.served import Served

from .screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

EXERCISES = {exercise.name: exercise for exercise in exercises()}


@pytest.fixture(scope="module")
def script_page(one_screen: Screen) -> Screen:
    one_screen.begin()
    one_screen.open("/script")
    return one_screen


@pytest.fixture
def at_script(script_page: Screen) -> Iterator[Screen]:
    """/script with its first example. The page is loaded once for the module."""
    script_page.begin()
    with script_page.pictured():
        script_page.page.get_by_label("examples").select_option("01_chain")
    yield script_page
    script_page.hold()


def item(screen: Screen, index: int) -> Any:
    """A call of the editor."""
    return screen.page.locator(f"script-editor li[data-call='{index}']")


def opened(screen: Screen, index: int) -> Any:
    """A call, with its menus."""
    call = item(screen, index)
    if call.locator("details").get_attribute("open") is None:
        call.locator("summary").click()
    return call


def names(script: Any) -> list[str]:
    return [call["call"] for call in script["calls"]]


def test_every_script_of_the_shelf_can_be_begun_with(at_script: Screen, served: Served) -> None:
    options = at_script.page.get_by_label("examples").locator("option")
    assert options.evaluate_all("all => all.map(({ value }) => value)") == list(SHELF)
    for name in ("09_two_chains_on_one_device", "store-rejects"):
        with at_script.pictured():
            at_script.page.get_by_label("examples").select_option(name)
        view = served.client.get(f"/v1/views/{name}").json()
        assert at_script.script == view["script"]
        spelled = at_script.page.locator("script-editor summary code").all_inner_texts()
        assert spelled == [call["spelled"] for call in view["calls"]]


def test_an_argument_is_changed_by_a_menu_and_a_number_in_its_field(at_script: Screen) -> None:
    index = names(at_script.script).index("acomp_request_set_params")
    call = opened(at_script, index)
    with at_script.pictured():
        call.get_by_label("src", exact=True).select_option("p3")
    assert at_script.script["calls"][index]["args"][1] == {"page": "p3"}
    with at_script.pictured():
        call.get_by_label("dlen, value").fill("16")
        call.get_by_label("dlen, value").press("Enter")
    assert at_script.script["calls"][index]["args"][4] == 16
    with at_script.pictured():
        call.get_by_label("dst", exact=True).select_option("None")
    assert at_script.script["calls"][index]["args"][2] is None


def test_another_call_comes_with_arguments_that_fit(at_script: Screen) -> None:
    last = len(at_script.script["calls"]) - 1
    with at_script.pictured():
        opened(at_script, last).get_by_label("call", exact=True).select_option("acomp_request_err")
    assert at_script.script["calls"][last]["call"] == "acomp_request_err"
    assert at_script.script["calls"][last]["args"] == [{"ref": "r7"}]
    assert item(at_script, last).locator("details").get_attribute("open") is not None, "it stays open"


def test_calls_are_inserted_moved_deleted_and_all_of_it_is_undone(at_script: Screen) -> None:
    begin = at_script.script
    calls = names(begin)
    with at_script.pictured():
        opened(at_script, 3).get_by_role("button", name="insert after call 3").click()
    assert names(at_script.script) == [*calls[:4], "crypto_wait_req", *calls[4:]]
    with at_script.pictured():
        opened(at_script, 4).get_by_role("button", name="move up call 4").click()
    assert names(at_script.script) == [*calls[:3], "crypto_wait_req", *calls[3:]]
    with at_script.pictured():
        opened(at_script, 3).get_by_role("button", name="move down call 3").click()
    with at_script.pictured():
        opened(at_script, 4).get_by_role("button", name="delete call 4").click()
    assert at_script.script == begin
    with at_script.pictured():
        at_script.page.get_by_role("button", name="+ a call").click()
    assert names(at_script.script) == [*calls, "crypto_wait_req"]
    for _ in range(5):
        with at_script.pictured():
            at_script.page.get_by_role("button", name="undo").click()
    assert at_script.script == begin


def test_a_result_gets_a_name_and_a_call_that_waits_becomes_a_task(at_script: Screen) -> None:
    index = names(at_script.script).index("crypto_wait_req")
    with at_script.pictured():
        field = opened(at_script, index).get_by_label("name of the result")
        field.fill("done")
        field.press("Enter")
    assert at_script.script["calls"][index]["as"] == "done"
    with at_script.pictured():
        opened(at_script, index).get_by_label("as a task of its own").check()
    call = at_script.script["calls"][index]
    assert call["task"] == "done" and "as" not in call


def test_an_error_stands_under_its_call_with_the_remedy(at_script: Screen) -> None:
    calls = names(at_script.script)
    index = calls.index("crypto_acomp_compress")
    with at_script.pictured():
        opened(at_script, index).get_by_role("button", name=f"insert after call {index}").click()
    with at_script.pictured():
        opened(at_script, index + 1).get_by_label("call", exact=True).select_option("acomp_request_free")
    told = item(at_script, index + 1).locator(".consequence")
    assert told.get_attribute("data-errno") == "EBUSY"
    assert "Whose: " in told.inner_text() and "Now: " in told.inner_text()
    assert "RequestBusyError" in item(at_script, index + 1).locator(".error").inner_text()


def test_a_script_that_cannot_be_run_is_refused_in_words_and_stays_to_be_mended(at_script: Screen) -> None:
    at_script.expect("422")
    begin = at_script.script
    alloc = names(begin).index("acomp_request_alloc")
    field = opened(at_script, alloc).get_by_label("name of the result")
    field.fill("tfm")
    field.press("Enter")
    problem = at_script.page.locator("chain-view > .problem")
    problem.wait_for()
    assert problem.get_attribute("role") == "alert"
    assert "tfm" in problem.inner_text()
    assert opened(at_script, alloc).get_by_label("name of the result").input_value() == "tfm"
    with at_script.pictured():
        at_script.page.get_by_role("button", name="undo").click()
    assert problem.is_hidden()
    assert at_script.script == begin


def test_the_machine_and_the_pages_are_chosen_too(at_script: Screen) -> None:
    page = at_script.page
    for summary in ("Machine", "Pages"):
        if page.locator("details").filter(has=page.get_by_role("heading", name=summary)).get_attribute("open") is None:
            page.get_by_role("heading", name=summary).click()
    with at_script.pictured():
        page.locator("#machine label").filter(has_text="sync_mode").locator("select").select_option("sync")
    assert at_script.script["machine"]["sync_mode"] == "sync"
    with at_script.pictured():
        page.get_by_label("what page p0 is made of").select_option("random")
    assert set(at_script.script["pages"]["p0"]) == {"random"}
    former = set(at_script.script["pages"])
    with at_script.pictured():
        page.get_by_role("button", name="+ a page").click()
    (new,) = set(at_script.script["pages"]) - former
    with at_script.pictured():
        page.get_by_role("button", name=f"delete page {new}").click()
    assert set(at_script.script["pages"]) == former


def test_the_diagrams_are_those_of_the_code_and_light_the_current_states(at_script: Screen) -> None:
    diagrams = at_script.page.locator("svg.states")
    for diagram, table in ((diagrams.nth(0), states.REQUEST), (diagrams.nth(1), states.CHAIN)):
        drawn = diagram.locator(".state").evaluate_all("all => all.map(({ dataset }) => dataset.state)")
        assert drawn == list(table)
    lit = "() => [...document.querySelectorAll('.state.lit')].map(({ dataset }) => dataset.state)"
    at_script.go(at_script.view("view.steps.findIndex(({ kind }) => kind === 'poll.empty') + 1"))
    assert at_script.page.evaluate(lit) == ["in_flight", "running"]
    assert "r0 is in flight" in diagrams.nth(0).get_attribute("aria-label")
    at_script.go(0)
    assert at_script.page.evaluate(lit) == []
    assert "there are none" in diagrams.nth(0).get_attribute("aria-label")
    at_script.go(at_script.view("view.steps.length"))
    assert at_script.page.evaluate(lit) == ["idle", "single"]


def test_stepping_lights_the_call_in_the_editor(at_script: Screen) -> None:
    at_script.go(at_script.view("view.steps.findIndex(({ kind }) => kind === 'poll.empty') + 1"))
    (lit,) = at_script.page.locator("script-editor [aria-current=step]").all()
    assert "crypto_wait_req" in lit.inner_text()


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_begins_unsolved_and_its_answer_solves_it(at_script: Screen, name: str) -> None:
    page, exercise = at_script.page, EXERCISES[name]
    with at_script.pictured():
        page.locator(f"[data-exercise={name}]").click()
    assert page.locator(".exercises .goal").inner_text() == exercise.goal
    verdict = page.locator(".exercises .verdict")
    assert verdict.inner_text() == "Not yet."
    assert at_script.script == exercise.start
    assert not page.get_by_text(exercise.hint).is_visible()
    page.get_by_role("button", name="a hint").click()
    assert page.get_by_text(exercise.hint).is_visible()
    with at_script.pictured():
        page.get_by_role("button", name="an answer").click()
    assert at_script.script == exercise.answer
    assert "Done" in verdict.inner_text()
