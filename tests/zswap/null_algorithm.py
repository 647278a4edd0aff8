"""An algorithm of our own for the tests of the store: it runs on no codec and lands jobs when a test says so.

A page "compresses" to the bytes before its trailing zeroes (at least one), so tests choose each length. What does not
fit, or is told to fail, gives an errno. `NullDevice.jobs` are the jobs under way; `land` finishes them.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import E2BIG, EINPROGRESS, EINVAL
from typing import Any

from acomp import (
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    CRYPTO_ALG_REQ_SEG,
    AcompAlg,
    AcompReq,
    Code,
    Units,
    acomp_array_method,
    acomp_do_async_req_chain,
    acomp_do_unit_req,
    acomp_is_reqchain,
    acomp_request_get,
    acomp_request_put,
    crypto_register_acomp,
    fault,
)

PAGE = 4096
COMPRESS_FAULT = fault.declare("test.null.compress", "the null algorithm cannot compress this page: -EINVAL")


def page_of(length: int, fill: int = 1) -> bytes:
    """A page that the null algorithm compresses to `length` bytes."""
    return bytes([fill]) * length + bytes(PAGE - length)


def null_compress(page: bytes) -> bytes:
    return page.rstrip(b"\0") or b"\0"


class UnitJob:
    """One unit under way. `reqs` are held for it, because whoever submitted it was cancelled."""

    def __init__(self) -> None:
        self.reqs: list[AcompReq] = []


class NullDevice:
    """The device behind the asynchronous null algorithm, which takes chains, arrays and units.

    With `automatic` a job lands in a later turn of the loop; else a test calls `land`. `errors` maps the number of a
    compression (from 0) to the code that it ends with.
    """

    def __init__(self, batch_size: int = 8, automatic: bool = True) -> None:
        self.batch_size = batch_size
        self.automatic = automatic
        self.errors: dict[int, int] = {}
        self.jobs: list[AcompReq | UnitJob] = []
        self.calls: list[str] = []
        self.compressions = 0
        self.decompressions = 0
        self._results: dict[int, tuple[int, bytes]] = {}
        self._left: list[UnitJob] = []
        self._progress: asyncio.Event = asyncio.Event()
        self.alg = AcompAlg(
            cra_name="null",
            cra_driver_name="null-async",
            cra_priority=200,
            cra_flags=CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN | CRYPTO_ALG_REQ_SEG,
            compress=self._compress,
            decompress=self._decompress,
            get_batch_size=lambda: self.batch_size,
            batch_compress=self._batch_compress,
        )

    def land(self, count: int | None = None) -> None:
        """Finish the oldest `count` jobs, or all."""
        for job in self.jobs[:count]:
            self.jobs.remove(job)
            for req in job.reqs if isinstance(job, UnitJob) else [job]:
                acomp_request_put(req)
        self._progress.set()

    async def quiesce(self) -> None:
        """Let everything under way land."""
        while self.jobs:
            self.land()
            await asyncio.sleep(0)

    def _compress(self, req: AcompReq) -> Code:
        if type(req.dst) is tuple:
            self.calls.append("unit")
            return acomp_do_unit_req(req, self._do_units, self._abandon_units)
        self.calls.append("chain" if acomp_is_reqchain(req) else "compress")
        return self._run(req, self._begin_compress)

    async def _batch_compress(self, *arrays: Any) -> bool:
        self.calls.append("array")
        return await acomp_array_method(self._do_units, self._abandon_units, compressing=True)(*arrays)

    async def _do_units(self, units: Units) -> int:
        outcomes = [
            self._outcome(bytes(source), room) for source, room in zip(units.sources, units.capacities, strict=True)
        ]
        mine = [UnitJob() for _ in outcomes]
        self.jobs += mine
        try:
            while not {*self.jobs}.isdisjoint(mine):
                await self._relax([])
        except BaseException:
            self._left = [job for job in mine if job in self.jobs]
            raise
        units.outcomes = [err or output for err, output in outcomes]
        return 0

    def _abandon_units(self, req: AcompReq) -> None:
        for job in self._left:
            acomp_request_get(req)
            job.reqs.append(req)
        self._abandon(req)

    def _decompress(self, req: AcompReq) -> Code:
        self.calls.append("decompress")
        return self._run(req, self._begin_decompress)

    async def _run(self, head: AcompReq, submit: Callable[[AcompReq], int]) -> int:
        return await acomp_do_async_req_chain(head, submit, self._poll, relax=self._relax, abandon=self._abandon)

    def _begin_compress(self, req: AcompReq) -> int:
        return self._begin(req, *self._outcome(bytes(req.source()), req.dlen))

    def _outcome(self, page: bytes, room: int) -> tuple[int, bytes]:
        """The code that compressing this page ends with, and the output."""
        blob = null_compress(page)
        err = self.errors.get(self.compressions, 0)
        self.compressions += 1
        if fault.should_fail(COMPRESS_FAULT):
            err = -EINVAL
        return err or (-E2BIG if len(blob) > room or len(blob) == PAGE else 0), blob

    def _begin_decompress(self, req: AcompReq) -> int:
        self.decompressions += 1
        return self._begin(req, -EINVAL if req.slen > PAGE else 0, bytes(req.source()).ljust(PAGE, b"\0"))

    def _begin(self, req: AcompReq, err: int, output: bytes) -> int:
        self._results[req.serial] = (err, output)
        self.jobs.append(req)
        acomp_request_get(req)
        return -EINPROGRESS

    def _poll(self, req: AcompReq) -> int:
        if req in self.jobs:
            return -EINPROGRESS
        err, output = self._results.pop(req.serial)
        if not err:
            req.deliver(output)
        return err

    def _abandon(self, req: AcompReq) -> None:
        """Its submitter was cancelled. The job lands all the same."""
        if self.automatic:
            asyncio.get_running_loop().call_soon(self.land)

    async def _relax(self, pending: Sequence[AcompReq]) -> None:
        if self.automatic:
            await asyncio.sleep(0)
            self.land()
            return
        self._progress.clear()
        await self._progress.wait()


@contextmanager
def null_algorithm(batch_size: int = 8, automatic: bool = True) -> Iterator[NullDevice]:
    """Register `null-async` in the current registry for the duration."""
    device = NullDevice(batch_size, automatic)
    assert crypto_register_acomp(device.alg) == 0
    yield device


def sync_null(
    name: str = "null-sync", code: Callable[[bytes], int] = lambda page: 0, batch_size: int | None = None
) -> AcompAlg:
    """A synchronous null algorithm; `code(page)` says what each compression ends with."""

    def compress(req: AcompReq) -> int:
        page = bytes(req.source())
        err = code(page) or (-EINVAL if fault.should_fail(COMPRESS_FAULT) else 0)
        if not err:
            req.deliver(null_compress(page))
        return err

    def decompress(req: AcompReq) -> int:
        req.deliver(bytes(req.source()).ljust(PAGE, b"\0"))
        return 0

    alg = AcompAlg(
        cra_name=name,
        cra_driver_name=name,
        cra_priority=1,
        cra_flags=0,
        compress=compress,
        decompress=decompress,
        get_batch_size=(lambda: batch_size) if batch_size is not None else None,
    )
    assert crypto_register_acomp(alg) == 0
    return alg
