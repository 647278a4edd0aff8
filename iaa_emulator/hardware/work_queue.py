"""Work queues: a bounded set of descriptor slots, their owners and those who wait for one, first come first served.

The driver takes a slot before it submits and the job gives it back. Knows nothing of requests or engines.
Source: kernel-facts 6.1, 9 (allocation), B3 (a shared queue has as many descriptors as its threshold).
"""

import asyncio
from collections import deque
from errno import EAGAIN, ENXIO
from typing import TYPE_CHECKING

from ..driver.statistics import QueueStats
from .config import WorkQueueConfig

if TYPE_CHECKING:
    from .device import Device, Group


class WorkQueue:
    """One configured work queue of a device, with its descriptors.

    `bound`: whether the driver has it, so that it accepts submissions. `mapped` is "local", "global" or None: the table
    it was folded into (patch 9).
    """

    __slots__ = ("_busy", "_free", "_waiters", "bound", "config", "device", "group", "index", "mapped", "stats")

    def __init__(self, group: "Group", config: WorkQueueConfig) -> None:
        self.group = group
        self.device: Device = group.device
        self.config = config
        self.index = config.index
        self.bound = False
        self.mapped: str | None = None
        self.stats = QueueStats()
        size = config.size if config.mode == "dedicated" else config.threshold
        self._free = list(range(size - 1, -1, -1))  # taken from the end: slot 0 first
        self._busy = bytearray(size)
        self._waiters: deque[asyncio.Future[int]] = deque()

    def __repr__(self) -> str:
        state = "bound" if self.bound else "unbound"
        waiting = f", {self.waiting} waiting" if self.waiting else ""
        return f"<WorkQueue {self.name} {self.config.mode} {state}: {self.in_flight}/{self.nr_descriptors}{waiting}>"

    @property
    def name(self) -> str:
        """`wq<device>.<index>`."""
        return self.config.dev

    @property
    def shared(self) -> bool:
        """Whether submissions may be refused by the device."""
        return self.config.mode == "shared"

    @property
    def nr_descriptors(self) -> int:
        """Descriptors of the driver: the size of a dedicated queue, the threshold of a shared one."""
        return len(self._busy)

    @property
    def in_flight(self) -> int:
        """Descriptors that somebody owns."""
        return len(self._busy) - len(self._free)

    @property
    def scarce(self) -> bool:
        """Whether more descriptors are in flight than free."""
        return 2 * len(self._free) < len(self._busy)

    @property
    def waiting(self) -> int:
        """Requests that wait for a descriptor."""
        return sum(1 for waiter in self._waiters if not waiter.done())

    def take(self) -> int:
        """A free slot, now the caller's; -EAGAIN when there is none."""
        if not self._free:
            return -EAGAIN
        slot = self._free.pop()
        self._busy[slot] = 1
        return slot

    async def wait(self, bound_s: float) -> int:
        """A slot as soon as one is free and it is our turn; -EAGAIN after `bound_s` seconds of loop time.

        -ENXIO when the queue is removed meanwhile. Whoever is cancelled after the slot was granted passes it on.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_later(bound_s, _answer, waiter, -EAGAIN)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result() >= 0:
                self.release(waiter.result())
            raise
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def release(self, slot: int) -> None:
        """Give `slot` back: to whoever has waited longest, else to the free ones."""
        assert self._busy[slot], f"slot {slot} of {self.name} was released twice"
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(slot)
                return
        self._busy[slot] = 0
        self._free.append(slot)

    def turn_away(self) -> None:
        """The queue is being removed: everybody who waits for a slot ends with -ENXIO."""
        while self._waiters:
            _answer(self._waiters.popleft(), -ENXIO)


def _answer(waiter: "asyncio.Future[int]", code: int) -> None:
    if not waiter.done():
        waiter.set_result(code)
