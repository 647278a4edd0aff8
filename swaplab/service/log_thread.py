"""The thread that does what blocks for the logs: a queue there, and one call of the loop back for each.

An executor would do the same with a second future, a condition and a semaphore for each call, which cost more than
writing a page.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class LogThread:
    """One thread, for the loop that it is made on; `close` ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="swaplab-log")
        self._thread.start()

    def call(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        """Call it after all that was given before; done with its result or what it raises. It cannot be called off."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._calls.put((function, done))
        return done

    def close(self) -> None:
        """Do what was given, and end. Blocks until then."""
        self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            function, done = call
            result, error = None, None
            try:
                result = function()
            except Exception as raised:
                error = raised
            self._loop.call_soon_threadsafe(_end, done, result, error)
            del call, function, done, result, error  # nothing is held while it waits


def _end(done: "asyncio.Future[T]", result: T, error: Exception | None) -> None:
    if done.done():  # whoever waited was cancelled
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
