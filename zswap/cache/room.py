"""Room for a new value: what is oldest leaves memory, to the file if there is one, before the value is published.

Without a file that is a plain call. With one, whoever needs room waits for the writes, one after the other and in the
order in which they came; as long as somebody does, nobody else takes the room that comes free.
"""

import asyncio
import logging
import sys
from typing import Final

from ..errors import StoreClosedError
from ..mutex import Mutex
from .counters import Counters
from .entry import Entry, Held, Places, Units, size_in_file
from .eviction import ACCEPT_PERCENT, VISITS, Victim, victims
from .keys import Key
from .spill import RUN_SLOTS, SpillFile, slots_of_places, slots_of_value
from .values import Values

LOGGER: Final = logging.getLogger("zswap.cache")
WARN_EVERY_S: Final = 60.0
WORTH_A_SLOT: Final = 256
"""Bytes of units below which a value is not written to the file: where it lies would take nearly as much memory."""


class Room:
    """The budget of one cache: `max_bytes` of memory, or None for as much as is asked for."""

    __slots__ = ("_counters", "_mutex", "_values", "_warned_at", "closed", "file", "max_bytes", "most")

    def __init__(self, values: Values, counters: Counters, max_bytes: int | None, file: SpillFile | None) -> None:
        self._values = values
        self._counters = counters
        self._mutex = Mutex()
        self._warned_at: float | None = None
        self.closed = False
        self.file = file
        self.max_bytes = max_bytes
        self.most = sys.maxsize if max_bytes is None else max_bytes * ACCEPT_PERCENT // 100
        """Bytes to which eviction goes down, and the most that one value may take."""

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for room, so that nobody may take any without waiting."""
        return self._mutex.locked

    def has(self, key: Key, need: int) -> bool:
        """Whether a value of `need` bytes fits as it is, in place of what the key has now."""
        return self.max_bytes is None or self._after(key, need) <= self.max_bytes

    def make_now(self, key: Key, need: int) -> bool:
        """Let the oldest go for good until a tenth of the budget is free with the value; False if that takes longer."""
        visits = VISITS
        while (excess := self._after(key, need) - self.most) > 0 and visits > 0:
            gone, visited = victims(self._values, excess, self._values.find(key), _size, visits)
            self._lose(gone)
            visits -= visited
        return excess <= 0

    async def take(self) -> None:
        """Wait for our turn to make room. Let others have theirs by `give`, whatever happens."""
        await self._mutex.acquire()

    def give(self) -> None:
        """The room was used, or is not needed any more."""
        self._mutex.release()

    async def make(self, key: Key, need: int) -> None:
        """Let the oldest go to the file, or for good where that is not possible; for who has its turn."""
        if self.has(key, need):
            return
        while self._after(key, need) > self.most:
            if self.file is not None:
                await self._make_by_writing(key, need, self.file)
            elif not self.make_now(key, need):
                await asyncio.sleep(0)
            if self.closed:
                raise StoreClosedError("the cache was closed while this value waited for room")

    async def _make_by_writing(self, key: Key, need: int, file: SpillFile) -> None:
        values = self._values
        excess = self._after(key, need) - self.most
        self._bound_records(values.find(key))
        gone, _ = victims(values, excess, values.find(key), _freed)
        if len(values.held) == (key in values.held):
            self._drop_oldest(values.find(key), memory=excess)
        self._lose([victim for victim in gone if not _is_worth_a_slot(victim[1].units)])
        for run in _runs([victim for victim in gone if _is_worth_a_slot(victim[1].units)]):
            await self._spill(run, file, key)
            if self.closed:
                return

    def _after(self, key: Key, need: int) -> int:
        """Bytes of memory when the value is in."""
        return self._values.bytes - self._values.size(key) + need

    def _bound_records(self, keep: Entry | None) -> None:
        """Keys and entries of spilled values take half of the budget at most; beyond it, the oldest go for good."""
        most = self.most // 2
        if self._values.spilled_bytes > most:
            self._drop_oldest(keep, memory=self._values.spilled_bytes - most * ACCEPT_PERCENT // 100)

    async def _spill(self, run: list[Victim], file: SpillFile, keep: Key) -> None:
        """Write some values to the file; those that are still there and the same are in the file then."""
        places = self._places_for(run, file, keep)
        if places is None:
            self._lose(run)
            return
        taken = False
        try:
            await file.write([held.units for _, held in run], places)
            taken = True
        except OSError as error:
            self._warn(error)
            self._lose(run)
        finally:
            for (key, held), where in zip(run, places, strict=True):
                if taken and self._values.held.get(key) is held:
                    self._values.move_to_file(key, where)
                    self._counters.evicted += 1
                    self._counters.spilled += 1
                else:
                    file.free(where)

    def _places_for(self, run: list[Victim], file: SpillFile, keep: Key) -> list[Places] | None:
        """Room in the file, for which the oldest there go if need be; None when it is too small for these values."""
        units = [held.units for _, held in run]
        while (places := file.allocate(units)) is None:
            wanted = sum(map(slots_of_value, units))
            spare = file.nr_slots * (100 - ACCEPT_PERCENT) // 100
            if not self._drop_oldest(self._values.find(keep), slots=max(wanted, spare)):
                return None
        return places

    def _drop_oldest(self, keep: Entry | None, memory: int = 0, slots: int = 0) -> int:
        """Drop the oldest values in the file until so many bytes of memory, and slots, come free; how many it were."""
        values = self._values
        values.close_gaps()
        gone = []
        for key, spilled in values.spilled.items():
            if memory <= 0 and slots <= 0:
                break
            if spilled is not keep:
                memory -= spilled.size(key)
                slots -= slots_of_places(spilled.places)
                gone.append(key)
        for key in gone:
            values.leave(key)
        self._counters.dropped += len(gone)
        return len(gone)

    def _lose(self, run: list[Victim]) -> None:
        """These leave memory, and there is no other place for them."""
        for key, held in run:
            if self._values.held.get(key) is held:
                self._values.leave(key)
                self._counters.evicted += 1
                self._counters.dropped += self.file is not None

    def _warn(self, error: OSError) -> None:
        now = asyncio.get_running_loop().time()
        if self._warned_at is None or now - self._warned_at >= WARN_EVERY_S:
            self._warned_at = now
            LOGGER.warning("the cache's file cannot be written (%s): the oldest values are dropped instead", error)


def _size(key: Key, held: Held) -> int:
    return held.size(key)


def _freed(key: Key, held: Held) -> int:
    """Bytes of memory that come free when this value goes to the file, or is dropped as too small for that."""
    size = held.size(key)
    return size - size_in_file(key, (0,)) if _is_worth_a_slot(held.units) else size


def _is_worth_a_slot(units: Units) -> bool:
    return isinstance(units, tuple) or len(units) >= WORTH_A_SLOT


def _runs(victims: list[Victim]) -> list[list[Victim]]:
    """Victims by twos and threes, as many as one write takes; a large one alone."""
    runs: list[list[Victim]] = []
    room = 0
    for victim in victims:
        slots = slots_of_value(victim[1].units)
        if slots > room:
            runs.append([])
            room = RUN_SLOTS
        runs[-1].append(victim)
        room -= slots
    return runs
