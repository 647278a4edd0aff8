"""An event sink. Off by default, and then it costs one comparison where something could be said.

Whoever wants to watch installs a sink; hot paths read `if trace.sink is not None: trace.emit(...)`. A sink is a plain
function: it must not await, and what it raises reaches the code that was being watched (from a landing, the loop's
exception handler).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from . import cpu

SCHEMA = "acomp.trace/1"
"""Version of the event kinds and their fields; files of events carry it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: loop time in integer nanoseconds, what, and its fields (all of them plain values)."""

    at_ns: int
    kind: str
    fields: Mapping[str, object]


Sink = Callable[[Event], None]

sink: Sink | None = None
"""The installed sink. Read it as `trace.sink`; change it with `installed` only."""


def emit(kind: str, **fields: object) -> None:
    """Hand one event to the sink. Call it only behind `if trace.sink is not None`."""
    if sink is not None:
        sink(Event(cpu.now_ns(), kind, fields))


@contextmanager
def installed(new_sink: Sink) -> Iterator[None]:
    """Send the events of everything in this process to `new_sink` for the duration; the former sink comes back."""
    global sink
    former, sink = sink, new_sink
    try:
        yield
    finally:
        sink = former
