"""Who may, what comes from strangers, and a server that is gone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.swaplab.service.served import Served, serving, token_file

from .screen import Screen
from .test_links import encoded

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

TOKEN = "t" * 32
MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving("--token-file", str(token_file(tmp_path_factory.mktemp("token"), TOKEN))) as one:
        yield one


@pytest.fixture
def guarded_screen(context: Any, guarded: Served) -> Iterator[Screen]:
    screen = Screen(context, guarded.url)
    screen.begin()
    screen.expect("401")
    yield screen
    screen.end()
    screen.page.close()


@pytest.mark.parametrize("path", ["/chain", "/script"])
def test_a_token_is_asked_for_once_and_not_kept(guarded_screen: Screen, path: str) -> None:
    page = guarded_screen.page
    page.goto(guarded_screen.url + path)
    page.get_by_role("dialog").wait_for()
    assert page.get_by_role("heading", level=1).is_visible(), "the page itself needs none"
    page.get_by_label("Token", exact=True).fill(TOKEN)
    with guarded_screen.pictured():
        page.get_by_role("button", name="Go on").click()
    assert page.get_by_role("dialog").count() == 0
    with guarded_screen.pictured():
        guarded_screen.view("view.edit((script) => script)")
    assert page.locator(".chip").count() == 8
    kept = page.evaluate(
        "[document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), location.href]"
    )
    assert not [text for text in kept if TOKEN in text]
    assert not [request.url for request in guarded_screen.requests if TOKEN in request.url]
    page.reload()
    page.get_by_role("dialog").wait_for()


def test_a_wrong_token_is_asked_for_again_in_words(guarded_screen: Screen) -> None:
    page = guarded_screen.page
    page.goto(guarded_screen.url + "/chain")
    page.get_by_label("Token", exact=True).fill("u" * 32)
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("That was not its token").wait_for()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").is_visible(), "there is nothing to be seen without it"
    page.get_by_label("Token", exact=True).fill(TOKEN)
    with guarded_screen.pictured():
        page.get_by_role("button", name="Go on").click()
    assert page.get_by_role("dialog").count() == 0


def test_a_server_that_is_gone_is_told_in_words_and_the_picture_stays(context: Any) -> None:
    with serving() as one:
        screen = Screen(context, one.url)
        screen.begin()
        screen.expect("ERR_CONNECTION_REFUSED")
        screen.open("/chain")
        one.kill()
        screen.view("view.edit((script) => script)")
        told = screen.page.locator("chain-view > .problem").inner_text()
        assert told == "The server does not answer. Start it again with: swaplab serve."
        assert screen.page.locator(".chip").count() == 8
        screen.go(40)
        assert screen.at == 40
        screen.end()
        screen.page.close()


class TestStrangersText:
    def nothing_was_run(self, screen: Screen) -> None:
        assert "studio" in screen.page.title()
        assert screen.page.locator("img, main script").count() == 0

    @pytest.mark.parametrize("path", ["/chain", "/script"])
    def test_a_page_with_markup_in_it_is_text(self, screen: Screen, path: str) -> None:
        screen.open("/chain")
        script = screen.script
        script["pages"]["p0"] = {"text": MARKUP}
        screen.open(f"{path}#{encoded(script)}")
        assert screen.script["pages"]["p0"]["text"] == MARKUP
        if path == "/script":
            screen.page.get_by_role("heading", name="Pages").click()
            assert screen.page.get_by_label("page p0", exact=True).input_value() == MARKUP
        self.nothing_was_run(screen)

    def test_markup_as_an_argument_and_a_page_name_is_text(self, screen: Screen) -> None:
        screen.expect("422")
        said = []
        for calls in (
            [{"call": "crypto_alloc_acomp", "args": [MARKUP], "as": "tfm"}],
            [{"call": MARKUP, "args": []}],
            [{"call": "crypto_alloc_acomp", "args": ["zstd"], "as": MARKUP}],
        ):
            script = {"schema": "swaplab.script/1", "pages": {}, "calls": calls}
            screen.open(f"/script#{encoded(script)}")
            said.append(screen.page.locator("main").inner_text())
            self.nothing_was_run(screen)
        assert any("<img src=x" in text for text in said)


def test_what_gets_into_a_page_all_the_same_is_not_run(screen: Screen) -> None:
    """The Content-Security-Policy is the second line: this test is what the first one keeps out."""
    screen.expect("Content-Security-Policy")
    screen.expect("Content Security Policy")
    screen.open("/chain")
    screen.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'run'";
          document.body.append(script);
          document.body.setAttribute("style", "display: none");
        }"""
    )
    screen.page.evaluate("fetch('https://elsewhere.invalid/').catch(() => {})")
    assert screen.page.title() == "One chain - swaplab studio"
    assert screen.page.locator("h1").is_visible()
    directives = {text.split()[2] for text in screen.heard if text.startswith("error: Content-Security-Policy: ")}
    assert directives == {"script-src-elem", "style-src-attr", "connect-src"}
