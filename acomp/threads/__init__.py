"""Software compression that leaves the loop alone: chains go to worker threads, and many of them are one job there.

`async with acomp.threads.open(workers=2)` registers `zstd-threads` and `deflate-threads` for the time of the context
(and `lz4-threads` when asked for). They are ordinary algorithms with chains, their bytes are the generic ones', and
their priority is higher: inside the context `zstd` means `zstd-threads`. What the algorithms do is in `algorithm`,
what a thread does in `workers`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from errno import ETIMEDOUT
from typing import Final

from ..algapi import AcompAlg, crypto_register_acomp, crypto_unregister_acomp
from ..errors import AcompError, ProtocolError
from ..once import entered_once
from ..parking_lot import ParkingLot
from .algorithm import ThreadedAlgorithm
from .workers import Workers

__all__ = ["ALGORITHMS", "Threads", "WorkersStuckError", "open"]

THREADED: Final = ("zstd", "deflate", "lz4")
"""Which algorithms have a threaded form."""
ALGORITHMS: Final = ("zstd", "deflate")
"""Those registered unless others are asked for: they gain by it, lz4 is too fast for that (docs/benchmarks.md)."""
MAX_JOB_PAGES: Final = 512
"""Most pages that a worker takes at once; a request counts with its pages."""
JOIN_TIMEOUT_S: Final = 1.0
"""Threads are told to end when nothing is under way, so that this is far more than they need."""


class WorkersStuckError(AcompError):
    """On leaving the context, what was under way did not end within the close timeout, or a thread did not."""

    errno = ETIMEDOUT


def _entered_before() -> ProtocolError:
    return ProtocolError("these worker threads were opened before; call acomp.threads.open anew for each `async with`")


@entered_once(_entered_before)
@asynccontextmanager
async def open(  # read as acomp.threads.open
    workers: int = 2,
    *,
    algorithms: Sequence[str] = ALGORITHMS,
    loop_pages: int = 0,
    max_in_flight: int = 4096,
    close_timeout: float = 10.0,
) -> AsyncIterator["Threads"]:
    """Register the threaded form of `algorithms` in the current registry, on `workers` threads, and yield the pool.

    With `loop_pages` the loop's own thread is one more worker: while requests are queued it does that many pages at a
    time (or one longer request; four times as many to decompress), instead of waiting for the others. Many tasks that
    store at once are served fastest with 8, and a worker fewer than there are cores (docs/benchmarks.md). The loop does
    nothing else meanwhile: 8 pages of zstd take 0.15 ms, of deflate 0.7 ms.

    At most `max_in_flight` requests (or one chain) are with the workers; further chains wait, first come first served.

    Open stores inside of the context. Leaving it refuses new compressions with -ENODEV (which a store counts as
    `reject_compress_fail`), waits for the work under way, ends the threads and unregisters the names. The wait takes
    `close_timeout` seconds of loop time at most; then it raises WorkersStuckError, and what no worker has begun ends in
    -ENODEV. Transforms that are still alive go on decompressing, on the loop.

    Raises:
        ValueError: for a number that is not positive (`loop_pages`: not within 0 and 512), and for an algorithm that
            has no threaded form or is named twice.
        ProtocolError: when the current registry has these names already, and when a context is entered again.
    """
    for name, number in (("workers", workers), ("max_in_flight", max_in_flight)):
        if type(number) is not int or number < 1:
            none = "; without threads, 'zstd' is zstd-generic" if name == "workers" else ""
            raise ValueError(f"{name} must be a positive int, not {number!r}{none}")
    if type(loop_pages) is not int or not 0 <= loop_pages <= MAX_JOB_PAGES:
        raise ValueError(f"loop_pages must be an int from 0 to {MAX_JOB_PAGES}, not {loop_pages!r}")
    if isinstance(close_timeout, bool) or not isinstance(close_timeout, int | float) or not close_timeout > 0:
        raise ValueError(f"close_timeout must be a positive number of seconds, not {close_timeout!r}")
    if isinstance(algorithms, str) or not algorithms:
        raise ValueError(f"algorithms is a sequence of names, such as ['zstd'], and not {algorithms!r}")
    if len(set(algorithms)) < len(algorithms):
        raise ValueError(f"algorithms name one twice: {', '.join(algorithms)}")
    for algorithm in algorithms:
        if algorithm not in THREADED:
            raise ValueError(f"{algorithm!r} has no threaded form; {', '.join(THREADED)} have one")
    threads = Threads(algorithms, workers, loop_pages, max_in_flight)
    registered: list[AcompAlg] = []
    try:
        for alg in threads.algorithms:
            if crypto_register_acomp(alg):
                raise ProtocolError(
                    f"{alg.cra_driver_name} is registered here already; share the context that did it, or open this one"
                    " inside a registry of its own (`with acomp.registry():`)"
                )
            registered.append(alg)
        yield threads
    finally:
        for alg in registered:
            crypto_unregister_acomp(alg)
        await threads.close(close_timeout)


class Threads:
    """The workers of one context, and the requests on their way to them. `open` yields it, to be looked at.

    `in_flight`: requests that are with the workers, or about to be. `algorithms`: what was registered.
    """

    def __init__(self, names: Sequence[str], workers: int, loop_pages: int, max_in_flight: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self.in_flight = 0
        self._max_in_flight = max_in_flight
        self._line: ParkingLot[int] = ParkingLot()
        self._nothing_in_flight: asyncio.Event | None = None
        threaded = [ThreadedAlgorithm(name, self) for name in names]
        self.algorithms = [one.algorithm for one in threaded]
        lanes = [lane for one in threaded for lane in (one.compressing, one.decompressing)]
        self.workers = Workers(lanes, workers, MAX_JOB_PAGES, "acomp-threads", loop_pages)

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<Threads {state}: {self.in_flight} requests in flight, {self.waiting} chains waiting, {self.workers}>"

    @property
    def waiting(self) -> int:
        """Chains and single requests that wait because `max_in_flight` requests are with the workers."""
        return len(self._line)

    def admit_now(self, count: int) -> bool:
        """Whether `count` requests may go to the workers at once; they count as in flight then, until `leave`.

        Once the context was left the answer is always yes, so that nobody waits: the caller then finds it closed.
        """
        if not self.closed and (self._line or not self._fits(count)):
            return False
        self.in_flight += count
        return True

    async def admit(self, count: int) -> None:
        """Wait for our turn: then `count` requests count as in flight, until `leave`."""
        try:
            await self._line.park(self.leave, wish=count)
        except BaseException:
            self._serve()  # who is next in line may want fewer, and fit
            raise

    def leave(self, count: int) -> None:
        """`count` requests have landed, or did not go to the workers after all."""
        self.in_flight -= count
        self._serve()
        if not self.in_flight and self._nothing_in_flight is not None:
            self._nothing_in_flight.set()

    def _fits(self, count: int) -> bool:
        return not self.in_flight or self.in_flight + count <= self._max_in_flight

    def _serve(self) -> None:
        while (count := self._line.next_wish()) is not None and (self.closed or self._fits(count)):
            self.in_flight += count
            self._line.hand_over(count)

    async def close(self, timeout: float) -> None:
        """Refuse new work, wait for what is under way, end the threads. WorkersStuckError when that takes too long."""
        self.closed = True
        self._serve()  # they find it closed
        try:
            if self.in_flight:
                self._nothing_in_flight = asyncio.Event()
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await self._nothing_in_flight.wait()
        finally:
            stuck = self.workers.stop(0.0 if self.in_flight else JOIN_TIMEOUT_S)
        if self.in_flight:
            raise WorkersStuckError(
                f"{self.in_flight} requests are still with the workers {timeout} s after the context was left; their"
                " buffers stay in use. Raise close_timeout, or look for a codec that hangs"
            )
        if stuck:
            raise WorkersStuckError(f"{', '.join(stuck)} did not end within {JOIN_TIMEOUT_S} s")
