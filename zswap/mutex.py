"""A FIFO mutex whose release is a plain call: for contexts, which a landing job may release, and LRU locks."""

from acomp.parking_lot import ParkingLot


class Mutex:
    """Ownership passes directly to the longest waiter, so nobody overtakes; free, it is taken without suspending."""

    __slots__ = ("_waiters", "locked")

    def __init__(self) -> None:
        self.locked = False
        self._waiters: ParkingLot[None] = ParkingLot()

    def __repr__(self) -> str:
        return f"<Mutex {'locked' if self.locked else 'free'}, {len(self._waiters)} waiting>"

    @property
    def contended(self) -> bool:
        """Whether anybody waits for it."""
        return len(self._waiters) > 0

    async def acquire(self) -> None:
        """Take the mutex, in order of call. A waiter that is cancelled after it was served passes it on."""
        if self.locked:
            await self._waiters.park(self._pass_on)
        self.locked = True

    def release(self) -> None:
        """Give the mutex to the next waiter, or leave it free. Any task may release it, not only its holder."""
        self.locked = self._waiters.hand_over(None)

    def _pass_on(self, _nothing: None) -> None:
        self.release()
