"""Tests in virtual time, for everybody's test-suite: `pytest -p swaplab.sim.pytest`.

A coroutine test marked `virtual_time` runs on a fresh virtual loop, so that an hour of `asyncio.sleep` takes no time:

    @pytest.mark.virtual_time
    async def test_the_cache_forgets_after_an_hour(): ...

With pytest-asyncio the marked test is one of its tests, coroutine fixtures included; without it, or where its strict
mode leaves the test alone, the coroutine is simply run. `virtual_time(max_events=N, max_time_ns=N)` bounds the test.
"""

import asyncio
import inspect
from collections.abc import Callable
from functools import partial

import pytest

from .loop import VirtualLoop
from .runner import run

LoopFactories = dict[str, Callable[[], asyncio.AbstractEventLoop]]

MARKER = "virtual_time(max_events=None, max_time_ns=None): run this coroutine test on a virtual loop (swaplab.sim)"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


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
