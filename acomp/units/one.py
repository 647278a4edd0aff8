"""The core's wrapper: a unit request of exactly one unit, for an algorithm that knows plain buffers only (v14)."""

from collections.abc import Awaitable, Callable
from errno import ECANCELED, EINPROGRESS
from typing import Any

from ..request import PENDING, AcompReq, Completion
from ..sg import SgEntry, nbytes
from ..wait import Code


def as_one_unit(method: Callable[[AcompReq], Code]) -> Callable[[AcompReq], Code]:
    """`method` for a request whose folio is one unit: it sees plain buffers, and no unit size.

    Afterwards, and before the owner's completion function is called, everything is as the owner had set it, and the
    first entry has the length or the error.
    """
    return lambda req: _OneUnit(req).run(method)


class _OneUnit:
    """What the owner of the request had set, while the algorithm has it as a plain one."""

    __slots__ = ("_capacity", "_completion", "_dlen", "_dst", "_req", "_src", "_unit_size")

    def __init__(self, req: AcompReq) -> None:
        self._req = req
        self._src = req.src
        self._dst = req.dst
        self._dlen = req.dlen
        self._unit_size = req.unit_size
        self._completion: Completion | None = req.base.completion
        entry: SgEntry = req.dst[0]
        self._capacity = min(req.unit_size or req.dlen, nbytes(entry.buffer))

    def run(self, method: Callable[[AcompReq], Code]) -> Code:
        self._become_plain()
        try:
            code = method(self._req)
        except BaseException:
            self._finish(-ECANCELED)
            raise
        if not isinstance(code, int):
            self._restore()
            return self._await(code)
        return code if code in PENDING else self._finish(code)

    async def _await(self, work: Awaitable[int]) -> int:
        """Nothing has begun before this is awaited, so the owner's settings were put back for as long."""
        self._become_plain()
        try:
            code = await work
        except BaseException:
            self._finish(-ECANCELED)
            raise
        return code if code in PENDING else self._finish(code)

    def _become_plain(self) -> None:
        req = self._req
        req.src, req.dst, req.dlen, req.unit_size = self._src.view(), self._dst[0].buffer, self._capacity, 0
        req.base.completion = self._complete

    def _restore(self) -> None:
        req = self._req
        req.src, req.dst, req.dlen, req.unit_size = self._src, self._dst, self._dlen, self._unit_size
        req.base.completion = self._completion

    def _complete(self, data: Any, err: int) -> None:
        """The internal completion function. A notice is passed on and ends nothing."""
        if err != -EINPROGRESS:
            self._finish(err)
        if self._completion is not None:
            self._completion(data, err)

    def _finish(self, code: int) -> int:
        req, entry = self._req, self._dst[0]
        length, output = req.dlen, req.output
        self._restore()
        req.output = None
        entry.output, entry.path = (None if code else output), req.path
        entry.length = code or length
        if not code:
            req.dlen = length
        return code
