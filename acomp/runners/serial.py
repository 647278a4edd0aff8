"""The serial runner: the head, then each member, one operation at a time (patch 1; docs/kernel.md#serial).

An error stops nothing, every request gets its own err, and the result of the run is that of the *last* operation, not
the head's and not a summary. When everything finished at once the head's completion function is not called; when an
operation went asynchronous the rest is driven by completions, and the original function is called at the end.
"""

from collections.abc import Awaitable, Callable, Coroutine
from errno import EBUSY, ECANCELED, EINPROGRESS, ENOMEM, EPROTO
from typing import Any

from .. import fault, trace
from ..chain import acomp_chain_members, begin_run, end_run, runs_as_chain
from ..errors import ProtocolError
from ..flags import CRYPTO_TFM_REQ_CHAIN, CRYPTO_TFM_REQ_MAY_BACKLOG
from ..request import PENDING, AcompReq, refuse_code
from ..tfm import acomp_is_async
from ..wait import Code

ALL_FLAGS = ~0
STATE_ALLOC = fault.declare(
    "acomp.reqchain_state", "the serial runner cannot allocate its state: -ENOMEM on the head and on every member"
)


async def acomp_do_req_chain(head: AcompReq, op: Callable[[AcompReq], Code]) -> int:
    """Run the chain of `head` serially and return the last operation's code, or -EBUSY / -EINPROGRESS.

    `op(req)` returns a plain code, which may be pending (then the driver calls the request's completion function later,
    never from inside `op`), or an awaitable that ends in a final code; a pending one is a ProtocolError. What is no
    chain, has no members, or belongs to an algorithm without CRYPTO_ALG_REQ_CHAIN is one `op(head)`.

    Cancelled while it awaits an operation, the run sets the err of everything unfinished to -ECANCELED, restores the
    head and its list, and re-raises. A request that the hardware still works on stays busy: the operation holds it.

    Differs from the kernel: a chain of one request records the head's err, which stays -EINPROGRESS there. The head is
    told from its members whatever the transform is; there that works for async ones only (docs/kernel.md#quirks).
    """
    if not runs_as_chain(head):
        return await _run_single(head, op)
    if acomp_is_async(head.tfm) and fault.should_fail(STATE_ALLOC):
        head.check_idle("run")
        for req in (head, *acomp_chain_members(head)):
            req.base.err = -ENOMEM
        return -ENOMEM
    run = _SerialRun(head, op)
    try:
        return await run.start()
    except BaseException:
        run.unwind(-ECANCELED)
        raise


async def _run_single(head: AcompReq, op: Callable[[AcompReq], Code]) -> int:
    begin_run(head, whole=False)
    is_head = head.base.flags & CRYPTO_TFM_REQ_CHAIN
    owned = head.state != "idle"  # its entry point has marked it, and will end it
    if not owned:
        head.begin()
    result = -ECANCELED
    try:
        code = op(head)
        returned = code if isinstance(code, int) else await _final(code)
        if returned > 0:
            refuse_code(head, returned)
        result = returned
    finally:
        if not owned and head.state == "in_flight" and result not in PENDING:
            head.finish()
        if is_head and result not in PENDING:
            head.base.err = result
        end_run(head)
    return result


async def _final(work: Awaitable[int]) -> int:
    result = await work
    if result in PENDING:
        raise ProtocolError("the awaitable of a serial operation must end in a final code, not a pending one")
    return result


class _SerialRun:
    """The state record of one run; it lives until the last completion."""

    __slots__ = (
        "_complete",
        "_current",
        "_data",
        "_head",
        "_in_op",
        "_is_async",
        "_op",
        "_over",
        "_pending",
        "_restored",
    )

    def __init__(self, head: AcompReq, op: Callable[[AcompReq], Code]) -> None:
        self._head = head
        self._op = op
        self._is_async = acomp_is_async(head.tfm)
        self._complete = head.base.completion
        self._data = head.base.data
        self._in_op = False
        self._over = False
        self._pending = begin_run(head, whole=True)
        self._pending.reverse()  # taken from the end
        self._restored: list[AcompReq] = head.chain.members if head.chain is not None else []
        self._current = head
        if self._is_async:
            head.base.complete, head.base.data = self._continue, self

    async def start(self) -> int:
        req: AcompReq | None = self._head
        result = 0
        while req is not None:
            code = self._submit(req)
            result = code if isinstance(code, int) else await _final(code)
            if result in PENDING:
                return self._went_async(result)
            self._record(result)
            req = self._next(ALL_FLAGS)
        self._finish()
        return result

    def _continue(self, _data: Any, err: int) -> None:
        """The completion function of whichever request is under way."""
        if self._over:
            raise ProtocolError(
                f"this is the completion function of a run of #{self._head.serial} that is over; set another on its"
                " former members before they are used alone"
            )
        if err == -EINPROGRESS:
            if not self._pending and self._complete is not None:
                self._complete(self._data, err)
            return
        if self._in_op:
            raise ProtocolError("a driver called the completion function from inside its own operation")
        try:
            result = self._go_on(err)
        except BaseException:
            # Nobody awaits this call: whoever waits for the chain has to be told.
            self.unwind(-EPROTO)
            if self._complete is not None:
                self._complete(self._data, -EPROTO)
            raise
        if self._complete is not None and (self._over or result == -EINPROGRESS):
            self._complete(self._data, result)

    def _go_on(self, err: int) -> int:
        """Record the current request and go on with the next, until one goes asynchronous or none is left."""
        result = err
        self._record(err)
        while (req := self._next(CRYPTO_TFM_REQ_MAY_BACKLOG)) is not None:
            code = self._submit(req)
            if not isinstance(code, int):
                if isinstance(code, Coroutine):
                    code.close()
                raise ProtocolError(
                    "an operation returned an awaitable after one had returned a pending code: nobody can await it"
                )
            if code in PENDING:
                return self._went_async(code)
            self._record(code)
            result = code
        self._finish()
        return result

    def _submit(self, req: AcompReq) -> Code:
        self._current = req
        req.begin()
        if trace.sink is not None:
            trace.emit("submit", request=req.serial, head=self._head.serial)
        self._in_op = True
        try:
            return self._op(req)
        finally:
            self._in_op = False

    def _went_async(self, code: int) -> int:
        """The code to return when the current request went asynchronous with `code`."""
        if not self._is_async:
            raise ProtocolError(f"{self._head.tfm.alg.cra_driver_name} is not async but its operation returned {code}")
        if self._current is self._head or self._pending:
            return -EBUSY
        return code

    def _record(self, code: int) -> None:
        """The current request is final: its err, and its place in the restored list."""
        if code > 0:
            refuse_code(self._current, code)
        req = self._current
        if trace.sink is not None:
            trace.emit("complete", request=req.serial, head=self._head.serial, err=code)
        if req.state == "in_flight":
            req.finish()
        req.base.err = code
        if req is not self._head:
            self._restored.append(req)

    def _next(self, mask: int) -> AcompReq | None:
        """Take the next member, with flags masked and its completion set to go on from here."""
        if not self._pending:
            return None
        req = self._pending.pop()
        req.base.flags &= mask
        req.base.complete, req.base.data = self._continue, self
        return req

    def _finish(self) -> None:
        head = self._head
        self._over = True
        if self._is_async:
            head.base.complete, head.base.data = self._complete, self._data
        end_run(head)

    def unwind(self, code: int) -> None:
        """The run was left by an exception: what is unfinished ends as `code`, head and list are restored."""
        for req in (self._current, *reversed(self._pending)):
            if req.state == "in_flight":
                req.finish()
            req.base.err = code
            if req is not self._head:
                self._restored.append(req)
        self._finish()
