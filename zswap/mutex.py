"""A FIFO mutex whose release is a plain call: for contexts, which a landing job may release, and LRU locks."""

import asyncio
from collections import deque


class Mutex:
    """Ownership passes directly to the longest waiter, so nobody overtakes; free, it is taken without suspending."""

    __slots__ = ("_waiters", "locked")

    def __init__(self) -> None:
        self.locked = False
        self._waiters: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Mutex {'locked' if self.locked else 'free'}, {len(self._waiters)} waiting>"

    async def acquire(self) -> None:
        """Take it, after all who asked before. A waiter that is cancelled when it was just served passes it on."""
        if not self.locked:
            self.locked = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release()
            else:
                turn.cancel()
            raise

    def release(self) -> None:
        """Give it to the next waiter, or leave it free. The releaser need not be who acquired it."""
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.locked = False
