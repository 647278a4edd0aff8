"""What a context knows of the way its pages go to the compressor. The ways are in `zswap.paths.interfaces`."""

from collections.abc import Callable
from typing import ClassVar, Protocol

from acomp import AcompReq, CryptoAcomp, CryptoWait

from ..folio import Folio


class Interface(Protocol):
    """One generation's way of giving a batch of pages to a transform: its requests, its buffers, how it calls.

    Whoever calls sees outputs and codes, whichever way it is. Made with nothing in it; one per context, for whose
    holder alone it works.
    """

    reqs: list[AcompReq]
    """The first one serves single requests, too: it has the callback, and nobody else has one."""
    buffers: list[bytearray]
    """Where outputs go that the algorithm does not have as objects."""
    batch_size: int
    """Pages that go to the compressor at once; 1: page by page; 0 until it is allocated."""
    pool_tells_size: ClassVar[bool]
    """Whether stores ask the pool for the size of a batch (v9 on), and not the locked context (v8)."""

    def allocate(self, tfm: CryptoAcomp, nr: int) -> None:
        """Get ready for batches of at most `nr` pages. MemoryError, and nothing is left behind."""

    async def compress(self, folio: Folio, first: int, nr: int) -> list[bytes | int]:
        """The output of each of `nr` pages of the folio from `first` on, or its negative errno; at most `batch_size`.

        Cancelled, it leaves at once, and requests may be busy. Whatever else happens to a page is a code.
        """

    def busy_requests(self) -> list[AcompReq]:
        """Those that somebody still holds, of all that were submitted since the last `reset`."""

    def reset(self) -> None:
        """Leave idle requests as the next holder of the context expects them."""


MakeInterface = Callable[[CryptoWait], Interface]
"""Makes an interface whose first request tells this wait object of its end."""
