"""The things of a running script by their names: what arguments stand for, and how results are written down."""

import asyncio
import inspect
import re
from collections import Counter
from contextvars import ContextVar
from errno import ENOENT
from typing import Any, Final

from acomp import AcompReq, CryptoAcomp, CryptoWait, ProtocolError, RequestBusyError, SgEntry
from zswap import Zswap

from . import answer
from .answer import Explanation, Failure, Reference, Value
from .calls import NAMES
from .script import Argument, Buffer, Item, Named, PageRef, Ref, Script, Sg

LONGEST_MESSAGE: Final = 500
_SERIAL: Final = re.compile(r"#(\d+)\b")


_NAMED: Final = (AcompReq, CryptoAcomp, CryptoWait, SgEntry, Zswap, list, bytearray)
"""What is written down by its name."""

storing: Final[ContextVar[str | None]] = ContextVar("storing", default=None)
"""The store that is at work here: requests without a name are its own."""


class UnboundNameError(Exception):
    """A call refers to what another one should have bound, and that one has failed, or was never made."""

    errno = ENOENT

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} stands for nothing, since the call that binds it has failed; look there first")


class TaskHandle:
    """What the name of a task stands for. It cannot be awaited, only cancelled and joined.

    The task ends in what its call returned and what that means.
    """

    def __init__(self, task: asyncio.Task[tuple[Any, Explanation | None]]) -> None:
        self.task = task


class Objects:
    """What is bound, in the order of binding. Pages are made once, everything else that has no name at each use."""

    def __init__(self, script: Script) -> None:
        self._pages = {name: page.content for name, page in script.pages.items()}
        self._bound: dict[str, Any] = {}
        self._names: dict[int, str] = {}  # by identity; what is bound lives until the end
        self._requests: dict[int, str] = {}  # by serial number
        self._taken = {call.binds for call in script.calls}
        self._of_stores: Counter[str] = Counter()

    def bind(self, name: str, thing: Any) -> None:
        """Let `name` stand for `thing`."""
        self._bound[name] = thing
        if isinstance(thing, AcompReq):
            self._requests[thing.serial] = name
        if isinstance(thing, _NAMED):
            self._names[id(thing)] = name

    def bound(self) -> dict[str, Any]:
        """Everything that has a name."""
        return self._bound

    def argument(self, argument: Argument) -> Any:
        """What `argument` stands for. UnboundNameError where it is the name of nothing."""
        if isinstance(argument, tuple):
            return [self._item(item) for item in argument]
        return self._item(argument)

    def _item(self, item: Item) -> Any:
        match item:
            case Ref(ref=name):
                if name not in self._bound:
                    raise UnboundNameError(name)
                return self._bound[name]
            case PageRef(page=name):
                return self._pages[name]
            case Buffer(buffer=size):
                return bytearray(size)
            case Sg(sg=size):
                return SgEntry(bytearray(size))
            case Named(name=name):
                return NAMES[name]
            case _:
                return item

    def name_of(self, thing: object) -> str | None:
        """The name of an object; None if it has none."""
        return self._names.get(id(thing))

    def request_name(self, serial: object) -> str | None:
        """The name of the request with this serial number; None if it has none.

        A store's own are `<store>_0`, `<store>_1`, ..., in the order in which they are asked for first.
        """
        if not isinstance(serial, int):
            return None
        store = storing.get()
        if serial not in self._requests and store is not None:
            self._requests[serial] = self._next_name(store)
        return self._requests.get(serial)

    def _next_name(self, store: str) -> str:
        while True:
            name = f"{store}_{self._of_stores[store]}"
            self._of_stores[store] += 1
            if name not in self._taken:
                return name

    def value(self, thing: object) -> Value:
        """A result, as the answer has it."""
        if isinstance(thing, int | str):
            return int(thing) if isinstance(thing, int) else thing
        if inspect.iscoroutine(thing):
            return answer.Coroutine()
        if isinstance(thing, tuple):
            return " ".join(self.name_of(item) or "-" for item in thing)
        name = self.name_of(thing)
        return None if name is None else Reference(ref=name)

    def failure(self, error: BaseException) -> Failure:
        """An exception, with requests by their names."""
        number = getattr(error, "errno", None)
        message = str(error)
        if isinstance(error, ProtocolError | RequestBusyError):
            message = self.by_name(message)
        return Failure(
            type=type(error).__name__.replace("UnboundNameError", "UnboundName"),
            errno=number if isinstance(number, int) else None,
            message=message[:LONGEST_MESSAGE],
        )

    def by_name(self, message: str) -> str:
        """A message of acomp's, with the names of requests in the place of their serial numbers."""
        return _SERIAL.sub(lambda found: self.request_name(int(found[1])) or "without a name", message)


def close_unused(work: object) -> bool:
    """Close a coroutine that was never awaited, with those that it was to await; whether it was one."""
    if not inspect.iscoroutine(work) or inspect.getcoroutinestate(work) != inspect.CORO_CREATED:
        return False
    given = list(inspect.getcoroutinelocals(work).values())
    work.close()
    for inner in given:
        close_unused(inner)
    return True
