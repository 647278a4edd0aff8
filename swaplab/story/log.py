"""What is told during a run: the events by the names of their objects, until there are too many."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from acomp import cpu, trace

from . import bounds
from .answer import ChainView, Event, ListView, View
from .objects import LONGEST_MESSAGE, Objects, storing

_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")


class Log:
    """The events, each told during the call number `call` (None: after the last one). `full`: some were left out."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._weight = 0
        self.events: list[Event] = []
        self.call: int | None = 0
        self.full = False

    def told(self, event: trace.Event) -> None:
        """The sink of `acomp.trace`."""
        fields = dict(event.fields)
        for key in ("request", "head"):
            if key in fields:
                fields[key] = self._objects.request_name(fields[key])
        about = fields.pop("request", None) or fields.pop("head", None)
        if event.kind.startswith("zswap."):
            about = storing.get()
        self._add(event.at_ns, event.kind, about, fields)

    def fault(self, point: str) -> None:
        """A fault that the script asked for has come."""
        self._add(cpu.now_ns(), "fault", None, {"point": point})

    def unseen(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: a completion function has raised, and there was nobody to be told."""
        error = context.get("exception")
        message = _ADDRESS.sub("", str(error or context.get("message")))[:LONGEST_MESSAGE]
        self._add(cpu.now_ns(), "callback.raised", None, {"type": type(error).__name__, "message": message})

    def changed(self, views: Mapping[str, View]) -> None:
        """These changes of states are kept, too: they count."""
        self._count(sum(_weight(view) for view in views.values()))

    def _add(self, at_ns: int, kind: str, about: Any, fields: Any) -> None:
        if self._count(1):
            self.events.append(Event(at_ns=at_ns, call=self.call, kind=kind, object=about, fields=fields))

    def _count(self, weight: int) -> bool:
        self._weight += weight
        self.full = self.full or self._weight > bounds.EVENTS
        return not self.full


def _weight(view: View) -> int:
    match view:
        case ChainView(members=names):
            return 1 + len(names)
        case ListView(values=values):
            return 1 + len(values)
        case _:
            return 1
