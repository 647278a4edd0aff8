"""What can be broken on /chain: each toggle has its consequence where the thing is, in words, and can be undone."""

import pytest

from .screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

ALL = [f"r{number}" for number in range(8)]
TOGGLES = {
    "page": ("[data-fault=page][data-request=r3]", "E2BIG", ["r3"]),
    "submit of the head": ("[data-fault=submit][data-request=r0]", "EIO", ALL),
    "submit of a member": ("[data-fault=submit][data-request=r3]", "EIO", ["r3"]),
    "completion": ("[data-fault=lost][data-request=r3]", "ETIMEDOUT", ["r3"]),
    "queue": ("[data-fault=queue]", None, []),
    "device": ("[data-fault=device]", "ENODEV", ALL),
    "cancel": ("[data-fault=cancel]", "ECANCELED", ALL),
}
SAID_AT_THE_DEVICE = {"completion": "the driver is disabled", "device": "taken away"}


@pytest.mark.parametrize("name", TOGGLES)
def test_a_toggle_has_its_consequence_in_place_and_is_undone(at_chain: Screen, name: str) -> None:
    selector, errno, failed = TOGGLES[name]
    page, former = at_chain.page, at_chain.script
    with at_chain.pictured():
        page.locator(selector).click()
    assert at_chain.script != former
    assert page.locator(selector).get_attribute("aria-pressed") == "true"
    chips = page.locator(".chip[data-status=failed]")
    assert chips.evaluate_all("all => all.map(({ dataset }) => dataset.request)") == failed
    for request in failed:
        row = page.locator(f"chain-view .rows li[data-request={request}]")
        told = row.locator(f".consequence[data-request={request}]")
        assert told.get_attribute("data-errno") == errno
        assert told.is_visible() and f"✗ -{errno}" in told.inner_text()
        assert row.locator(".end.failed").inner_text() == f"-{errno}"
        assert f"✗ -{errno}" in page.locator(f".chip[data-request={request}]").inner_text()
    if failed:
        first = page.locator(f"chain-view .rows .consequence[data-request={failed[0]}]").inner_text()
        assert "Whose: " in first and "Now: " in first
    assert page.locator(".gone:visible").count() == (name in SAID_AT_THE_DEVICE)
    if name in SAID_AT_THE_DEVICE:
        assert SAID_AT_THE_DEVICE[name] in page.locator(".gone").inner_text()
    with at_chain.pictured():
        page.locator(selector).click()
    assert at_chain.script == former
    assert page.locator(selector).get_attribute("aria-pressed") == "false"
    assert page.locator(".consequence").count() == 0


def test_who_finds_no_descriptor_is_told_at_its_row(at_chain: Screen) -> None:
    page = at_chain.page
    with at_chain.pictured():
        page.locator("[data-fault=queue]").click()
    assert at_chain.script["machine"]["wq_size"] == 2
    waited = page.locator("chain-view .rows .consequence.waited:visible")
    assert waited.evaluate_all("all => all.map(({ dataset }) => dataset.request)") == ALL[2:]
    assert "r2 found no descriptor at first" in waited.first.inner_text()
    with at_chain.pictured():
        page.locator("[data-fault=queue]").click()


def test_cancel_here_lets_as_many_jobs_land_as_had_landed_there(at_chain: Screen) -> None:
    landed = "view.steps.findIndex(({ kind }) => kind === 'iaa.landed') + 1"
    at_chain.go(at_chain.view(landed))
    with at_chain.pictured():
        at_chain.page.locator("[data-fault=cancel]").click()
    calls = at_chain.script["calls"]
    cancel = next(index for index, call in enumerate(calls) if call["call"] == "task.cancel")
    assert (calls[cancel - 1]["call"], calls[cancel - 1]["args"]) == ("machine.step", [1])
    assert calls[-2]["call"] == "requests_idle"
    assert at_chain.page.locator(".code .consequence[data-errno=CancelledError]").is_visible()
    with at_chain.pictured():
        at_chain.page.locator("[data-fault=cancel]").click()


def test_two_toggles_are_undone_in_any_order(at_chain: Screen) -> None:
    former = at_chain.script
    page, lost = "[data-fault=page][data-request=r1]", "[data-fault=lost][data-request=r5]"
    for selector in (page, lost, page, lost):
        with at_chain.pictured():
            at_chain.page.locator(selector).click()
    assert at_chain.script == former


def test_what_a_link_has_broken_can_be_mended(at_chain: Screen) -> None:
    link = "(await (await import('/static/link.js')).encoded(view.view.script))"
    former = at_chain.script
    for selector in ("[data-fault=device]", "[data-fault=submit][data-request=r2]"):
        with at_chain.pictured():
            at_chain.page.locator(selector).click()
        with at_chain.pictured():
            at_chain.view(f"void (location.hash = {link})")
        with at_chain.pictured():
            at_chain.page.locator(selector).click()
        assert at_chain.script == former


def test_a_consequence_is_not_told_before_it_has_happened(at_chain: Screen) -> None:
    selector = "[data-fault=page][data-request=r3]"
    with at_chain.pictured():
        at_chain.page.locator(selector).click()
    told = at_chain.page.locator("chain-view .rows .consequence[data-request=r3]")
    step = at_chain.view("view.steps.findLastIndex(({ event }) => event?.object === 'r3' && event.fields.err < 0)")
    at_chain.go(step)
    assert not told.is_visible()
    at_chain.page.get_by_role("button", name="one step forth").click()
    assert told.is_visible()
    with at_chain.pictured():
        at_chain.page.locator(selector).click()
