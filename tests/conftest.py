"""The rules of the house for every test: all three event loops, and nothing may outlive a test.

A coroutine test needs no decorator; it runs once on each loop of ``LOOPS``, but on the virtual one only if it needs no
real thread (marker ``threads``). After it, its loop must be quiescent (I2 of docs/invariants.md): no task, no
timer (uvloop does not show its own), no thread, and no exception that only a log would have told.
``--loop NAME`` leaves the other loops out, for a quick answer while you work.
The stock loop runs in debug mode, which catches calls from foreign threads; a test marked ``slow`` is spared, as debug
mode costs ten times the time per event. ``test_loops`` holds these rules.
"""

import asyncio
import gc
import importlib.util
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from functools import partial
from typing import Any, NamedTuple

import hypothesis
import pytest
import uvloop
from pytest_asyncio import is_async_test

from swaplab.sim import VirtualLoop

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "stock": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
    # What spins does not get older in virtual time: the bound, seconds long, ends it and says what it was.
    "virtual": partial(VirtualLoop, max_events=3_000_000),
}


class Needs(NamedTuple):
    """What the tests of a marker drive, and what brings it."""

    programs: tuple[str, ...]
    packages: tuple[str, ...]
    remedy: str

    def missing(self) -> list[str]:
        """What is not here."""
        programs = [program for program in self.programs if shutil.which(program) is None]
        return programs + [package for package in self.packages if importlib.util.find_spec(package) is None]


# Without what it needs a marker's tests are skipped. The markers named in SWAPLAB_REQUIRE, a list with commas, must not
# be skipped, as in CI.
NEEDS: dict[str, Needs] = {
    "browser": Needs(
        ("chromium",),
        ("playwright", "axe_playwright_python"),
        "apt install chromium; .venv/bin/pip install -e '.[browser]'",
    ),
    "nbd": Needs(
        ("nbdcopy", "nbdinfo", "qemu-img", "fio", "openssl"),
        (),
        "apt install nbdkit libnbd-bin python3-libnbd qemu-utils fio openssl",
    ),
}

# Time for threads that were told to stop, on a busy machine; one that was not will still be there.
THREAD_GRACE_S = 10.0

# What a terminal, or a service that runs tests, says of itself: output would be narrower, coloured, or told twice. Some
# of it typer reads when it is imported, which is later; a test that wants one of them sets it.
for name in (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "PY_COLORS",
    "CI",
    "BUILD_NUMBER",
    "GITHUB_ACTIONS",
    "TTY_COMPATIBLE",
    "TERMINAL_WIDTH",
):
    os.environ.pop(name, None)

MADE = pytest.StashKey[list[pytest.Function]]()

# A shared machine makes single examples slow now and then. The parent keeps what hypothesis itself sets up for CI.
hypothesis.settings.register_profile("house", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("house")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("threads") is None:
        return LOOPS
    return {name: factory for name, factory in LOOPS.items() if name != "virtual"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--loop", choices=list(LOOPS), help="run async tests on this loop only; plain tests run as ever")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MADE] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Remember each async test as it is made, before -k, -m or a node id narrows the run."""
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if is_async_test(item):
            collector.config.stash[MADE].append(item)
    return made


def loop_of(item: pytest.Item) -> str | None:
    """The name of the loop that an async test was made for; None for a plain test."""
    if not (isinstance(item, pytest.Function) and is_async_test(item) and hasattr(item, "callspec")):
        return None
    values = item.callspec.params.values()
    return next((name for name, factory in LOOPS.items() if any(value is factory for value in values)), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--loop`` deselect, as -k would, what was made for other loops."""
    wanted = config.getoption("--loop")
    if wanted is not None:
        config.hook.pytest_deselected(items=[item for item in items if loop_of(item) not in (wanted, None)])
        items[:] = [item for item in items if loop_of(item) in (wanted, None)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, needs in NEEDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        missing = ", ".join(needs.missing())
        if missing and marker in os.environ.get("SWAPLAB_REQUIRE", "").split(","):
            pytest.fail(f"SWAPLAB_REQUIRE asks for {marker}, and there is no {missing}: {needs.remedy}")
        if missing:
            pytest.skip(f"there is no {missing} here: {needs.remedy}")


def pytest_collection_finish() -> None:
    """Thousands of collected items are no garbage: keep every later `gc.collect()` from looking through them."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def async_tests_made(request: pytest.FixtureRequest) -> dict[pytest.Function, str | None]:
    """Every async test that collection made, selected or not, with the name of its loop."""
    return {item: loop_of(item) for item in request.config.stash[MADE]}


@pytest.fixture(autouse=True)
def no_thread_outlives_the_test() -> Iterator[None]:
    """The outermost check: the loop is closed by now, and with it the loop's own executor."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + THREAD_GRACE_S
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = [thread for thread in left if thread.is_alive()]
    assert not left, f"threads outlived the test: {left}"


@pytest.fixture(autouse=True)
def nothing_outlives_the_test(request: pytest.FixtureRequest, no_thread_outlives_the_test: None) -> None:
    """Ask for the loop's check in async tests only; a plain test has no loop to be checked."""
    if is_async_test(request.node):
        request.getfixturevalue("quiescent_loop")


@pytest.fixture
async def quiescent_loop(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Set up before the test's own fixtures, hence checked after they are gone, and before the loop is closed."""
    loop = asyncio.get_running_loop()
    unseen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: unseen.append(context))
    if isinstance(loop, asyncio.SelectorEventLoop):  # on the others debug mode would only say the same again
        loop.set_debug(request.node.get_closest_marker("slow") is None)
    yield
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert not tasks, f"tasks outlived the test: {tasks}"
    known = loop.timers() if isinstance(loop, VirtualLoop) else getattr(loop, "_scheduled", ())
    timers = [timer for timer in known if not timer.cancelled()]
    assert not timers, f"timers outlived the test: {timers}"
    assert not unseen, f"exceptions that nobody awaited: {unseen}"
