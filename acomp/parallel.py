"""The parallel runner: submit everything, then poll in rounds (patch 1; kernel-facts 3.4).

Nothing is polled before the last submit. -EAGAIN is final when a submit returns it and pending when a poll does. The
result of the run is the head's alone: whoever wants to know about the members reads each one's err.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from errno import EAGAIN, ECANCELED
from typing import Any, Final

from . import trace
from .chain import begin_run, end_run, runs_as_chain
from .request import PENDING, AcompReq, refuse_code
from .tfm import acomp_is_async
from .wait import Code

Operation = Callable[[AcompReq], Code]
Relax = Callable[[Sequence[AcompReq]], Awaitable[object]]

PENDING_POLL: Final = (-EAGAIN, *PENDING)
"""Codes of a poll that found the request not finished."""


async def acomp_do_async_req_chain(
    head: AcompReq,
    op_submit: Operation,
    op_poll: Operation,
    relax: Relax | None = None,
    abandon: Callable[[AcompReq], object] | None = None,
) -> int:
    """Run the chain of `head`, overlapping its requests, and return the head's result.

    `op_submit(req)` and `op_poll(req)` return a `Code`. Between rounds of polling `relax(pending)` is awaited with the
    requests still open; it returns when at least one of them is final and may wait for all (default: one pass of the
    loop). There is no time limit here: the bound belongs to the driver, whose poll says -ETIMEDOUT.

    A head whose *submit* fails ends the run: the same error on every member, nothing else submitted, the completion
    function not called, the head's data not restored. Otherwise its completion function is called once, with the head's
    err, before this returns. What is no chain (no members, an algorithm that is not async or has not opted in) is one
    submit of the head, polled; then err, data and completion are served in any case.

    Cancelled, the run calls the plain function `abandon(req)` for each request submitted and not final, sets the err of
    everything unfinished to -ECANCELED, restores the list and the head's data, and re-raises at once; the completion
    function is not called. Without `abandon` the requests in flight stay busy for good.

    Differs from the kernel: a head whose submit returned 0 is done and is not polled (3.5 Q2).
    """
    run = _ParallelRun(head, op_submit, op_poll, relax, abandon)
    try:
        return await run.drive()
    except BaseException:
        run.unwind()
        raise


class _ParallelRun:
    __slots__ = ("_abandon", "_data", "_head", "_is_chain", "_open", "_poll", "_relax", "_submit", "_unsubmitted")

    def __init__(
        self,
        head: AcompReq,
        op_submit: Operation,
        op_poll: Operation,
        relax: Relax | None,
        abandon: Callable[[AcompReq], object] | None,
    ) -> None:
        self._head = head
        self._submit = op_submit
        self._poll = op_poll
        self._relax = relax
        self._abandon = abandon
        self._data: Any = head.base.data  # drivers may put their own job handle there
        self._is_chain = acomp_is_async(head.tfm) and runs_as_chain(head)
        self._unsubmitted: list[AcompReq] = [head, *begin_run(head, self._is_chain)]
        self._unsubmitted.reverse()  # taken from the end
        self._open: list[AcompReq] = []

    async def drive(self) -> int:
        head = self._head
        while self._unsubmitted:
            req = self._unsubmitted[-1]
            code = self._start(req)
            result = code if isinstance(code, int) else await code
            if result > 0:
                refuse_code(req, result)
            self._unsubmitted.pop()
            if result in PENDING:
                self._open.append(req)
                if req is head:
                    head.base.err = result
                continue
            self._record(req, result)
            if req is head and result and self._is_chain:
                return self._reject(result)
        while self._open:
            await self._round()
            if self._open:
                await (asyncio.sleep(0) if self._relax is None else self._relax(self._open))
        head.base.data = self._data
        end_run(head)
        err = head.base.err  # the completion function may start another chain
        if acomp_is_async(head.tfm) and head.base._complete is not None:
            head.base._complete(head.base.data, err)
        return err

    def _start(self, req: AcompReq) -> Code:
        if req.state == "idle":  # else: a single request that its entry point has marked already
            req.step("submit")
        if trace.sink is not None:
            trace.emit("submit", request=req.serial, head=self._head.serial)
        return self._submit(req)

    async def _round(self) -> None:
        """Poll every open request once, the head first, then the members in list order."""
        still_open = []
        polled = 0
        try:
            for req in self._open:
                code = self._poll(req)
                result = code if isinstance(code, int) else await code
                if result > 0:
                    refuse_code(req, result)
                polled += 1
                if result in PENDING_POLL:
                    still_open.append(req)
                    if trace.sink is not None:
                        trace.emit("poll.empty", request=req.serial, head=self._head.serial)
                else:
                    self._record(req, result)
        finally:
            self._open = still_open + self._open[polled:]

    def _record(self, req: AcompReq, code: int) -> None:
        """`req` is final: its err, and for a member its place in the restored list, in order of completion."""
        if req.state == "in_flight":
            req.step("finish")
        req.base.err = code
        if req is not self._head:
            self._head._members.append(req)
        if trace.sink is not None:
            trace.emit("complete", request=req.serial, head=self._head.serial, err=code)

    def _reject(self, code: int) -> int:
        """The head's submit failed: its error on every member, which stay linked; nothing else happens."""
        members = self._unsubmitted[::-1]
        self._unsubmitted = []
        for member in members:
            member.base.err = code
        self._head._members = members
        end_run(self._head)
        return code

    def unwind(self) -> None:
        """The run was left by an exception: see `acomp_do_async_req_chain`."""
        unsubmitted = self._unsubmitted[::-1]
        for req in self._open:
            if req.state == "in_flight":  # else its driver has completed it, which only a broken one does
                req.step("abandon")
            if self._abandon is not None:
                self._abandon(req)
            if req.state == "abandoned" and self._abandon is not None:
                req.step("finish")
        for req in (*self._open, *unsubmitted):
            if req.state == "in_flight":
                req.step("finish")  # its submit was left by the exception, with nothing begun
            req.base.err = -ECANCELED
            if req is not self._head and self._is_chain:
                self._head._members.append(req)
        self._head.base.data = self._data
        end_run(self._head)
