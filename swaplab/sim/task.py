"""Tasks and asynchronous generators that are found again in the order in which they were made.

asyncio keeps both in sets, whose order follows from addresses: which task of a failing TaskGroup is cancelled first,
and which generator is closed first, would differ from run to run.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .handle import Entry

T = TypeVar("T")


class VirtualTask(asyncio.Task[T]):
    """An `asyncio.Task` that hashes to its serial number in its loop, and is named for it unless given a name."""

    __slots__ = ("serial",)

    def __init__(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        serial: int,
        *,
        loop: asyncio.AbstractEventLoop,
        name: object = None,
        **options: Any,
    ):
        self.serial = serial  # first: asyncio puts the task into a set while making it
        super().__init__(coro, loop=loop, name=f"Task-{serial}" if name is None else name, **options)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return self.serial


def in_order(tasks: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """Sort `tasks` by serial number; those of a foreign task factory have none and come last, by name."""
    return sorted(
        tasks, key=lambda task: (task.serial, "") if isinstance(task, VirtualTask) else (1 << 62, task.get_name())
    )


def identity(handle: Entry) -> int | str:
    """Who runs when `handle` does, equal in equal runs: the serial number of a task, or the name of a callback."""
    callback = handle._callback
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, VirtualTask):
        return owner.serial
    if isinstance(owner, asyncio.Task):
        return owner.get_name()
    callback = getattr(callback, "func", callback)  # a partial is named for what it calls
    return str(getattr(callback, "__qualname__", type(callback).__qualname__))


class Generators(WeakKeyDictionary[AsyncGenerator[Any, Any], None]):
    """A weak set of asynchronous generators that keeps the order of insertion, as a dict does."""

    def add(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Put it at the end, unless it is in."""
        self[generator] = None

    def discard(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Take it out, if it is in."""
        self.pop(generator, None)
