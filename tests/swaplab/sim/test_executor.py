"""Work for threads is done inline, at the call; its result comes through the loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_an_interrupt_comes_through_at_once() -> None:
    def work() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        await asyncio.to_thread(work)

    with pytest.raises(KeyboardInterrupt):
        sim.run(main())


def test_debug_mode_checks_the_function() -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="coroutines cannot be used"):
            await asyncio.get_running_loop().run_in_executor(None, asyncio.sleep, 0)  # type: ignore[unused-coroutine]

    sim.run(main(), debug=True)
