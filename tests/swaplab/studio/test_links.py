"""What can be taken along: links and files. A link holds the whole script, and no request has it."""

import base64
import json
import random
import re
import zlib
from itertools import pairwise
from typing import Any

import pytest

from swaplab.story.shelf import example
from swaplab.story.validate import read_script

from .screen import Screen

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def encoded(script: Any) -> str:
    """A script as it stands in a link, by another hand."""
    packer = zlib.compressobj(wbits=-15)
    deflated = packer.compress(json.dumps(script).encode()) + packer.flush()
    return base64.urlsafe_b64encode(deflated).rstrip(b"=").decode()


def picture(screen: Screen, at: int) -> str:
    """The places at a step."""
    screen.go(at)
    return str(screen.view("view.querySelector('.places').outerHTML"))


def link_of(screen: Screen) -> str:
    """By the button."""
    screen.page.get_by_role("button", name="copy a link").click()
    screen.page.get_by_text(re.compile("^copied$|^it is in the address bar now$")).wait_for()
    return str(screen.page.evaluate("location.hash"))


@pytest.mark.parametrize("path", ["/chain", "/script"])
def test_a_link_reproduces_script_and_picture_and_is_not_sent(screen: Screen, path: str) -> None:
    screen.open("/chain")
    with screen.pictured():
        screen.page.locator("[data-fault=page][data-request=r2]").click()
    script, link = screen.script, link_of(screen)
    assert 100 < len(link) < 4096
    pictures = [picture(screen, at) for at in (40, 60)]
    screen.requests.clear()
    screen.open(path + link)
    assert screen.script == script
    if path == "/chain":
        assert [picture(screen, at) for at in (40, 60)] == pictures
        assert screen.page.locator("[data-fault=page][data-request=r2]").get_attribute("aria-pressed") == "true"
    assert screen.requests
    for request in screen.requests:
        told = [request.url, *request.all_headers().values()]
        assert not [text for text in told if link[1:40] in text or "#" in text]


def test_another_link_in_the_address_bar_is_opened(screen: Screen) -> None:
    screen.open("/chain")
    first = screen.script
    link = encoded({**first, "machine": {"engines_per_device": 8}})
    with screen.pictured():
        screen.page.evaluate("(link) => { location.hash = link; }", link)
    assert screen.script["machine"] == {"engines_per_device": 8}


LINK = encoded(json.loads(example("01_chain")))
DAMAGED = {
    "half of it": (LINK[: len(LINK) // 2], "The link holds no script"),
    "not even base64": ("%%%" + LINK, "The link holds no script"),
    "another letter": (LINK[:60] + ("A" if LINK[60] != "A" else "B") + LINK[61:], "The link holds no script"),
    "too long": ("A" * 5000, "The link is longer than 4096 characters"),
    "a number": (encoded(7), "a script is an object"),
}


@pytest.mark.parametrize("path", ["/chain", "/script"])
def test_below_a_damaged_link_there_is_a_page_that_works(screen: Screen, path: str) -> None:
    link, words = DAMAGED["half of it"]
    screen.open(f"{path}#{link}")
    problem = screen.page.locator("chain-view > .problem")
    problem.wait_for()
    assert words in problem.inner_text()
    assert problem.get_attribute("role") == "alert"
    assert screen.page.locator(".chip").count() == 8
    assert screen.page.locator(".stage[aria-busy]").count() == 0


def test_each_damage_is_an_error_in_words_and_the_picture_stays(screen: Screen) -> None:
    screen.expect("422")
    screen.open("/chain")
    script = screen.script
    for link, words in DAMAGED.values():
        screen.page.evaluate("(link) => { location.hash = link; }", link)
        screen.page.locator("chain-view > .problem").filter(has_text=words).wait_for()
        with screen.pictured():
            screen.view("view.edit((script) => script)")
        assert screen.page.locator("chain-view > .problem").is_hidden()
        assert screen.script == script


def test_a_script_that_is_too_long_for_a_link_is_to_be_downloaded(screen: Screen) -> None:
    screen.open("/chain")
    noise = {f"n{number}": {"text": random.Random(number).randbytes(120).hex()} for number in range(40)}
    with screen.pictured():
        screen.view("view.edit((script) => ({ ...script, pages: { ...script.pages, ...argument } }))", noise)
    screen.page.get_by_role("button", name="copy a link").click()
    screen.page.get_by_text("too long for a link; download it").wait_for()
    assert screen.page.evaluate("location.hash") == ""


def downloaded(screen: Screen, words: str) -> tuple[str, Any]:
    """The name of a file, and what it holds."""
    with screen.page.expect_download() as downloading:
        screen.page.get_by_role("button", name=words, exact=True).click()
    return downloading.value.suggested_filename, json.loads(downloading.value.path().read_text())


def test_the_script_is_downloaded_as_it_can_be_run(screen: Screen) -> None:
    screen.open("/chain")
    name, script = downloaded(screen, "script")
    assert (name, script) == ("script.json", screen.script)
    assert read_script(json.dumps(script).encode()).document == script


def test_the_answer_is_downloaded(screen: Screen) -> None:
    screen.open("/script")
    name, answer = downloaded(screen, "answer")
    assert (name, answer["schema"]) == ("answer.json", "swaplab.script-run/1")
    assert answer == screen.view("view.view.run")


def test_the_trace_events_are_of_the_trace_event_format(screen: Screen) -> None:
    screen.open("/chain")
    name, trace = downloaded(screen, "trace events")
    assert name == "trace-events.json"
    events = trace["traceEvents"]
    threads = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert sorted(threads.values()) == [f"r{number}" for number in range(8)]
    slices = [event for event in events if event["ph"] == "X"]
    assert {event["name"] for event in slices} == {"submitted", "queued", "engine", "landed"}
    assert len(slices) == 32
    for tid in threads:
        own = sorted((event["ts"], event["dur"]) for event in slices if event["tid"] == tid)
        assert all(dur > 0 for _, dur in own)
        assert all(begin + dur <= then for (begin, dur), (then, _) in pairwise(own))
    assert {event["name"] for event in events if event["ph"] == "i"} == {"complete", "poll.empty"}
    assert all(isinstance(event["ts"], int) and event["pid"] == 1 for event in events if event["ph"] != "M")
