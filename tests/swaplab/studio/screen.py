"""A page in a real browser, and what it has said and asked for: what every test of the studio holds it to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ELSEWHERE: Final = re.compile(r"^(?!http://127\.0\.0\.1:|blob:|data:)")
"""What no page of ours asks for. Such a request is not let out."""

WIDE: Final = {"width": 1280, "height": 900}
NARROW: Final = {"width": 390, "height": 844}
"""A desk and a phone."""

_REPORT_VIOLATIONS: Final = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  console.error(`Content-Security-Policy: ${violatedDirective} ${blockedURI}`));
"""
_PICTURED: Final = """(before) => new Promise((resolve, reject) => {
  const end = performance.now() + 20_000;
  const problem = () => document.querySelector(".problem:not([hidden])")?.textContent;
  const look = () => {
    if (performance.getEntriesByName("picture").length > before) resolve();
    else if (performance.now() > end) reject(new Error(`no new picture: ${problem()}`));
    else setTimeout(look, 5);
  };
  look();
})"""


class Screen:
    """`page` is playwright's, which is untyped here; `url` is the server's. `heard` is what went wrong in the page."""

    def __init__(self, context: Any, url: str) -> None:
        self.url = url
        self.heard: list[str] = []
        self.requests: list[Any] = []
        self._expected: list[str] = []
        context.add_init_script(_REPORT_VIOLATIONS)
        context.route(ELSEWHERE, lambda route: route.abort())
        self.page: Any = context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.heard.append(f"exception: {error}"))
        self.page.on("request", lambda request: self.requests.append(request))  # it wants to mark what it calls
        self.page.set_default_timeout(30_000)

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.heard.append(f"{message.type}: {message.text} {message.location['url']}")

    def expect(self, words: str) -> None:
        """A message of the console that belongs to what is tested, such as the status of a refusal."""
        self._expected.append(words)

    def begin(self) -> None:
        """As every test finds it."""
        self.heard.clear()
        self.requests.clear()
        self._expected.clear()
        self.page.set_viewport_size(WIDE)
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def end(self) -> None:
        """Nothing goes on, and nothing went wrong."""
        self.page.goto("about:blank")
        self.hold()

    def hold(self) -> None:
        """Nothing went wrong, and nothing was asked of anybody else."""
        unexpected = [text for text in self.heard if not any(words in text for words in self._expected)]
        self.heard.clear()  # else it would be said of the next test, too
        assert not unexpected, unexpected
        assert not [request.url for request in self.requests if ELSEWHERE.match(request.url)]

    def open(self, path: str) -> None:
        """Go to a page, and wait for its picture if it has one to begin with."""
        self.page.goto("about:blank")  # else another fragment of the same page would load nothing
        self.page.goto(self.url + path)
        if path != "/":
            self.page.evaluate(_PICTURED, 0)

    @contextmanager
    def pictured(self) -> Iterator[None]:
        """What is done in here gives another picture; it is there afterwards."""
        before = self.page.evaluate("performance.getEntriesByName('picture').length")
        yield
        self.page.evaluate(_PICTURED, before)

    def view(self, expression: str, argument: Any = None) -> Any:
        """Of the first view of the page, by the name `view`."""
        return self.page.evaluate(
            f"async (argument) => {{ const view = document.querySelector('chain-view'); return {expression}; }}",
            argument,
        )

    @property
    def script(self) -> Any:
        """What is shown."""
        return self.view("view.view.script")

    @property
    def at(self) -> int:
        """How many steps have happened."""
        return int(self.view("view.transport.at"))

    @property
    def said(self) -> str:
        """What the live region says."""
        return str(self.page.locator("chain-view .now").first.inner_text())

    def go(self, at: int) -> None:
        self.view("view.transport.go(argument)", at)
