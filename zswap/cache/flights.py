"""Single flight: what several callers miss at the same time is computed once.

A flight is a task of the cache, in a copy of its first caller's context. It does not end with its callers: they wait
for it, each on a future of its own, and may leave.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from acomp import ProtocolError

from ..errors import ComputeCancelledError, StoreClosedError
from .keys import Key

Work = Callable[[int], Awaitable[bytes]]
"""Computes the value, gives it to the cache as the write of that ticket, and returns it."""


class Flight:
    """One computation under way, and who waits for it."""

    __slots__ = ("_told", "closed", "task", "waiters")

    def __init__(self) -> None:
        self.task: asyncio.Task[bytes] | None = None
        self.waiters: dict[asyncio.Future[bytes], None] = {}  # in order of call, which a set would not keep
        self.closed = False
        self._told = 0

    async def wait(self) -> bytes:
        """The value, or what `make` has raised, once more for each caller."""
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.waiters[waiter] = None
        try:
            return await waiter
        except asyncio.CancelledError:  # the caller's: no flight ends in one
            if waiter.done() and not waiter.cancelled():
                self._told -= 1
                self._report(waiter.exception())
            raise
        finally:
            self.waiters.pop(waiter, None)

    def land(self, value: bytes | None, error: BaseException | None) -> None:
        """Tell everybody who waits; an error of which nobody hears goes to the loop's exception handler."""
        for waiter in self.waiters:
            if not waiter.done():
                self._told += 1
                if error is not None:
                    waiter.set_exception(error)
                elif value is not None:
                    waiter.set_result(value)
        self._report(error)

    def _report(self, error: BaseException | None) -> None:
        """A caller that was told may be cancelled before it hears."""
        if error is None or self._told or self.closed or isinstance(error, ComputeCancelledError):
            return
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a value was computed for a cache, and every caller had gone", "exception": error}
        )


_aboard: ContextVar[frozenset[Flight]] = ContextVar("zswap.cache.flights", default=frozenset())
"""The flights that the running code is part of: one inside of the other, where `make` asks for other keys."""


class Flights:
    """The flights of one cache. `begin(key)` gives a flight its ticket, at the call; `end(key)` is the end of it."""

    def __init__(self, begin: Callable[[Key], int], end: Callable[[Key], None]) -> None:
        self._begin = begin
        self._end = end
        self._by_key: dict[Key, Flight] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    async def join(self, key: Key, work: Work) -> bytes:
        """The value that the flight of this key computes, which is begun if there is none, to do `work`."""
        flight = self._by_key.get(key)
        if flight is None:
            flight = self._by_key[key] = Flight()
            ticket = self._begin(key)
            flight.task = asyncio.get_running_loop().create_task(self._fly(flight, work, ticket))
            # Not by the task itself: one that is cancelled before its first step never runs.
            flight.task.add_done_callback(lambda task: self._landed(key, flight, task))
        elif flight in _aboard.get():
            raise ProtocolError(
                f"the value of {key!r} is computed by asking for the value of {key!r}; it would wait for itself"
            )
        return await flight.wait()

    async def _fly(self, flight: Flight, work: Work, ticket: int) -> bytes:
        _aboard.set(_aboard.get() | {flight})
        return await work(ticket)

    def _landed(self, key: Key, flight: Flight, task: "asyncio.Task[bytes]") -> None:
        del self._by_key[key]
        self._end(key)
        if task.cancelled():
            flight.land(None, ComputeCancelledError(f"the computation of {key!r} was cancelled, and not by its caller"))
        elif (error := task.exception()) is not None:
            flight.land(None, error)
        else:
            flight.land(task.result(), None)

    def close(self) -> None:
        """Cancel all flights; who waits gets StoreClosedError at once, however long they take to end."""
        for flight in list(self._by_key.values()):
            flight.closed = True
            flight.land(None, StoreClosedError("the cache was closed while the value was computed"))
            if flight.task is not None:
                flight.task.cancel()
