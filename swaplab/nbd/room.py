"""How much may be in flight: a bound for each client and one for all, with a line of those who wait.

In flight is what a command brings or asks for, from when its header was read until its reply is with the kernel. A
client that holds room and does nothing with it (half a payload, replies that it never reads) is turned out as soon as
somebody waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from .wire import MAX_PAYLOAD

ALL_BYTES: Final = 64 << 20
CLIENT_BYTES: Final = MAX_PAYLOAD + (1 << 20)
COMMAND_BYTES: Final = 1024
"""What every command counts, for what it costs us."""
STALL_S: Final = 10.0
"""Seconds for which a client may hold room without moving while others wait."""


class Share:
    """What one client has in flight.

    `admitted` is called with a claim that was refused, when it is granted later on; `evict` to end the client.
    `stalled_since` is the loop time since which the client has been expected to send or to read; None: it is our turn.
    """

    def __init__(self, room: "Room", admitted: Callable[[int], None], evict: Callable[[], None]) -> None:
        self._room = room
        self.admitted = admitted
        self.evict = evict
        self.used = 0
        self.wish = 0
        self.stalled_since: float | None = None

    def claim(self, nbytes: int) -> bool:
        """Take so much now; or wait for it in line, and `admitted` is called then."""
        if self._fits(nbytes) and self._room.take(nbytes):
            self.used += nbytes
            return True
        self.wish = nbytes
        if self._fits(nbytes):
            self._room.stand_in_line(self)
        return False

    def release(self, nbytes: int) -> None:
        """Give so much back. Who waits for it is admitted."""
        self.used -= nbytes
        self._room.give_back(nbytes)
        if self.wish and self._fits(self.wish):
            self._room.stand_in_line(self)  # it was its own bound that it waited for

    def close(self) -> None:
        """The client is gone: it waits for nothing any more. What it has in flight is released as it ends."""
        self.wish = 0
        self._room.leave_line(self)

    def _fits(self, nbytes: int) -> bool:
        return self.used + nbytes <= CLIENT_BYTES


class Room:
    """The bound for all clients together."""

    def __init__(self) -> None:
        self.used = 0
        self._line: deque[Share] = deque()
        self._serving = False
        self._shares: set[Share] = set()
        self._watch: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Room: {self.used} of {ALL_BYTES} bytes in flight, {len(self._line)} clients wait>"

    def share(self, admitted: Callable[[int], None], evict: Callable[[], None]) -> Share:
        """For one client; to be closed."""
        share = Share(self, admitted, evict)
        self._shares.add(share)
        return share

    def take(self, nbytes: int) -> bool:
        """Take so much, if there is room and nobody waits."""
        if self._line or self.used + nbytes > ALL_BYTES:
            return False
        self.used += nbytes
        return True

    def stand_in_line(self, share: Share) -> None:
        """Admit it as soon as its wish can be granted, in order."""
        if share not in self._line:
            self._line.append(share)
        self._serve()
        if self._line and self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(STALL_S, self._turn_out)

    def give_back(self, nbytes: int) -> None:
        """So much is not in flight any more."""
        self.used -= nbytes
        self._serve()

    def leave_line(self, share: Share) -> None:
        """It is gone."""
        self._shares.discard(share)
        if share in self._line:
            self._line.remove(share)
            self._serve()
        self._rest()

    def _serve(self) -> None:
        """Admit who is next, as long as there is room.

        Who is admitted may claim more, or release it, in the same step: then it is this very loop that goes on, and
        nobody is admitted while he claims.
        """
        if self._serving:
            return
        self._serving = True
        try:
            while self._line and self.used + self._line[0].wish <= ALL_BYTES:
                share = self._line.popleft()
                nbytes, share.wish = share.wish, 0
                share.used += nbytes
                self.used += nbytes
                share.admitted(nbytes)
        finally:
            self._serving = False
        self._rest()

    def _rest(self) -> None:
        if not self._line and self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _turn_out(self) -> None:
        """Somebody has waited for a while: end those who hold room and have not moved for as long."""
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(STALL_S, self._turn_out)
        late = loop.time() - STALL_S
        for share in list(self._shares):
            if share.used and share.stalled_since is not None and share.stalled_since <= late:
                share.evict()
