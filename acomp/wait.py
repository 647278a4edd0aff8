"""Waiting for one asynchronous request: a completion counter and the result that came with it."""

import asyncio
from collections.abc import Awaitable
from errno import EBUSY, EINPROGRESS

from .errors import ProtocolError

Code = int | Awaitable[int]
"""What a method or an operation returns: 0, a negative errno, or an awaitable (as a rule a coroutine) of one.

A plain code means that the work is finished, or, for -EINPROGRESS and -EBUSY, that it has begun and the completion
function will be called. An awaitable means that nothing has begun until it is awaited, once, by whoever holds it.
"""


class CryptoWait:
    """A wait object: `err`, the result that the last completion stored, and the counter that wakes the waiter.

    It serves one request (or one chain) at a time. A completion that nobody waits for stays counted, so that the next
    wait returns at once with its result; `reinit` forgets it. (That is why the chain runner's call of the head's
    completion function makes `acomp_reqchain_clear` necessary.)

    Differs from the kernel: a completion whose waiter was cancelled meanwhile is discarded when it comes, since the
    kernel's waiters cannot leave.
    """

    __slots__ = ("_done", "_orphans", "_waiter", "err")

    def __init__(self) -> None:
        self.err = 0
        self._done = False
        self._orphans = 0
        self._waiter: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = "waited for" if self._waiter is not None else "completed" if self._done else "armed"
        return f"<CryptoWait {state} err={self.err}>"

    @property
    def done(self) -> bool:
        """Whether a completion is counted that nobody has waited for."""
        return self._done

    def reinit(self) -> None:
        """Forget a completion that nobody waited for: the next wait blocks again."""
        self._done = False

    async def _wait(self) -> int:
        if self._waiter is not None:  # also when its completion has come and it has not run since
            raise ProtocolError("two tasks wait on one CryptoWait; give each request in flight a wait of its own")
        if not self._done:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                if not self._done:
                    self._orphans += 1
                self._done = False
                raise
            finally:
                self._waiter = None
        self._done = False
        return self.err


def crypto_req_done(wait: CryptoWait, err: int) -> None:
    """The usual completion function: store `err` and wake the waiter; -EINPROGRESS ("left the backlog") is ignored.

    Pass it to `acomp_request_set_callback` with the wait object as `data`.
    """
    if err == -EINPROGRESS:
        return
    if wait._orphans:
        wait._orphans -= 1
        return
    wait.err = err
    wait._done = True
    if wait._waiter is not None and not wait._waiter.done():
        wait._waiter.set_result(None)


async def crypto_wait_req(code: Code, wait: CryptoWait | None) -> int:
    """Wait until the work that `code` stands for is finished, and return its final code.

    An awaitable is awaited first. With `wait` None the code is returned unchanged. -EINPROGRESS and -EBUSY block until
    the completion fires, re-arm it and return the stored `wait.err`; any other code, 0 included, is returned at once
    and the completion is not touched. (`wait` None: patch 1.)
    """
    result = code if isinstance(code, int) else await code
    if wait is None or result not in (-EINPROGRESS, -EBUSY):
        return result
    return await wait._wait()
