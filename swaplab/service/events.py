"""What happens, as server-sent events: a ring of the latest, and clients that are bounded each.

Ids are `<boot>-<number>`. Who comes again with the id it has seen last gets what came after it; where that has left the
ring, or is of another boot, an event `gap` comes first. A client that does not take its events is dropped, and finds
them again by that id.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from .bounds import MAX_EVENT_STREAMS
from .problems import RefusalError

RING: Final = 4096
"""Events that are kept."""
MAX_WAITING: Final = 256
MAX_WAITING_BYTES: Final = 1 << 20
"""Of one client, before it is dropped."""
HEARTBEAT_S: Final = 15.0
GOOD_BYE: Final = b"event: bye\ndata: {}\n\n"


class Event(NamedTuple):
    """One event. `subject` is what it is about, such as `store/a` or `job/3`."""

    number: int
    kind: str
    subject: str
    data: dict[str, Any]


class _Client:
    """What waits for one client, and what it wants to hear of (None: of everything)."""

    def __init__(self, subject: str | None) -> None:
        self.subject = subject
        self.waiting: deque[bytes] = deque()
        self.bytes = 0
        self.news = asyncio.Event()
        self.dropped = False

    def offer(self, text: bytes) -> None:
        """One event more; too many, and it is dropped."""
        if len(self.waiting) >= MAX_WAITING or self.bytes + len(text) > MAX_WAITING_BYTES:
            self.dropped = True
        else:
            self.waiting.append(text)
            self.bytes += len(text)
        self.news.set()

    def taken(self) -> bytes:
        """All that waits."""
        text = b"".join(self.waiting)
        self.waiting.clear()
        self.bytes = 0
        self.news.clear()
        return text


class Events:
    """All events of one process. `boot` tells it from others."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._ring: deque[Event] = deque(maxlen=RING)
        self._number = 0
        self._clients: set[_Client] = set()
        self._stopping = False

    def __len__(self) -> int:
        return len(self._clients)

    def publish(self, kind: str, subject: str, data: dict[str, Any]) -> None:
        """Something has happened."""
        self._number += 1
        event = Event(self._number, kind, subject, data)
        self._ring.append(event)
        text = self._text(event)
        for client in self._clients:
            if client.subject in (None, subject):
                client.offer(text)

    def stop(self) -> None:
        """Say good-bye to everybody."""
        self._stopping = True
        for client in self._clients:
            client.news.set()

    def stream(self, subject: str | None, last_id: str | None) -> AsyncIterator[bytes]:
        """The body of one client's response; RefusalError 503 for one too many."""
        if len(self._clients) >= MAX_EVENT_STREAMS:
            raise RefusalError(503, f"{MAX_EVENT_STREAMS} clients listen already", "try again", Retry_After="15")
        return self._stream(_Client(subject), last_id)

    async def _stream(self, client: _Client, last_id: str | None) -> AsyncIterator[bytes]:
        with self._listening(client):
            yield b": hello\n\n" + b"".join(self._missed(client.subject, last_id))
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await client.news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                text = client.taken()
                if text:
                    yield text
                if client.dropped:
                    return
                if self._stopping:
                    yield GOOD_BYE
                    return

    @contextmanager
    def _listening(self, client: _Client) -> Iterator[None]:
        self._clients.add(client)
        if self._stopping:
            client.news.set()
        try:
            yield
        finally:
            self._clients.discard(client)

    def _missed(self, subject: str | None, last_id: str | None) -> Iterator[bytes]:
        """What came after the event that somebody has seen last."""
        if last_id is None:
            return
        boot, _, number = last_id.rpartition("-")
        seen = int(number) if boot == self._boot and number.isdecimal() and len(number) < 20 else -1
        oldest = self._ring[0].number if self._ring else self._number + 1
        if not oldest - 1 <= seen <= self._number:
            yield b"event: gap\ndata: {}\n\n"
            seen = 0
        for event in self._ring:
            if event.number > seen and subject in (None, event.subject):
                yield self._text(event)

    def _text(self, event: Event) -> bytes:
        data = json.dumps({"subject": event.subject, **event.data}, separators=(",", ":"))
        return f"id: {self._boot}-{event.number}\nevent: {event.kind}\ndata: {data}\n\n".encode()


class Counters:
    """Publishes the counters of what changes, once a second, to whoever listens."""

    def __init__(self, events: Events, counters: Callable[[], Iterator[tuple[str, dict[str, int]]]]) -> None:
        self._events = events
        self._counters = counters
        self._told: dict[str, dict[str, int]] = {}

    async def run(self) -> None:
        """Until cancelled. Without listeners nothing is counted."""
        while True:
            await asyncio.sleep(1.0)
            if not len(self._events):
                continue
            now = dict(self._counters())
            for subject, counters in now.items():
                if self._told.get(subject) != counters:
                    self._events.publish("counters", subject, {"counters": counters})
            self._told = now
