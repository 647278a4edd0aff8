"""Work for threads is done inline, at the call; its result comes through the loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from swaplab import sim


def test_it_runs_at_the_call_and_answers_later() -> None:
    log: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(None, log.append, "done")
        assert log == ["done"]
        assert not future.done()
        loop.call_soon(log.append, "others run before")
        await future
        log.append("answered")
        assert loop.time() == 0

    sim.run(main())
    assert log == ["done", "others run before", "answered"]


@pytest.mark.parametrize("executor", [None, "own"])
def test_no_thread_is_used(executor: str | None) -> None:
    async def main() -> int:
        pool = ThreadPoolExecutor(1) if executor else None
        return await asyncio.get_running_loop().run_in_executor(pool, threading.get_ident)

    assert sim.run(main()) == threading.get_ident()


def test_to_thread_and_errors() -> None:
    async def main() -> str:
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        return await asyncio.to_thread("-".join, ["a", "b"])

    assert sim.run(main()) == "a-b"


def test_there_is_no_running_loop_inside() -> None:
    async def inner() -> str:
        await asyncio.sleep(0)
        return "ran"

    def work() -> str:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return sim.run(inner())

    async def main() -> str:
        result = await asyncio.to_thread(work)
        assert isinstance(asyncio.get_running_loop(), sim.VirtualLoop)
        return result

    assert sim.run(main()) == "ran"


def test_nobody_may_want_the_result_any_more() -> None:
    async def main() -> None:
        asyncio.get_running_loop().run_in_executor(None, print).cancel()
        await asyncio.sleep(1)

    sim.run(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_whatever_the_function_raises_goes_into_the_future(kind: type[BaseException]) -> None:
    """As with a pool: it is told to whoever awaits the result, and to nobody earlier."""
    log: list[str] = []

    def work() -> None:
        raise kind("of the function")

    async def main() -> None:
        future = asyncio.get_running_loop().run_in_executor(None, work)
        log.append("went on")
        with pytest.raises(kind, match="of the function"):
            await future
        log.append("told")

    sim.run(main())
    assert log == ["went on", "told"]


def test_an_interrupt_that_nobody_catches_ends_the_run() -> None:
    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sim.run(asyncio.to_thread(work))


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


def test_the_function_has_a_context_of_its_own() -> None:
    """A thread of a pool knows nothing of the caller's context; `asyncio.to_thread` hands over a copy."""
    seen: list[str] = []

    def work() -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set("by the function")

    async def main() -> str:
        VARIABLE.set("by the caller")
        for _ in range(2):
            await asyncio.get_running_loop().run_in_executor(None, work)
        await asyncio.to_thread(work)
        return VARIABLE.get()

    assert sim.run(main()) == "by the caller"
    assert seen == ["unset", "unset", "by the caller"]


def test_after_the_shutdown_of_the_default_executor_only_others_work() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        await loop.shutdown_default_executor()
        with pytest.raises(RuntimeError, match="shutdown"):
            await loop.run_in_executor(None, print)
        with ThreadPoolExecutor(1) as pool:
            return await loop.run_in_executor(pool, int)

    assert sim.run(main()) == 0


def test_debug_mode_checks_the_function() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="coroutines cannot be used"):
            await asyncio.get_running_loop().run_in_executor(None, asyncio.sleep, 0)  # type: ignore[unused-coroutine]

    sim.run(main(), debug=True)
