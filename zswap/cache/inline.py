"""How long the loop is kept: work on its own thread, counted in plain bytes, and a turn for the others now and then."""

import asyncio
from typing import Final

from acomp.parking_lot import ParkingLot

TURN_BYTES: Final = 1 << 17
"""Bytes worked on inline after which the loop gets a turn: some 0.1 ms of decompression, 0.4 ms of compression."""


class InlineWork:
    """What all calls of a cache do inline in one turn of the loop: 128 KiB, and what was begun before they are full.

    Who comes later gets its share of the next turn, or stands in line for the one after that. As long as there is
    such a turn to come (`busy`), a callback at each of them hands out the next.
    """

    __slots__ = ("_done", "_line", "_loop", "_promised", "busy")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._line: ParkingLot[int] = ParkingLot()
        self._done = 0  # bytes of this turn
        self._promised = 0  # bytes of the next one
        self.busy = False
        """Whether nobody may begin anything now: this turn is full, or promised to who has waited."""

    def __repr__(self) -> str:
        return f"<InlineWork: {self._done} bytes done, {self._promised} in the next turn, {len(self._line)} waiting>"

    def spend(self, nbytes: int) -> None:
        """Count so many bytes, which need not have waited. If it is `busy` then, the caller has to give a turn."""
        self._done += nbytes
        if self._done >= TURN_BYTES and not self.busy:
            self.busy = True
            self._loop.call_soon(self._next_turn)

    async def enter(self, nbytes: int) -> None:
        """Wait until so many bytes may be worked on, which the caller does without waiting any more."""
        if not self.busy:
            self.spend(nbytes)
        elif self._promised < TURN_BYTES and not self._line:
            self._promised += nbytes
            await asyncio.sleep(0)  # to the next turn, and not to the one after it, as who stands in line
        else:
            await self._line.park(_unused, wish=nbytes)

    def _next_turn(self) -> None:
        self._done, self._promised = self._promised, 0
        while self._promised < TURN_BYTES and (nbytes := self._line.next_wish()) is not None:
            self._promised += nbytes
            self._line.hand_over(nbytes)
        self.busy = self._done > 0 or self._promised > 0  # of this turn, whoever was promised it comes first
        if self.busy:
            self._loop.call_soon(self._next_turn)


def _unused(nbytes: int) -> None:
    """Who is cancelled leaves its share unused: the turn after that is handed out all the same."""
