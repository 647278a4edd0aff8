"""Units on their way to the workers and back: one batch, one future, nothing made per unit but its output.

`Direction` says how one direction of an algorithm is done, `Handing` does it for one request, chain or array call. The
units' owner is an adapter's business: what is known of requests here is how to keep them busy.
"""

import asyncio
from collections.abc import Callable, Sequence
from errno import EINVAL, EIO, ENODEV
from functools import partial
from operator import le
from typing import Any, Protocol

from ..call_each import call_each
from ..flags import CRYPTO_ACOMP_DST_MAX
from ..request import AcompReq, acomp_request_get, acomp_request_put
from ..units.batch import Units
from .lanes import Batch, Lane, Perform
from .workers import NoWorkersError, Workers


class Pool(Protocol):
    """What an algorithm needs to know of the context it belongs to (`threads.Threads`)."""

    loop: asyncio.AbstractEventLoop
    closed: bool
    workers: Workers

    def admit_now(self, count: int) -> bool:
        """Whether `count` units may go to the workers at once, or find at once that the context was left."""

    async def admit(self, count: int) -> None:
        """Wait until they may."""

    def leave(self, count: int) -> None:
        """They have landed."""


class Turns:
    """How much work the loop's thread has done since the others last had a turn; costs are in decompressed pages."""

    PAGES = 32
    """Pages after which the loop gets a turn; it costs as much as a page, and they take half a ms."""

    def __init__(self) -> None:
        self._done = 0

    def spend(self, cost: int) -> bool:
        """Work of that cost is about to be done; whether the loop gets a turn before."""
        self._done += cost
        return self._done >= self.PAGES

    async def give(self) -> None:
        """Let the others run."""
        self._done = 0
        await asyncio.sleep(0)


class Direction:
    """One direction of a threaded algorithm, compression or decompression.

    `items_of(units)` is what its lane's workers get; `here(units)` says what the units cost on the loop's own thread,
    or 0 for units that go to the workers. `when_closed` is the error of units that come after the context was left,
    or 0: then they are done on the loop's thread.
    """

    __slots__ = ("here", "items_of", "lane", "perform_here", "pool", "turns", "when_closed")

    def __init__(
        self,
        pool: Pool,
        lane: Lane,
        turns: Turns,
        items_of: Callable[[Units], list[Any]],
        here: Callable[[Units], int],
        when_closed: int,
    ) -> None:
        self.pool = pool
        self.lane = lane
        self.turns = turns
        self.items_of = items_of
        self.here = here
        self.when_closed = when_closed
        self.perform_here: Perform | None = None

    async def do_here(self, units: Units, cost: int) -> int:
        """Do them on the loop's thread, now or at its next turn."""
        if self.turns.spend(cost):
            await self.turns.give()
        if self.pool.closed and self.when_closed:
            return self.when_closed
        if self.perform_here is None:
            self.perform_here = self.lane.make()
        units.outcomes = self.settled(units, self.perform_here(self.items_of(units)))
        return 0

    def settled(self, units: Units, outcomes: list[Any]) -> list[Any]:
        """Outcomes of a codec as outcomes of units: -EINVAL for what is too long, -EIO for what is neither."""
        capacities = units.capacities
        if set(map(type, outcomes)) == {bytes} and all(map(le, map(len, outcomes), capacities)):
            return outcomes  # as a rule
        return [self._settle(outcome, capacity) for outcome, capacity in zip(outcomes, capacities, strict=True)]

    def _settle(self, outcome: Any, capacity: int) -> Any:
        if type(outcome) is bytes:
            return outcome if len(outcome) <= capacity else -EINVAL  # as from the generic algorithms
        if isinstance(outcome, int):
            return outcome
        error = outcome if isinstance(outcome, Exception) else TypeError(f"a codec returned {type(outcome).__name__}")
        self.tell(error)
        return -EIO

    def tell(self, error: Exception) -> None:
        """What a codec raised unforeseen goes to the loop's exception handler."""
        self.pool.loop.call_exception_handler({"message": "a codec failed on a page", "exception": error})


class Handing:
    """The units of one request, chain or array call. Workers read its owner's buffers.

    So when the owner is cancelled, the requests that it is told of by `hold` stay busy until the whole batch has
    landed.
    """

    __slots__ = ("_direction", "_future", "_held", "_items", "_missing", "_outcomes")

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._items: list[Any] = []
        self._held: list[AcompReq] = []
        self._outcomes: list[Any] = []
        self._missing = 0
        self._future: asyncio.Future[None] | None = None

    async def perform(self, units: Units) -> int:
        """The primitive of a threaded algorithm: get the units done, here or there; `UnitOperation`."""
        if not _in_order(units):
            return await self._perform_valid(units)
        cost = self._direction.here(units)
        return await (self._direction.do_here(units, cost) if cost else self._hand_over(units))

    async def _perform_valid(self, units: Units) -> int:
        """No input, too much of it, or no room is -EINVAL, as from the generic algorithms; the others are done."""
        valid = [number for number in range(len(units)) if _in_order(units.part(number, 1))]
        outcomes: list[Any] = [-EINVAL] * len(units)
        if valid:
            others = Units([units.sources[number] for number in valid], [units.capacities[number] for number in valid])
            err = await self.perform(others)
            for number, outcome in zip(valid, [err] * len(valid) if err else others.outcomes, strict=True):
                outcomes[number] = outcome
        units.outcomes = outcomes
        return 0

    async def _hand_over(self, units: Units) -> int:
        """Hand them over as one batch; all have landed when this returns."""
        direction, pool, count = self._direction, self._direction.pool, len(units)
        if not pool.admit_now(count):
            await pool.admit(count)
        if pool.closed or not pool.workers.at_work:
            pool.leave(count)
            return (direction.when_closed if pool.closed else -EIO) or await direction.do_here(units, 0)
        try:
            self._items = direction.items_of(units)
            self._missing, self._outcomes = count, [None] * count
            self._future = pool.loop.create_future()
            pool.workers.submit(Batch(direction.lane, self._items, self._landed, self._failed))
        except NoWorkersError:
            self._failed(0, count)
        except BaseException:
            self._missing = 0
            pool.leave(count)
            raise
        assert self._future is not None
        await self._future
        units.outcomes = direction.settled(units, self._outcomes)
        return 0

    def hold(self, req: AcompReq) -> None:
        """The owner was cancelled: the request stays busy until no worker reads its buffer; the output is dropped."""
        if self._missing:
            acomp_request_get(req)
            self._held.append(req)

    def _landed(self, first: int, outcomes: list[Any]) -> None:
        self._outcomes[first : first + len(outcomes)] = outcomes
        self._missing -= len(outcomes)
        if self._missing:
            return
        assert self._future is not None
        if not self._future.done():
            self._future.set_result(None)
        self._let_go()

    def _failed(self, first: int, count: int) -> None:
        self._landed(first, [-ENODEV if self._direction.pool.closed else -EIO] * count)

    def _let_go(self) -> None:
        """No worker reads the buffers any more: let go of all requests, whatever the callback of one of them raises."""
        count = len(self._outcomes)
        self._items.clear()  # a worker that is not through yet may still hold the list
        held, self._held = self._held, []
        leave = partial(self._direction.pool.leave, count)
        call_each([*(partial(acomp_request_put, req) for req in held), leave])


def _in_order(units: Units) -> bool:
    """Whether each has something to read, not too much of it, and room for something."""
    lengths: Sequence[int] = list(map(len, units.sources))
    return min(lengths) > 0 and max(lengths) <= CRYPTO_ACOMP_DST_MAX and min(units.capacities) > 0
