"""Tests in virtual time, for everybody's test-suite: `pytest -p swaplab.sim.pytest`.

A coroutine test marked `virtual_time` runs on a fresh virtual loop, so that an hour of `asyncio.sleep` takes no time:

    @pytest.mark.virtual_time
    async def test_the_cache_forgets_after_an_hour(): ...

With pytest-asyncio the marked test is one of its tests, coroutine fixtures included; without it, or where its strict
mode leaves the test alone, the coroutine is simply run, once per example with `@given` of hypothesis. Tests of one
`loop_scope` share their loop, and with it their fixtures and their time, where their options are equal.
`virtual_time(max_events=N, max_time_ns=N)` bounds the test (None: no bound). One that does not say otherwise may take
`virtual_time_max_events` of the ini file, by default 10 million, so that what spins ends with a name. With
`wall_clock=True` also `time.time` and its like tell virtual time, as `swaplab.sim.run` describes.
A marker that would have no effect, or another one than was meant, is an error of the test that says so.
"""

import asyncio
import inspect
import unittest
from collections.abc import Callable, Coroutine
from functools import cache, partial, wraps
from typing import Any

import pytest

from .loop import VirtualLoop
from .runner import run

LoopFactories = dict[str, Callable[[], asyncio.AbstractEventLoop]]

MARKER = (
    "virtual_time(max_events=..., max_time_ns=None, wall_clock=False): "
    "run this coroutine test on a virtual loop (swaplab.sim)"
)
BOUNDS = ("max_events", "max_time_ns")

MAX_EVENTS = "virtual_time_max_events"
MAX_EVENTS_DEFAULT = 10_000_000
"""Seconds of real time: more than tests take that end, and less than anybody waits for one that does not."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the default bound an option of the ini file."""
    text = f"events that a test marked virtual_time may take unless it says otherwise (default {MAX_EVENTS_DEFAULT})"
    parser.addini(MAX_EVENTS, text, default=str(MAX_EVENTS_DEFAULT))


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)
    if not _max_events(config):
        raise pytest.UsageError(f"{MAX_EVENTS} is an integer above 0, not {config.getini(MAX_EVENTS)!r}")


def _max_events(config: pytest.Config) -> int:
    """What the ini file says, or 0 if that is no bound."""
    said = str(config.getini(MAX_EVENTS)).replace("_", "")
    return int(said) if said.isdecimal() else 0


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
    fault = _fault_of_options(mark)
    if fault is not None:
        return fault
    function = getattr(item, "obj", None)
    is_coroutine = inspect.iscoroutinefunction(_inner(function) or function)
    if is_coroutine and issubclass(getattr(item, "cls", None) or object, unittest.TestCase):
        return "unittest runs coroutines on a loop of its own; make it a function, or a method of another class"
    if is_coroutine and "anyio_backend" in getattr(item, "fixturenames", ()):
        return (
            "the plugin of anyio runs it on a loop of its own; take the marker anyio away, or take this one away and "
            'let the fixture anyio_backend return ("asyncio", {"loop_factory": swaplab.sim.VirtualLoop})'
        )
    if not is_coroutine and mark in item.own_markers:
        return "it is no coroutine function, so no loop runs it; make it async, or take the marker away"
    return None


def _fault_of_options(mark: pytest.Mark) -> str | None:
    if mark.args:
        return f"its options have names; write max_events=N or max_time_ns=N, not {', '.join(map(repr, mark.args))}"
    for name, value in mark.kwargs.items():
        if name == "wall_clock":
            if type(value) is not bool:
                return f"wall_clock is True or False, not {value!r}"
        elif name not in BOUNDS:
            return f"there is no option {name}; there are {', '.join(BOUNDS)} and wall_clock"
        elif value is not None and (type(value) is not int or value < 1):
            return f"{name} is an integer above 0, or None for no bound, not {value!r}"
    return None


def _inner(function: object) -> Any:
    """The function that hypothesis calls for each example, if it is a test of hypothesis."""
    return getattr(getattr(function, "hypothesis", None), "inner_test", None)


def _options(item: pytest.Item, mark: pytest.Mark) -> dict[str, Any]:
    """What the loop of a marked test is made with; a marker with a fault, whose test fails, has no say in it."""
    said = {} if _fault_of_options(mark) else mark.kwargs
    return {"max_events": _max_events(item.config), **said}


@cache
def _factory(**options: Any) -> Callable[[], VirtualLoop]:
    """Make loops. Equal options give the same object, by which pytest-asyncio knows whom it may give the same loop."""
    return partial(VirtualLoop, **options)


@pytest.hookimpl(specname="pytest_asyncio_loop_factories", optionalhook=True, tryfirst=True)
def pytest_virtual_loop_for_marked_tests(item: pytest.Item) -> LoopFactories | None:
    """Give pytest-asyncio the virtual loop, and only that, for tests that are marked.

    (pytest looks for hooks among functions with its prefix only; `specname` says which hook this is.)
    """
    mark = item.get_closest_marker("virtual_time")
    return None if mark is None else {"virtual": _factory(**dict(sorted(_options(item, mark).items())))}


@pytest.hookimpl(specname="pytest_asyncio_loop_factories", optionalhook=True, trylast=True)
def pytest_usual_loop_for_other_tests() -> LoopFactories:
    """Leave all other tests on the loop they would have had: pytest-asyncio insists on an answer."""
    return {"usual": asyncio.new_event_loop}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked coroutine function that nobody else has taken on."""
    mark = pyfuncitem.get_closest_marker("virtual_time")
    if mark is None:
        return None
    in_virtual_time = partial(_synchronous, options=_options(pyfuncitem, mark))
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    inner = _inner(pyfuncitem.obj)
    if inspect.iscoroutinefunction(inner):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pyfuncitem.obj.hypothesis, "inner_test", in_virtual_time(inner))
            pyfuncitem.obj(**wanted)
    elif inspect.iscoroutinefunction(pyfuncitem.obj):
        in_virtual_time(pyfuncitem.obj)(**wanted)
    else:
        return None
    return True


def _synchronous(function: Callable[..., Coroutine[Any, Any, None]], options: dict[str, Any]) -> Callable[..., None]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        run(function(*args, **kwargs), **options)

    return call
