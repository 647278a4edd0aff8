"""The descriptor slots of a work queue: a bounded set, their owners, and those who wait for one.

The driver takes a slot before it submits, and the job gives it back. A slot has one owner at any time, or is free.
Knows nothing of queues, jobs or requests.
"""

from errno import EAGAIN, ENXIO

from acomp.parking_lot import ParkingLot


class DescriptorSlots:
    """`size` slots, numbered from 0, taken in that order at first and handed to waiters first come first served."""

    __slots__ = ("_busy", "_free", "_waiters")

    def __init__(self, size: int) -> None:
        self._free = list(range(size - 1, -1, -1))  # taken from the end: slot 0 first
        self._busy = bytearray(size)
        self._waiters: ParkingLot[int] = ParkingLot()

    @property
    def nr_descriptors(self) -> int:
        """How many slots there are."""
        return len(self._busy)

    @property
    def in_flight(self) -> int:
        """Slots that somebody owns."""
        return len(self._busy) - len(self._free)

    @property
    def scarce(self) -> bool:
        """Whether more slots are in flight than free."""
        return 2 * len(self._free) < len(self._busy)

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiters)

    def take(self) -> int:
        """A free slot, now the caller's; -EAGAIN when there is none."""
        if not self._free:
            return -EAGAIN
        slot = self._free.pop()
        self._busy[slot] = 1
        return slot

    async def wait(self, bound_s: float) -> int:
        """A slot as soon as one is free and it is our turn; -EAGAIN after `bound_s` seconds of loop time.

        -ENXIO when the waiters are turned away. Whoever is cancelled after the slot was granted passes it on.
        """
        return await self._waiters.park(self._pass_on, bound_s=bound_s, too_late=-EAGAIN)

    def release(self, slot: int) -> None:
        """Give `slot` back: to whoever has waited longest, else to the free ones."""
        assert self._busy[slot], f"slot {slot} was released twice"
        if not self._waiters.hand_over(slot):
            self._busy[slot] = 0
            self._free.append(slot)

    def turn_away(self) -> None:
        """End every request that waits for a slot with -ENXIO: the queue is being removed."""
        while self._waiters.hand_over(-ENXIO):
            pass

    def _pass_on(self, slot: int) -> None:
        if slot >= 0:
            self.release(slot)
