"""/chain: one run, step by step, and the same pages in three ways."""

import re
from typing import Any

import pytest

from tests.swaplab.service.served import Served

from .screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def option(screen: Screen, label: str) -> Any:
    """A menu above the view, by the first words of its label."""
    return screen.page.locator(".controls label").filter(has_text=re.compile(f"^{label} ")).locator("select")


def test_the_picture_begins_where_the_work_begins(at_chain: Screen) -> None:
    assert at_chain.page.locator(".chip").count() == 8
    assert at_chain.page.locator("chain-view .rows > ol > li").count() == 8
    assert at_chain.page.locator(".chip[data-place=cpu]").count() == 8
    before = at_chain.view("[view.transport.at, view.steps[view.transport.at].kind]")
    assert before[0] > 0 and before[1] == "submit"


def test_buttons_go_forth_and_back(at_chain: Screen) -> None:
    page, begin = at_chain.page, at_chain.at
    chip = page.locator(".chip[data-request=r0]")
    page.get_by_role("button", name="one step forth").click()
    assert (at_chain.at, chip.get_attribute("data-place")) == (begin + 1, "asking")
    page.get_by_role("button", name="one step forth").click()
    assert (at_chain.at, chip.get_attribute("data-place")) == (begin + 2, "queue")
    page.get_by_role("button", name="one step back").click()
    page.get_by_role("button", name="one step back").click()
    assert (at_chain.at, chip.get_attribute("data-place")) == (begin, "cpu")
    page.get_by_role("button", name="to the end").click()
    assert at_chain.at == at_chain.view("view.steps.length")
    assert page.locator(".chip[data-status=ok][data-place=done]").count() == 8
    page.get_by_role("button", name="to the beginning").click()
    assert (at_chain.at, page.locator(".chip").count()) == (0, 0)


def test_keys_go_by_step_by_call_and_to_the_ends(at_chain: Screen) -> None:
    page, begin, end = at_chain.page, at_chain.at, at_chain.view("view.steps.length")
    page.locator(".code").focus()
    page.keyboard.press("ArrowRight")
    assert at_chain.at == begin + 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert at_chain.at == begin - 1
    call = "view.steps[view.transport.at - 1].call"
    page.keyboard.press("Home")
    for number in range(3):
        page.keyboard.press("Shift+ArrowRight")
        assert at_chain.view(call) == number
    page.keyboard.press("Shift+ArrowLeft")
    assert at_chain.view(call) == 1
    page.keyboard.press("End")
    assert at_chain.at == end
    page.keyboard.press("ArrowRight")
    assert at_chain.at == end
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert at_chain.at == 0


def test_space_plays_and_pauses(at_chain: Screen) -> None:
    page, begin = at_chain.page, at_chain.at
    page.locator(".code").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="pause").wait_for()
    page.evaluate(
        "(at) => new Promise((done) => document.querySelector('chain-view')"
        ".addEventListener('stepped', ({ detail }) => detail.at > at && done()))",
        begin + 1,
    )
    page.keyboard.press("Space")
    assert page.get_by_role("button", name="play").is_visible()
    assert begin + 2 <= at_chain.at < at_chain.view("view.steps.length")


def test_a_play_ends_by_itself_and_begins_anew(at_chain: Screen) -> None:
    at_chain.go(at_chain.view("view.steps.length") - 1)
    at_chain.page.get_by_role("button", name="play").click()
    at_chain.page.get_by_role("button", name="pause").wait_for(state="detached")
    assert at_chain.at == at_chain.view("view.steps.length")
    at_chain.page.get_by_role("button", name="play").click()
    assert at_chain.at <= 1
    at_chain.page.get_by_role("button", name="one step forth").click()
    assert at_chain.page.get_by_role("button", name="play").is_visible(), "who steps has stopped the play"


def test_the_slider_goes_anywhere(at_chain: Screen) -> None:
    slider = at_chain.page.locator("chain-view").get_by_role("slider")
    slider.fill("33")
    assert at_chain.at == 33
    slider.focus()
    at_chain.page.keyboard.press("ArrowRight")
    assert at_chain.at == 34
    assert slider.get_attribute("aria-valuetext") == at_chain.said


def test_the_lit_line_and_the_live_region_belong_to_the_step(at_chain: Screen) -> None:
    wrong = at_chain.view(
        """view.steps.flatMap((step, index) => {
          view.transport.go(index + 1);
          const lit = [...view.querySelectorAll("[aria-current=step]")].map(({ dataset }) => Number(dataset.call));
          const said = view.querySelector("[role=status][aria-live=polite]").textContent;
          const wanted = step.call === null ? [] : [step.call];
          return String(lit) === String(wanted) && said === step.said && said !== "" ? [] : [[index, lit, said]];
        })"""
    )
    assert wrong == []


def test_an_empty_poll_leaves_a_tick_and_a_chip_says_its_state_in_words(at_chain: Screen) -> None:
    at_chain.go(at_chain.view("view.steps.findIndex(({ kind }) => kind === 'poll.empty') + 1"))
    polled = at_chain.page.locator(".chip:has(.ticks i)")
    assert polled.count() == 1
    assert "1 empty poll" in polled.text_content()
    assert "head of a chain" in at_chain.page.locator(".chip[data-request=r0]").text_content()
    assert "chained to r0" in at_chain.page.locator(".chip[data-request=r1]").text_content()
    colours = at_chain.page.locator(".chip").evaluate_all("all => all.map(({ dataset }) => dataset.chain)")
    assert colours == ["0"] * 8


def test_three_ways_are_aligned_by_call_and_have_the_servers_figures(at_chain: Screen, served: Served) -> None:
    ways = at_chain.page.locator("three-ways")
    ways.scroll_into_view_if_needed()
    ways.locator("section.way").nth(2).wait_for()
    for index, name in enumerate(("chain-sync", "chain", "chain-unit")):
        figures = served.client.get(f"/v1/views/{name}").json()["figures"]
        shown = ways.locator("section.way").nth(index).locator(".figures b").all_inner_texts()
        busy = f"{figures['engines_busy']:.1f}"
        assert shown == [str(figures["submits"]), str(figures["rounds"]), busy, str(figures["turns"])]
    begins = ways.evaluate(
        """async (element) => {
          const { aligned, columnsOf } = await import("/static/columns.js");
          const { History } = await import("/static/fold.js");
          const { namedView } = await import("/static/server.js");
          const { stepsOf } = await import("/static/log.js");
          const names = element.getAttribute("names").split(" ");
          const views = await Promise.all(names.map(namedView));
          const all = views.map((view) => columnsOf(new History(view, stepsOf(view))));
          const { places } = aligned(all);
          return all.map((columns, index) => Object.fromEntries(columns.map(({ call }, at) => [call, places[index][at]])
            .reverse()));
        }"""
    )
    for call in set(begins[0]) | set(begins[1]) | set(begins[2]):
        assert len({one[call] for one in begins if call in one}) == 1, call
    widths = ways.locator("svg").evaluate_all("all => all.map((svg) => svg.getAttribute('width'))")
    assert len(widths) == 24 and len(set(widths)) == 1


@pytest.mark.parametrize("story", ["one-page", "two-pages", "four-devices", "chain-array", "chain-unit"])
def test_each_story_that_is_offered_is_shown(at_chain: Screen, served: Served, story: str) -> None:
    with at_chain.pictured():
        option(at_chain, "What").select_option(story)
    assert at_chain.script == served.client.get(f"/v1/views/{story}").json()["script"]


@pytest.mark.parametrize(
    ("label", "value", "machine"),
    [
        ("sync_mode", "sync", {"sync_mode": "sync"}),
        ("sync_mode", "async_irq", {"sync_mode": "async_irq"}),
        ("devices", "4", {"devices": 4, "g_wqs_per_iaa": 1, "wqs_per_device": 2}),
        ("engines each", "8", {"engines_per_device": 8}),
    ],
)
def test_an_option_changes_the_machine_and_runs_again(
    at_chain: Screen, label: str, value: str, machine: dict[str, object]
) -> None:
    with at_chain.pictured():
        option(at_chain, label).select_option(value)
    assert machine.items() <= at_chain.script["machine"].items()
    assert option(at_chain, label).input_value() == value
    assert at_chain.page.locator(".device").count() == machine.get("devices", 1)
    assert at_chain.page.locator("chain-view > .problem").is_hidden()
