"""When the event loop must be given a turn: pages are compressed inline, on its thread, and each takes its time.

One per store, asked by whoever has worked on pages inline. Whether that page waits for a turn then is the asker's.
"""

from typing import Final

from .params import ZSWAP_MAX_BATCH_SIZE

DECOMPRESSED_PER_COMPRESSED: Final = 4
"""Pages that decompress in the time that one takes to compress, roughly and for every codec here."""
INLINE_WORK_PER_TURN: Final = DECOMPRESSED_PER_COMPRESSED * ZSWAP_MAX_BATCH_SIZE
"""Decompressions, or a quarter as many compressions, after which a turn is due."""


class InlineWork:
    """Pages worked on inline since the last turn, over all calls.

    A turn is due after every 8 or 32 pages: nobody stalls the loop for long, and not every page pays for a turn.
    """

    __slots__ = ("_since_turn",)

    def __init__(self) -> None:
        self._since_turn = 0

    def turn_is_due(self, compressed: int = 0, decompressed: int = 0) -> bool:
        """Count so many pages more; whether the loop must be given a turn now. If so, the caller gives it one."""
        self._since_turn += DECOMPRESSED_PER_COMPRESSED * compressed + decompressed
        if self._since_turn < INLINE_WORK_PER_TURN:
            return False
        self._since_turn = 0
        return True

    @property
    def is_due(self) -> bool:
        """Whether one more page to be compressed would make a turn due."""
        return self._since_turn + DECOMPRESSED_PER_COMPRESSED >= INLINE_WORK_PER_TURN

    def given(self) -> None:
        """The loop has just had a turn, says who was called by it."""
        self._since_turn = 0

    def may_compress_at_once(self) -> bool:
        """Count a page that is compressed by a caller who cannot give a turn; False, uncounted, if one were due."""
        if self.is_due:
            return False
        self._since_turn += DECOMPRESSED_PER_COMPRESSED
        return True

    def may_decompress_at_once(self) -> bool:
        """Count a page that is decompressed by a caller who cannot give a turn; False, uncounted, if one were due."""
        if self._since_turn + 1 >= INLINE_WORK_PER_TURN:
            return False
        self._since_turn += 1
        return True
