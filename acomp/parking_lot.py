"""A parking lot: those who wait until something is handed to them, first come first served.

Mutexes, descriptors and places with the worker threads are all of this shape: there are few of a thing, who finds none
waits, and who gives one back serves whoever has waited longest. It is written here once, because it is easily written
wrong. What makes it hard is that handing over and waking up are two steps:

1. The owner *hands over*: the waiter's future gets its result. From this moment the thing belongs to the waiter, and
   nobody else may take it, else the one who has waited longest is overtaken by whoever happens to run next.
2. The waiter *wakes up*, a turn of the loop later at the earliest, and finds it.

Between the two the waiter may be cancelled. It then owns a thing that it will never use and that nobody else knows of:
unless it is given back, the mutex stays locked for good, or the pool is short of a slot for good. So who is cancelled
after step 1 passes on what it got, and who is cancelled before it only leaves the line. A plain function does the
passing on: it must not have to wait, for a cancelled task that waits may be cancelled again.

The lot knows nothing of what is handed over, nor when; its owner decides that, in plain calls.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ParkingLot(Generic[T]):
    """A line of waiters, each of whom gets one `T`. All methods belong to the thread of one event loop."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        self._line: deque[tuple[asyncio.Future[T], Any]] = deque()

    def __len__(self) -> int:
        """How many wait; those that were served or cancelled and have not woken up yet do not count."""
        return sum(1 for turn, _ in self._line if not turn.done())

    def __bool__(self) -> bool:
        return self.next_wish() is not None

    def next_wish(self) -> Any:
        """The `wish` of whoever is served next; None when nobody waits."""
        while self._line and self._line[0][0].done():
            self._line.popleft()
        return self._line[0][1] if self._line else None

    async def park(
        self,
        pass_on: Callable[[T], object],
        *,
        wish: object = True,
        bound_s: float | None = None,
        too_late: T | None = None,
    ) -> T:
        """Wait at the end of the line for what is handed over, and return it; it is the caller's from then on.

        `pass_on(thing)` is called when the caller is cancelled after it was served. `wish` is what `next_wish` shows,
        for owners whose waiters want different amounts. After `bound_s` seconds of loop time the answer is `too_late`,
        which `pass_on` has to take as well.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Any] = loop.create_future()
        self._line.append((turn, wish))
        timer = None if bound_s is None else loop.call_later(bound_s, _answer, turn, too_late)
        try:
            return await turn  # type: ignore[no-any-return] # a T, or too_late, which is one where there is a bound
        except BaseException:
            if turn.done() and not turn.cancelled():
                pass_on(turn.result())
            else:
                turn.cancel()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self._leave(turn)

    def hand_over(self, thing: T) -> bool:
        """Serve whoever has waited longest; False when nobody waits, and `thing` is still the caller's."""
        while self._line:
            if _answer(self._line.popleft()[0], thing):
                return True
        return False

    def _leave(self, turn: "asyncio.Future[T]") -> None:
        """Who was cancelled, or is too late, may still stand in the line; whoever was served has left it."""
        for place in self._line:
            if place[0] is turn:
                self._line.remove(place)
                return


def _answer(turn: "asyncio.Future[Any]", thing: object) -> bool:
    if turn.done():
        return False
    turn.set_result(thing)
    return True
