"""The file behind a cache: units in contiguous slots of 4 KiB, which nobody but this process ever sees.

A write holds its slots until it has landed, a read all slots of its value, as `DeviceIo` does for single calls: what is
freed meanwhile comes back into use only then.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from acomp import PAGE_SIZE

from ..swap.device import SwapDevice
from ..swap.device_io import DeviceIo
from ..swap.slots import CLUSTER, NO_SLOT, SwapSlots
from .entry import UNIT_BYTES, Places, Units

LENGTH_BITS: Final = UNIT_BYTES.bit_length()
"""Of a place, the low bits are the length of a unit in bytes, the others its first slot."""
LENGTH_MASK: Final = (1 << LENGTH_BITS) - 1
RUN_SLOTS: Final = 64
"""Slots of several values that are written in one call."""
assert RUN_SLOTS <= CLUSTER


class SpillFile:
    """Units of values on a swap device, which is the file's alone and is closed with it."""

    def __init__(self, device: SwapDevice) -> None:
        self._slots = SwapSlots(device.nr_slots)
        self._io = DeviceIo(device, self._slots)

    def __repr__(self) -> str:
        return f"<SpillFile: {self._slots!r}>"

    @property
    def nr_slots(self) -> int:
        """Slots that there are."""
        return self._slots.nr_slots

    @property
    def used(self) -> int:
        """Slots in use."""
        return self._slots.used

    def allocate(self, values: Sequence[Units]) -> list[Places] | None:
        """Places for each of these values, together in a run where there is one; None when there is no room."""
        lengths = [[len(piece) for piece in pieces_of(units)] for units in values]
        flat = [length for value in lengths for length in value]
        slots = self._allocate([slots_of(length) for length in flat])
        if slots is None:
            return None
        places = (slot << LENGTH_BITS | length for slot, length in zip(slots, flat, strict=True))
        return [tuple(next(places) for _ in value) for value in lengths]

    def _allocate(self, counts: list[int]) -> list[int] | None:
        first = self._slots.allocate(sum(counts))
        if first != NO_SLOT:
            return [first + sum(counts[:number]) for number in range(len(counts))]
        found: list[int] = []
        for count in counts:
            slot = self._slots.allocate(count)
            if slot == NO_SLOT:
                for taken, nr in zip(found, counts, strict=False):
                    self._slots.free(taken, nr)
                return None
            found.append(slot)
        return found

    def free(self, places: Places) -> None:
        """The value is gone; its slots come back into use as soon as no call works on them."""
        for place in places:
            self._slots.free(place >> LENGTH_BITS, slots_of(place & LENGTH_MASK))

    async def write(self, values: Sequence[Units], places: Sequence[Places]) -> None:
        """Write values to their places, neighbours in one call. OSError when the device cannot."""
        pieces = [piece for units in values for piece in pieces_of(units)]
        slots = [place >> LENGTH_BITS for value in places for place in value]
        run: list[bytes] = []
        start = end = -1
        for piece, slot in zip(pieces, slots, strict=True):
            if slot != end or end - start >= CLUSTER:
                if run:
                    await self._io.write(start, b"".join(run))
                start, run, end = slot, [], slot
            run.append(_padded(piece))
            end += slots_of(len(piece))
        await self._io.write(start, b"".join(run))

    async def read(self, places: Places) -> Units:
        """The units at these places. OSError when the device cannot."""
        held = [(place >> LENGTH_BITS, slots_of(place & LENGTH_MASK)) for place in places]
        for slot, nr in held:
            self._slots.hold(slot, nr)
        try:
            units = [
                (await self._io.read(slot, nr))[: place & LENGTH_MASK]
                for (slot, nr), place in zip(held, places, strict=True)
            ]
        finally:
            for slot, nr in held:
                self._slots.drop(slot, nr)
        return units[0] if len(units) == 1 else tuple(units)

    async def landed(self, timeout: float) -> bool:
        """Wait until no call works on the device, at most `timeout` seconds; whether that is so."""
        return await self._io.in_flight.ended(timeout)

    def close(self) -> None:
        """Refuse calls from now on; the file is gone when the last one has landed."""
        self._io.close()


def slots_of(nbytes: int) -> int:
    """Slots that a unit takes."""
    return -(-nbytes // PAGE_SIZE) or 1


def slots_of_value(units: Units) -> int:
    """Slots that a value takes."""
    return sum(slots_of(len(piece)) for piece in pieces_of(units))


def slots_of_places(places: Places) -> int:
    """Slots that a value has."""
    return sum(slots_of(place & LENGTH_MASK) for place in places)


def pieces_of(units: Units) -> Iterable[bytes]:
    """The units of a value; one that was kept raw as a whole is cut, as no unit in the file is longer than 128 KiB."""
    if isinstance(units, tuple):
        return units
    if len(units) <= UNIT_BYTES:
        return (units,)
    return [units[start : start + UNIT_BYTES] for start in range(0, len(units), UNIT_BYTES)]


def _padded(piece: bytes) -> bytes:
    return piece.ljust(slots_of(len(piece)) * PAGE_SIZE, b"\0")
