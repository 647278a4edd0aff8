"""/: fourteen questions. Whoever has answered one sees the run that shows it."""

import re
from importlib import resources

import pytest

from swaplab.story.shelf import SHELF

from .screen import Screen

HTML = (resources.files("swaplab.studio") / "pages" / "way.html").read_text()
QUESTIONS = re.findall(r'<section class="step" id="(\w+)">(?:(?!</section>).)*<ask-first', HTML, re.DOTALL)


def test_every_view_that_is_named_is_on_the_shelf() -> None:
    named = re.findall(r'<ask-first view="([^"]+)"', HTML)
    assert len(named) == len(QUESTIONS) == 14
    assert {name for names in named for name in names.split()} <= set(SHELF)


def test_every_question_has_one_right_answer_among_several() -> None:
    for asked in re.findall(r"<ask-first.*?</ask-first>", HTML, re.DOTALL):
        assert asked.count("data-right") == 1
        assert asked.count("<li") >= 2
        assert asked.count('class="answer"') == 1


@pytest.fixture(scope="module")
def way_page(one_screen: Screen) -> Screen:
    one_screen.begin()
    one_screen.open("/")
    return one_screen


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("name", QUESTIONS)
def test_answering_reveals_the_answer_and_runs_what_shows_it(way_page: Screen, name: str) -> None:
    step = way_page.page.locator(f"#{name}")
    answer, options = step.locator(".answer"), step.locator("ask-first ul button")
    assert answer.is_hidden()
    assert step.locator("chain-view").count() == 0, "whoever has not guessed sees nothing"
    wrong = QUESTIONS.index(name) % 2 == 1
    chosen = step.locator(f"li:{'not([data-right])' if wrong else 'is([data-right])'} button").first
    chosen.click()
    assert answer.is_visible()
    assert step.locator("ask-first > .verdict").inner_text().startswith("Not so" if wrong else "Yes")
    assert options.evaluate_all("all => all.map((one) => one.getAttribute('aria-pressed'))").count("true") == 1
    assert step.locator("li.right").count() == 1
    assert step.locator("li.wrong").count() == int(wrong)
    views = step.locator("chain-view")
    for index in range(views.count()):
        view = views.nth(index)
        view.locator(".transport").wait_for()
        assert view.evaluate("view => view.transport.at === view.steps.length"), "nothing may move by itself here"
        assert view.locator(".problem").is_hidden()
    assert views.count() == len(step.locator("ask-first").get_attribute("view").split())
    step.locator("li[data-right] button").click()
    assert step.locator("ask-first > .verdict").inner_text().startswith("Yes"), "others may be tried"
    assert views.count() == len(step.locator("ask-first").get_attribute("view").split())
    way_page.hold()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_where_things_may_move_the_run_plays(way_page: Screen) -> None:
    way_page.page.emulate_media(reduced_motion="no-preference")
    way_page.open("/")
    way_page.page.locator("#swap li[data-right] button").click()
    way_page.page.locator("#swap").get_by_role("button", name="pause").wait_for()
    way_page.end()
