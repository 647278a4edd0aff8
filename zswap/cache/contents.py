"""What is in an open cache, and how values get in, out and forgotten. The door has checked who asks, and for what.

A write that need not wait is a plain call (`put_now`): nothing can come between its parts. One that has to wait
(`put_in_turn`) takes a ticket, so that of several writes of a key the one called last counts, compresses, waits for
room, and publishes in one step. Until that step the old value is there, after it the new one.
"""

import asyncio
import sys
import zlib
from contextlib import suppress

from acomp.codecs import CodecError

from ..errors import StoreClosedError, ValueTooLargeError
from .admission import Admission
from .compressor import Compressor
from .counters import Counters
from .deadlines import STALE, Deadlines
from .entry import Entry, Held, Places, Spilled, Units, size_in_memory
from .eviction import VISITS
from .inline import TURN_BYTES, InlineWork
from .keys import Key
from .order import Writes
from .room import Room
from .spill import SpillFile
from .values import OnGone, Values


class Contents:
    """The values of one cache, on one event loop."""

    def __init__(
        self, compressor: str, max_bytes: int | None, file: SpillFile | None, on_gone: OnGone | None = None
    ) -> None:
        self.counters = Counters()
        self.work = InlineWork()
        self.compressor = Compressor(compressor, self.counters, self.work)
        self.values = Values(self._free, on_gone)
        self.writes = Writes()
        self.room = Room(self.values, self.counters, max_bytes, file)
        self.loop = asyncio.get_running_loop()
        self.file = file
        self._admission = Admission(max_bytes)
        self._deadlines = Deadlines()
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Forget everything, now. Writes that still wait have the compressor until they end, in StoreClosedError."""
        self.room.closed = True
        self.values.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.file is not None:
            self.file.close()

    # Finding and forgetting

    def live(self, key: Key) -> Held | Spilled | None:
        """The entry of this key, unless it has expired: then it is gone."""
        entry = self.values.find(key)
        if entry is not None and entry.deadline is not None and entry.deadline <= self.loop.time():
            self.values.leave(key)
            self.counters.expired += 1
            return None
        return entry

    def forget(self, key: Key) -> bool:
        """Delete a value; whether there was one. Older writes that still wait come to nothing."""
        self.writes.mark(key)
        there = self.live(key) is not None
        if there:
            self.values.remove(key)
        return there

    def clear(self) -> int:
        """Delete all values; how many there were."""
        self.sweep()
        self.writes.mark_all()
        return self.values.clear()

    # Expiry

    def sweep(self, at_most: int = sys.maxsize) -> bool:
        """Forget the values that have expired by now, or some of them; whether that was all."""
        if not self._deadlines.records:
            return True
        now = self.loop.time()
        return self._deadlines.sweep(now, lambda key, second: self._expire(key, second, now), at_most)

    def expire_at(self, key: Key, entry: Entry, deadline: float | None) -> None:
        """Give a value that is in another deadline, or none."""
        entry.deadline = deadline
        if deadline is None:
            return
        deadlines = self._deadlines
        deadlines.add(key, deadline)
        if deadlines.records > 2 * len(self.values) + STALE:
            with_one = ((key, self.values.find(key)) for key in list(self.values))
            deadlines.make_anew(
                (key, one.deadline) for key, one in with_one if one is not None and one.deadline is not None
            )
        self._set_timer()

    def _expire(self, key: Key, second: int, now: float) -> bool:
        entry = self.values.find(key)
        if entry is None or entry.deadline is None or int(entry.deadline) != second:
            return True  # deleted, set again or touched since
        if entry.deadline > now:
            return False
        self.values.leave(key)
        self.counters.expired += 1
        return True

    def _set_timer(self) -> None:
        """Have a timer for the earliest second, and no other."""
        when = self._deadlines.next_s
        if self._timer is not None:
            if when is not None and self._timer.when() <= when:
                return
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = self.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self.sweep(VISITS):
            self._set_timer()
        else:
            self._timer = self.loop.call_at(self.loop.time(), self._on_timer)

    # Writing

    def units_now(self, data: bytes) -> Units | None:
        """The units of a value, at once; None if its set has to wait, be it for those who wait already."""
        if self.room.waited_for or self._admission.waiting:
            return None
        return self.compressor.compress_now(data)

    def put_now(self, key: Key, data: bytes, units: Units, ttl: float | None) -> bool:
        """Set a value at once, of what `units_now` has just said; False if it has to wait for room.

        ValueTooLargeError: it is larger than the budget allows, and nothing was changed.
        """
        room, file = self.room, self.file
        size = size_in_memory(key, units)
        if size > room.most:
            raise self._too_large(size)
        if not room.has(key, size):
            self.sweep(VISITS)
            if not room.has(key, size) and (file is not None or not room.make_now(key, size)):
                return False
        if self.writes.open:
            self.writes.mark(key)
        self._publish(key, Held(units, len(data), zlib.crc32(data) if file is not None else 0), size, ttl)
        return True

    async def put_in_turn(
        self, key: Key, data: bytes, ttl: float | None, ticket: int, units: Units | None = None
    ) -> None:
        """Set a value that takes its time, or has to wait for room; errors as in `put_now`. `units`, if there are any.

        It is not set, silently, when a write that was called later has ended before.
        """
        bound = size_in_memory(key, data) + len(data) // 1000  # more than the units' headers, were all of them raw
        await self._admission.enter(bound)
        try:
            if units is None:
                units = await self.compressor.compress(data)
            crc = await self._checksum(data) if self.file is not None else 0
            size = size_in_memory(key, units)
            if size > self.room.most:
                raise self._too_large(size)
            self._admission.leave(bound - size)
            bound = size
            await self.room.take()  # with no turn since our own in line, so that nobody overtakes
            try:
                if self.writes.counts(key, ticket):
                    self.sweep(VISITS)
                    await self.room.make(key, size)
                self._finish(key, Held(units, len(data), crc), size, ttl, ticket)
            finally:
                self.room.give()
        finally:
            self._admission.leave(bound)

    def _finish(self, key: Key, entry: Held, size: int, ttl: float | None, ticket: int) -> None:
        """Publish what has waited, if it still counts."""
        if self.room.closed:
            raise StoreClosedError("the cache was closed while this value was on its way")
        if not self.writes.counts(key, ticket):
            self.counters.sets += 1
            return
        self.writes.mark(key, ticket)
        self._publish(key, entry, size, ttl)

    def _publish(self, key: Key, entry: Held, size: int, ttl: float | None) -> None:
        self.values.put(key, entry, size)
        self.counters.sets += 1
        if ttl is not None:
            self.expire_at(key, entry, self.loop.time() + ttl)

    def _too_large(self, size: int) -> ValueTooLargeError:
        self.counters.rejected += 1
        return ValueTooLargeError(size, self.room.most, "90 % of max_bytes; raise it, or do not cache such values")

    # Reading

    async def read(self, key: Key, entry: Held | Spilled) -> bytes | None:
        """The plain bytes of an entry that takes its time; None if they are damaged, and then it is gone."""
        if isinstance(entry, Spilled):
            return await self._read_back(key, entry)
        plain = await self.compressor.plain(entry.units, entry.length)
        if plain is None:
            self.lose(key, entry)
        return plain

    def lose(self, key: Key, entry: Entry) -> None:
        """The value is damaged, and not to be found any more."""
        self.counters.damaged += 1
        if self.values.find(key) is entry:
            self.values.leave(key)

    async def _read_back(self, key: Key, entry: Spilled) -> bytes | None:
        """From the file, and back into memory if there is room as it is."""
        assert self.file is not None
        units: Units = b""
        plain: bytes | None = None
        with suppress(OSError, CodecError):  # the file system's refusal to read is damage as well
            units = await self.file.read(entry.places)
            plain = await self.compressor.plain(units, entry.length)
        if plain is None or await self._checksum(plain) != entry.crc:
            self.lose(key, entry)
            return None
        self.counters.spill_hits += 1
        is_there = self.values.spilled.get(key) is entry
        if is_there and not self.room.waited_for and self.room.has(key, size_in_memory(key, units)):
            self.values.move_to_memory(key, units)
        return plain

    async def _checksum(self, data: bytes) -> int:
        """The crc32 of plain bytes, with a turn for the others as often as is due, and none for a short value."""
        if len(data) <= TURN_BYTES:
            return zlib.crc32(data)
        crc = 0
        view = memoryview(data)
        for start in range(0, len(data), TURN_BYTES):
            await self.work.enter(min(TURN_BYTES, len(data) - start))
            crc = zlib.crc32(view[start : start + TURN_BYTES], crc)
        return crc

    def _free(self, places: Places) -> None:
        if self.file is not None:
            self.file.free(places)
