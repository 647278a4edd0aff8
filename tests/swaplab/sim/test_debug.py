"""Debug mode, exceptions in callbacks, closing: as the stock loop has them."""

import asyncio
import gc
import logging
import time
import weakref
from typing import Any

import pytest

from swaplab import sim
from swaplab.sim.internals import Internals


def test_what_is_used_of_asyncio_is_there() -> None:
    loop = asyncio.SelectorEventLoop()
    assert [name for name in Internals.__annotations__ if not hasattr(loop, name)] == []
    loop.close()


@pytest.mark.parametrize("debug", [False, True])
def test_an_exception_in_a_callback_goes_to_the_handler_and_the_loop_goes_on(debug: bool) -> None:
    told: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        loop.call_soon(divmod, 1, 0)
        loop.call_later(1, divmod, 2, 0)
        await asyncio.sleep(2)

    sim.run(main(), debug=debug)
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError] * 2
    assert all("divmod" in context["message"] for context in told)
    assert ["source_traceback" in context for context in told] == [debug] * 2


def test_debug_mode_tells_where_a_handle_was_made() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, sim.VirtualLoop)
        for handle in (
            loop.call_soon(int),
            loop.call_soon_threadsafe(int),
            loop.call_later(1, int),
            loop.call_at(1, int),
            loop.call_at_ns(1, int),
        ):
            assert "created at" in repr(handle)
            assert __file__ in repr(handle)
            handle.cancel()
        task = loop.create_task(asyncio.sleep(0))
        assert f"created at {__file__}" in repr(task)
        await task

    sim.run(main(), debug=True)


def test_debug_mode_refuses_what_can_not_be_called() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TypeError, match="coroutines cannot be used with call_soon"):
            loop.call_soon(main)
        with pytest.raises(TypeError, match="a callable object was expected by call_at"):
            loop.call_later(1, 1)  # type: ignore[arg-type]

    sim.run(main(), debug=True)


def test_debug_mode_logs_what_holds_up_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert loop.slow_callback_duration == 0.1
        loop.slow_callback_duration = 0.0
        await sim.sleep_ns(1)
        await sim.sleep_ns(2)
        loop.slow_callback_duration = 3600
        loop.call_soon(int)
        await sim.sleep_ns(1)

    with caplog.at_level(logging.WARNING, "asyncio"):
        sim.run(main(), debug=True)
    step, sleep = (record.getMessage() for record in caplog.records)
    assert step.startswith("Executing <WatchedHandle")
    assert sleep.startswith("Executing <sleep of 1 ns> took 0.")


def test_debug_mode_can_be_switched_while_running() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        seen = []
        for enabled in (True, False):
            loop.set_debug(enabled)
            await sim.sleep_ns(1)
            assert loop.get_debug() is enabled
            seen.append(type(loop.call_soon(int)).__name__)
        return seen

    assert sim.run(main()) == ["WatchedHandle", "SoonHandle"]


@pytest.mark.parametrize("debug", [False, True])
def test_a_closed_loop_refuses(debug: bool) -> None:
    loop = sim.VirtualLoop()
    loop.set_debug(debug)
    loop.call_later(1, pytest.fail)
    loop.close()
    loop.set_debug(debug)
    assert loop.is_closed()
    assert loop.timers() == []
    sleep = asyncio.sleep(1)
    for ask in (
        lambda: loop.call_soon(print),
        lambda: loop.call_later(1, print),
        lambda: loop.call_at_ns(1, print),
        lambda: loop.run_in_executor(None, print),
        lambda: loop.create_task(sleep),
        loop.run_forever,
    ):
        with pytest.raises(RuntimeError, match="closed"):
            ask()
    sleep.close()


def test_a_loop_that_was_forgotten_warns() -> None:
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        sim.VirtualLoop()


@pytest.mark.parametrize("debug", [False, True])
def test_a_failed_task_is_not_kept_by_its_traceback(debug: bool) -> None:
    async def fail() -> None:
        await sim.sleep_ns(1)
        raise ValueError

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        task = asyncio.create_task(fail())
        gone = weakref.ref(task)
        del task
        await sim.sleep_ns(2)
        assert gone() is None

    gc.disable()
    try:
        sim.run(main(), debug=debug)
    finally:
        gc.enable()


def test_no_real_time_passes() -> None:
    before = time.monotonic()
    sim.run(asyncio.sleep(10**9))
    assert time.monotonic() - before < 10**8


def test_run_refuses_to_nest() -> None:
    async def main() -> None:
        inner = asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="running event loop"):
            sim.run(inner)
        inner.close()

    sim.run(main())
