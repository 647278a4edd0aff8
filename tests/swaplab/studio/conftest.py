"""One server for all tests of the studio, and a browser for those of a module.

Playwright's synchronous interface keeps a loop running in this thread, which no coroutine test could bear: so the
browser ends with the module, and a module that has browser tests has no others.
"""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.swaplab.service.served import Served, serving

from .screen import FLAGS, Screen


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving() as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser: Any) -> Any:
    return browser.new_context()


@pytest.fixture(scope="module")
def one_screen(context: Any, served: Served) -> Screen:
    return Screen(context, served.url)


@pytest.fixture
def screen(one_screen: Screen) -> Iterator[Screen]:
    """A page that has not been anywhere; afterwards it has broken no rule."""
    one_screen.begin()
    yield one_screen
    one_screen.end()


@pytest.fixture(scope="module")
def chain_page(one_screen: Screen) -> Screen:
    one_screen.begin()
    one_screen.open("/chain")
    return one_screen


@pytest.fixture
def at_chain(chain_page: Screen) -> Iterator[Screen]:
    """/chain with its first chain. The page is loaded once for a module, which uses no `screen` then."""
    chain_page.view("view.load((await import('/static/server.js')).namedView('chain'))")
    chain_page.begin()
    yield chain_page
    chain_page.hold()
