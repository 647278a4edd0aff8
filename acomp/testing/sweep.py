"""`sweep_cancel`: cancel a coroutine at every point at which it can be cancelled."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

MAX_SUSPENSIONS = 10_000


async def sweep_cancel(
    make: Callable[[], Coroutine[Any, Any, object]],
    check: Callable[[], Awaitable[None]],
) -> int:
    """Cancel what `make()` returns at its first, second, ... suspension point, once and twice; `check()` after each.

    A suspension point is one yield that reaches the loop. The sweep asserts that the cancelled coroutine raises
    CancelledError without suspending again (a canceller never waits for the hardware), and ends with the first run that
    finishes uncancelled. Returns the number of points; AssertionError when there are none or more than 10,000. `make`
    must give equal runs (stepped engines, not threads), and `check` brings the world to quiescence and looks at it.
    """
    for times in (1, 2):
        points = 0
        while await _cancelled_at(make(), points + 1, times):
            points += 1
            if points > MAX_SUSPENSIONS:
                raise AssertionError(f"more than {MAX_SUSPENSIONS} suspension points: does it ever finish?")
            await check()
        if not points:
            raise AssertionError("the call finished without suspending once: there was nothing to cancel")
        await check()
    return points


async def _cancelled_at(work: Coroutine[Any, Any, object], point: int, times: int) -> bool:
    """Run `work` in a task, cancel it `times` times at suspension `point`; False when it finished before that."""
    driven = _CancelAt(work, point, times)

    async def drive() -> None:
        await driven

    task = asyncio.ensure_future(drive())
    try:
        await task
    except asyncio.CancelledError:
        if not driven.cancelled:
            raise
    else:
        assert not driven.cancelled, f"the cancellation at suspension point {point} was swallowed"
    finally:
        work.close()  # where an assertion left it
    return driven.cancelled


class _CancelAt:
    """Drives a coroutine's own `send`, counts what it yields, and cancels the current task at the n-th."""

    def __init__(self, work: Coroutine[Any, Any, object], point: int, times: int) -> None:
        self._work = work
        self._point = point
        self._times = times
        self.cancelled = False

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        count = 0
        while True:
            try:
                yielded = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration:
                return
            count += 1
            assert not self.cancelled, f"after the cancellation at point {self._point} the call suspended again"
            if count == self._point:
                self._cancel()
            error = None
            try:
                yield yielded
            except BaseException as thrown:
                error = thrown

    def _cancel(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.cancelled = True
        for _ in range(self._times):
            task.cancel()
