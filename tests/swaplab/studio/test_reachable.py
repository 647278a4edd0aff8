"""For everybody: at two widths, in both schemes, by a screen reader, where nothing may move."""

from collections.abc import Iterator
from typing import Any

import pytest

from .screen import NARROW, WIDE, Screen

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def way(screen: Screen) -> None:
    screen.open("/")
    for step, option in (("swap", "[data-right]"), ("member", ":not([data-right])")):
        screen.page.locator(f"#{step} li{option} button").first.click()
        screen.page.locator(f"#{step} .transport").wait_for()


def chain(screen: Screen) -> None:
    screen.open("/chain")
    for selector in ("[data-fault=submit][data-request=r3]", "[data-fault=lost][data-request=r5]"):
        with screen.pictured():
            screen.page.locator(selector).click()
    screen.page.locator("three-ways").scroll_into_view_if_needed()
    screen.page.locator("section.way").nth(2).wait_for()


def script(screen: Screen) -> None:
    screen.open("/script")
    for name in ("Machine", "Pages"):
        screen.page.get_by_role("heading", name=name).click()
    with screen.pictured():
        screen.page.locator("[data-exercise]").first.click()
    screen.page.locator("script-editor summary").nth(3).click()
    screen.page.locator("script-editor .form").wait_for()


PREPARED = {"/": way, "/chain": chain, "/script": script}
"""Each page with as much to be seen as there can be."""


@pytest.fixture(scope="module", params=PREPARED)
def rich(request: pytest.FixtureRequest, one_screen: Screen) -> Screen:
    one_screen.begin()
    PREPARED[request.param](one_screen)
    return one_screen


@pytest.fixture
def prepared(rich: Screen) -> Iterator[Screen]:
    """A page, loaded once for all of these tests."""
    yield rich
    rich.hold()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_axe_finds_nothing_serious(prepared: Screen, size: dict[str, int], scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    prepared.page.set_viewport_size(size)
    prepared.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    found: Any = Axe().run(prepared.page, options={"resultTypes": ["violations"]}).response
    assert found["passes"]
    serious = [
        (violation["id"], [node["target"] for node in violation["nodes"]][:3])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_a_phone_need_not_be_moved_sideways(prepared: Screen) -> None:
    prepared.page.set_viewport_size(NARROW)
    assert prepared.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_names_of_ids_are_used_once(prepared: Screen) -> None:
    ids = prepared.page.locator("[id]").evaluate_all("all => all.map(({ id }) => id)")
    assert len(ids) == len(set(ids))


def test_everything_that_can_be_pressed_has_a_name(prepared: Screen) -> None:
    nameless = prepared.page.locator("button, select, input").evaluate_all(
        """all => all.filter((one) => !(one.getAttribute("aria-label") || one.labels?.length
          || one.textContent.trim())).map((one) => one.outerHTML)"""
    )
    assert nameless == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_where_nothing_may(at_chain: Screen, motion: str) -> None:
    at_chain.page.emulate_media(reduced_motion=motion)
    step = "(view.transport.go(argument, true), document.getAnimations().length)"
    moved = [at_chain.view(step, at) for at in range(30, 70)]
    assert any(moved) == (motion == "no-preference")


def test_the_first_key_leads_past_the_navigation(at_chain: Screen) -> None:
    at_chain.page.reload()
    at_chain.page.locator(".chip").first.wait_for()
    at_chain.page.keyboard.press("Tab")
    assert at_chain.page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    assert at_chain.page.locator(".skip").bounding_box()["x"] >= 0
