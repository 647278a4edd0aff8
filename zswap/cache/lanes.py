"""Requests with their buffers, of one transform, for whoever compresses a value: taken, used once, and given back.

A lane whose user was cancelled comes back when its job has landed, for hardware goes on writing to its buffers.
"""

from collections.abc import Awaitable, Callable
from errno import ENOMEM
from typing import Final, TypeVar

from acomp import (
    CRYPTO_ACOMP_OUTPUT_ONLY,
    CRYPTO_TFM_REQ_MAY_BACKLOG,
    AcompReq,
    Code,
    CryptoAcomp,
    CryptoWait,
    SgEntry,
    acomp_request_alloc,
    acomp_request_free,
    acomp_request_set_callback,
    acomp_request_set_dst_sg,
    acomp_request_set_params,
    acomp_request_set_src_folio,
    acomp_request_set_unit_size,
    acomp_request_when_idle,
    crypto_acomp_compress,
    crypto_acomp_decompress,
    crypto_alloc_acomp,
    crypto_free_acomp,
    crypto_req_done,
    crypto_wait_req,
    fault,
)

from .entry import UNIT_BYTES

GROUP: Final = 8
"""Units of one unit request, and so the buffers of a lane: 1 MiB."""

T = TypeVar("T")

UNIT: Final = fault.declare(
    "zswap.cache.unit", "no memory to compress (-ENOMEM) units of a cache's value: they are kept raw"
)


class Lane:
    """A request, the buffer for a single unit, and a table with more of them once several went through it."""

    __slots__ = ("_buffer", "_entries", "_wait", "req")

    def __init__(self, tfm: CryptoAcomp) -> None:
        self._wait = CryptoWait()
        self._buffer = bytearray(UNIT_BYTES)
        self._entries: tuple[SgEntry, ...] = ()
        self.req: AcompReq = acomp_request_alloc(tfm)
        self.req.flags |= CRYPTO_ACOMP_OUTPUT_ONLY
        acomp_request_set_callback(self.req, CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done, self._wait)

    def compress_now(self, data: bytes | memoryview) -> bytes | int:
        """One unit, by a generic algorithm, which never waits: as `compress`."""
        code = self._begin(data)
        assert isinstance(code, int), "a generic algorithm ends in a code at once"
        return code or self._output()

    async def compress(self, data: bytes | memoryview) -> bytes | int:
        """One unit: its compressed form, shorter than itself, or a negative errno."""
        self._wait.reinit()
        return await crypto_wait_req(self._begin(data), self._wait) or self._output()

    def _begin(self, data: bytes | memoryview) -> Code:
        if fault.should_fail(UNIT):
            return -ENOMEM
        # One byte less than there are, for what does not get shorter is of no use. (A capacity of 0 means any.)
        length = len(data)
        acomp_request_set_params(self.req, data, self._buffer, length, length - 1 or 1)
        return crypto_acomp_compress(self.req)

    async def decompress(self, unit: bytes, length: int) -> bytes | int:
        """The plain form of one unit, or a negative errno."""
        acomp_request_set_params(self.req, unit, self._buffer, len(unit), length)
        self._wait.reinit()
        return await crypto_wait_req(crypto_acomp_decompress(self.req), self._wait) or self._output()

    def _output(self) -> bytes:
        req = self.req
        return req.output if req.output is not None else bytes(memoryview(self._buffer)[: req.dlen])

    async def compress_group(self, data: bytes, start: int, nr: int) -> list[bytes | int]:
        """`nr` units of `data` from `start` on, all in one request; of each as `compress`."""
        if fault.should_fail(UNIT):
            return [-ENOMEM] * nr
        req, entries = self.req, self._entries_for(nr)
        acomp_request_set_unit_size(req, UNIT_BYTES)
        acomp_request_set_src_folio(req, data, start, min(nr * UNIT_BYTES, len(data) - start))
        acomp_request_set_dst_sg(req, entries, nr * (UNIT_BYTES - 1))
        self._wait.reinit()
        err = await crypto_wait_req(crypto_acomp_compress(req), self._wait)
        if err and min(entry.length for entry in entries) >= 0:
            return [err] * nr  # none of them was begun, so the entries say nothing
        return [
            min(entry.length, 0) or (entry.output if entry.output is not None else bytes(entry.buffer[: entry.length]))
            for entry in entries
        ]

    def _entries_for(self, nr: int) -> tuple[SgEntry, ...]:
        """The table of `nr` entries, each with room for one byte less than a unit has."""
        while len(self._entries) < nr:
            self._entries += (SgEntry(bytearray(UNIT_BYTES - 1)),)
        for entry in self._entries:
            entry.length, entry.output = 0, None
        return self._entries[:nr]

    def rest(self) -> None:
        """Nothing of what it worked on lives on with it."""
        req = self.req
        req.src = req.dst = req.output = None
        for entry in self._entries:
            entry.output = None


class Lanes:
    """The lanes of one transform, made as they are needed: as many as there are values in compression at once."""

    __slots__ = ("_closed", "_free", "_out", "tfm")

    def __init__(self, driver_name: str) -> None:
        self.tfm = crypto_alloc_acomp(driver_name)
        self._free: list[Lane] = []
        self._out = 0
        self._closed = False

    def take(self) -> Lane:
        """A lane for the caller alone, until `give_back`."""
        self._out += 1
        return self._free.pop() if self._free else Lane(self.tfm)

    async def run(self, work: Callable[[Lane], Awaitable[T]]) -> T:
        """What `work` does with a lane of its own. One that was left in the middle is not used again."""
        lane = self.take()
        try:
            done = await work(lane)
        except BaseException:
            self.give_back(lane, spoilt=True)
            raise
        self.give_back(lane)
        return done

    def give_back(self, lane: Lane, spoilt: bool = False) -> None:
        """The caller is through with it, though perhaps not the hardware."""
        acomp_request_when_idle(lane.req, lambda: self._landed(lane, spoilt))

    def _landed(self, lane: Lane, spoilt: bool) -> None:
        self._out -= 1
        if spoilt:
            acomp_request_free(lane.req)
        else:
            lane.rest()
            self._free.append(lane)
        if self._closed:
            self._dissolve()

    def close(self) -> None:
        """Give everything back as soon as nobody uses it."""
        self._closed = True
        self._dissolve()

    def _dissolve(self) -> None:
        free, self._free = self._free, []
        for lane in free:
            acomp_request_free(lane.req)
        if not self._out:
            crypto_free_acomp(self.tfm)
