"""Software inflate: what the driver does itself when the device cannot decompress (docs/kernel.md#inflate)."""

import asyncio
from errno import EINVAL

from acomp import PAGE_SIZE, AcompReq, cpu
from acomp.codecs import CodecError, DeflateCodec, self_test


class SoftwareInflate:
    """One inflater for the whole driver; with patch 11 its users are served one at a time, first come first served.

    Differs from the kernel: without patch 11 nothing is corrupted (there, two users at once spoil each other's page),
    and the output is limited to what the destination holds, not only to a page.
    """

    def __init__(self, serialised: bool) -> None:
        self_test("deflate")
        self._codec = DeflateCodec()
        self._lock = asyncio.Lock() if serialised else None

    async def run(self, req: AcompReq) -> int:
        """Inflate `req` into its destination, at most one page: 0 or -EINVAL."""
        if self._lock is None:
            return await self._inflate(req)
        async with self._lock:
            return await self._inflate(req)

    async def _inflate(self, req: AcompReq) -> int:
        cpu.charge("deflate.decompress")
        await cpu.settle()
        req.path = "software"
        try:
            output = self._codec.decompress(req.source(), min(PAGE_SIZE, req.dlen))
        except CodecError:
            return -EINVAL
        req.deliver(output)
        return 0
