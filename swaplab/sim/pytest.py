"""Tests in virtual time, for everybody's test-suite: `pytest -p swaplab.sim.pytest`.

A coroutine test marked `virtual_time` runs on a fresh virtual loop, so that an hour of `asyncio.sleep` takes no time:

    @pytest.mark.virtual_time
    async def test_the_cache_forgets_after_an_hour(): ...

With pytest-asyncio the marked test is one of its tests, coroutine fixtures included; without it, or where its strict
mode leaves the test alone, the coroutine is simply run. `virtual_time(max_events=N, max_time_ns=N)` bounds the test.
A marker that would have no effect, or another one than was meant, is an error of the test that says so.
"""

import asyncio
import inspect
import unittest
from collections.abc import Callable
from functools import partial

import pytest

from .loop import VirtualLoop
from .runner import run

LoopFactories = dict[str, Callable[[], asyncio.AbstractEventLoop]]

MARKER = "virtual_time(max_events=None, max_time_ns=None): run this coroutine test on a virtual loop (swaplab.sim)"
BOUNDS = ("max_events", "max_time_ns")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose marker cannot be followed, before there is a loop or a coroutine."""
    mark = item.get_closest_marker("virtual_time")
    fault = None if mark is None else _fault(item, mark)
    if fault is not None:
        pytest.fail(f"the marker virtual_time of {item.name}: {fault}", pytrace=False)


def _fault(item: pytest.Item, mark: pytest.Mark) -> str | None:
    """Why the test would not run as its marker says, and the remedy; None if it would.

    Among others a class or a module that is marked may have plain functions, which need no loop.
    """
    if mark.args:
        return f"its bounds have names; write max_events=N or max_time_ns=N, not {', '.join(map(repr, mark.args))}"
    for name, value in mark.kwargs.items():
        if name not in BOUNDS:
            return f"there is no bound {name}; there are {' and '.join(BOUNDS)}"
        if value is not None and (type(value) is not int or value < 1):
            return f"{name} is an integer above 0, or None for no bound, not {value!r}"
    function = getattr(item, "obj", None)
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    is_coroutine = inspect.iscoroutinefunction(function)
    if is_coroutine and issubclass(getattr(item, "cls", None) or object, unittest.TestCase):
        return "unittest runs coroutines on a loop of its own; make it a function, or a method of another class"
    if not is_coroutine and mark in item.own_markers:
        return "it is no coroutine function, so no loop runs it; make it async, or take the marker away"
    return None


@pytest.hookimpl(specname="pytest_asyncio_loop_factories", optionalhook=True, tryfirst=True)
def pytest_virtual_loop_for_marked_tests(item: pytest.Item) -> LoopFactories | None:
    """Give pytest-asyncio the virtual loop, and only that, for tests that are marked.

    (pytest looks for hooks among functions with its prefix only; `specname` says which hook this is.)
    """
    mark = item.get_closest_marker("virtual_time")
    return None if mark is None else {"virtual": partial(VirtualLoop, **mark.kwargs)}


@pytest.hookimpl(specname="pytest_asyncio_loop_factories", optionalhook=True, trylast=True)
def pytest_usual_loop_for_other_tests() -> LoopFactories:
    """Leave all other tests on the loop they would have had: pytest-asyncio insists on an answer."""
    return {"usual": asyncio.new_event_loop}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked coroutine function that nobody else has taken on."""
    mark = pyfuncitem.get_closest_marker("virtual_time")
    if mark is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}), **mark.kwargs)
    return True
