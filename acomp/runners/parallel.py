"""The parallel runner: submit everything, then poll in rounds (patch 1; docs/kernel.md#parallel).

Nothing is polled before the last submit. -EAGAIN is final when a submit returns it and pending when a poll does. The
result of the run is the head's alone: whoever wants to know about the members reads each one's err.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from errno import EAGAIN
from typing import Final

from .. import trace
from ..request import PENDING, AcompReq, refuse_code
from ..wait import Code
from .run import Run

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

    Differs from the kernel: a head whose submit returned 0 is done and is not polled.
    """
    run = Run(head, abandon)
    try:
        await _submit_all(run, op_submit)
        if run.unsubmitted:
            return run.reject()
        while run.open:
            await _poll_all(run, op_poll)
            if run.open:
                await (asyncio.sleep(0) if relax is None else relax(run.open))
        return run.finish()
    except BaseException:
        run.unwind()
        raise


async def _submit_all(run: Run, submit: Operation) -> None:
    """Submit every request, the head first; only the head when that fails."""
    submitted = 0
    try:
        for req in run.unsubmitted:
            run.begin(req)
            code = submit(req)
            if not isinstance(code, int):
                code = await code
            if code > 0:
                refuse_code(req, code)
            submitted += 1
            if code in PENDING:
                run.open.append(req)
                if req is run.head:
                    req.base.err = code
                continue
            run.record(req, code)
            if req is run.head and code and run.is_chain:
                break
    finally:
        del run.unsubmitted[:submitted]


async def _poll_all(run: Run, poll: Operation) -> None:
    """One round: poll every open request once, the head first, then the members in list order."""
    still_open: list[AcompReq] = []
    polled = 0
    try:
        for req in run.open:
            code = poll(req)
            if not isinstance(code, int):
                code = await code
            if code > 0:
                refuse_code(req, code)
            polled += 1
            if code in PENDING_POLL:
                still_open.append(req)
                if trace.sink is not None:
                    trace.emit("poll.empty", request=req.serial, head=run.head.serial)
            else:
                run.record(req, code)
    finally:
        run.open = still_open + run.open[polled:]
