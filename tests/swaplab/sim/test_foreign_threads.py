"""Calls from another thread are refused there, and the run that they came into ends with the refusal."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from swaplab import sim

REFUSED = r"another thread \('intruder'\) does not exist in virtual time: .*run_in_executor"


def intrude(call: Callable[..., object], *args: object) -> list[BaseException]:
    """Call from a thread that says nothing of what comes of it, and return that."""
    came: list[BaseException] = []

    def attempt() -> None:
        try:
            call(*args)
        except BaseException as error:
            came.append(error)

    thread = threading.Thread(target=attempt, name="intruder")
    thread.start()
    thread.join()
    return came


def test_it_is_refused_in_the_thread_and_the_run_ends_with_it_at_the_next_event() -> None:
    log: list[object] = []
    loop = sim.VirtualLoop()
    loop.call_soon(lambda: log.extend(intrude(loop.call_soon_threadsafe, log.append, "never")))
    loop.call_soon(log.append, "next event")
    with pytest.raises(sim.RefusedError, match=REFUSED) as caught:
        loop.run_forever()
    (in_the_thread,) = log
    assert isinstance(in_the_thread, sim.RefusedError) and str(in_the_thread) == str(caught.value)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    assert log[1:] == ["next event"]


def test_the_own_thread_is_not_another() -> None:
    seen: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon_threadsafe(seen.append, "own")
        await asyncio.sleep(0)

    sim.run(main())
    assert seen == ["own"]


async def wait(seconds: float | None) -> None:
    await asyncio.wait_for(asyncio.get_running_loop().create_future(), seconds)


async def spin() -> None:
    while True:
        await asyncio.sleep(0)


@pytest.mark.parametrize("then", [lambda: wait(5), lambda: wait(None), spin, lambda: asyncio.sleep(0, "done")])
def test_no_timeout_deadlock_bound_or_result_comes_before_it(then: Callable[[], Awaitable[object]]) -> None:
    """The thread's work would have ended what is awaited here, so whatever comes of that would be a lie."""

    async def main() -> object:
        loop = asyncio.get_running_loop()
        intrude(loop.call_soon_threadsafe, int)
        try:
            return await then()
        except (TimeoutError, sim.SimError):
            pytest.fail("the program saw something else first")

    with pytest.raises(sim.RefusedError, match=REFUSED):
        sim.run(main(), max_events=100)


@pytest.mark.parametrize("bound", [None, 1])
def test_it_comes_even_in_the_last_moment(bound: int | None) -> None:
    async def main() -> str:
        intrude(asyncio.get_running_loop().call_soon_threadsafe, int)
        return "done"

    with pytest.raises(sim.RefusedError, match=REFUSED):
        sim.run(main(), max_events=bound)


def test_work_of_a_pool_that_is_awaited_ends_the_run() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="intruder") as pool:

        async def main() -> bool:
            may, told = threading.Event(), threading.Event()
            work = pool.submit(may.wait)
            future = asyncio.wrap_future(work)
            work.add_done_callback(lambda _: told.set())
            may.set()
            told.wait()
            return await asyncio.wait_for(future, 5)

        with pytest.raises(sim.RefusedError, match=r"another thread \('intruder_0'\)"):
            sim.run(main())


def test_what_came_between_two_runs_ends_the_next_and_only_that() -> None:
    loop = sim.VirtualLoop()
    loop.run_until_complete(asyncio.sleep(1))
    intrude(loop.call_soon_threadsafe, int)
    forever = loop.create_task(asyncio.sleep(5, "slept"))
    with pytest.raises(sim.RefusedError, match=REFUSED):
        loop.run_until_complete(forever)
    assert loop.run_until_complete(forever) == "slept"
    loop.close()


def test_a_closed_loop_says_that_it_is_closed() -> None:
    loop = sim.VirtualLoop()
    loop.close()
    (error,) = intrude(loop.call_soon_threadsafe, int)
    assert type(error) is RuntimeError and "closed" in str(error)


@contextmanager
def working(name: str) -> Iterator[None]:
    """While a thread of this name is at work."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name=name)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_deadlock_names_the_threads_that_were_started_in_the_run() -> None:
    async def main() -> None:
        with working("first"), working("second"):
            await asyncio.Event().wait()

    with working("before"), pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    assert caught.value.threads == ("first", "second")
    assert "work of a thread was awaited: 'first', 'second'" in str(caught.value)
    assert "run_in_executor" in str(caught.value)


def test_a_deadlock_without_threads_does_not_mention_any() -> None:
    async def main() -> None:
        with working("over"):
            pass
        await asyncio.Event().wait()

    with working("before"), pytest.raises(sim.DeadlockError) as caught:
        sim.run(main())
    assert caught.value.threads == ()
    assert "of a thread" not in str(caught.value)
