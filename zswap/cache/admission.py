"""How much may be in progress: bytes of values being compressed, or waiting for room. First come, first served."""

from acomp.parking_lot import ParkingLot


class Admission:
    """At most `limit` bytes in progress (None: any), but one value always."""

    __slots__ = ("_limit", "_line", "in_progress")

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._line: ParkingLot[int] = ParkingLot()
        self.in_progress = 0

    def __repr__(self) -> str:
        return f"<Admission: {self.in_progress} bytes in progress, {len(self._line)} waiting>"

    @property
    def waiting(self) -> bool:
        """Whether somebody stands in line."""
        return self.in_progress > 0 and bool(self._line)

    async def enter(self, nbytes: int) -> None:
        """Wait for our turn; `nbytes` count as in progress then, until `leave`."""
        if not self._line and self._fits(nbytes):
            self.in_progress += nbytes
            return
        try:
            await self._line.park(self.leave, wish=nbytes)
        except BaseException:
            self._serve()  # who is next in line may want fewer, and fit
            raise

    def leave(self, nbytes: int) -> None:
        """So many bytes are no longer in progress."""
        self.in_progress -= nbytes
        self._serve()

    def _fits(self, nbytes: int) -> bool:
        return self._limit is None or not self.in_progress or self.in_progress + nbytes <= self._limit

    def _serve(self) -> None:
        while (nbytes := self._line.next_wish()) is not None and self._fits(nbytes):
            self.in_progress += nbytes
            self._line.hand_over(nbytes)
