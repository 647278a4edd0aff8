"""A chain, or a single request, in the hands of a runner that overlaps its requests, and how it gets out of them again.

`parallel` and `batched` drive it; `serial` has a state of its own, for it may go on in completion functions.
"""

from collections.abc import Callable, Sequence
from errno import ECANCELED
from typing import Any, Final

from .. import trace
from ..chain import begin_run, end_run, runs_as_chain
from ..request import AcompReq, begin_each
from ..states import AFTER_FINISH, request_after
from ..tfm import acomp_is_async

_FINISHED: Final = AFTER_FINISH["in_flight"]


class Run:
    """One run. Made by a runner, which owns it; `unwind` is for whatever exception it is left by."""

    __slots__ = ("_abandon", "_data", "_is_async", "head", "is_chain", "open", "restored", "unsubmitted")

    def __init__(self, head: AcompReq, abandon: Callable[[AcompReq], object] | None) -> None:
        self.head = head
        self._abandon = abandon
        self._data: Any = head.base.data  # drivers may put their own job handle there
        self._is_async = acomp_is_async(head.tfm)
        self.is_chain = self._is_async and runs_as_chain(head)
        self.unsubmitted: list[AcompReq] = [head, *begin_run(head, self.is_chain)]
        """Those whose submit has not returned, in order; during a pass of submissions, all of that pass."""
        self.open: list[AcompReq] = []
        """Those that were submitted and are not final, in order."""
        self.restored: list[AcompReq] = head.chain.members if head.chain is not None else []
        """The head's list, empty while the chain runs; members come back in order of completion."""

    def begin(self, req: AcompReq) -> None:
        """`req` is about to be submitted."""
        if req.state == "idle":  # else: a single request that its entry point has marked already
            req.begin()
        if trace.sink is not None:
            trace.emit("submit", request=req.serial, head=self.head.serial)

    def record(self, req: AcompReq, code: int) -> None:
        """`req` is final: its err, and for a member its place in the restored list, in order of completion."""
        if req.state == "in_flight":
            req.finish()
        req.base.err = code
        if req is not self.head:
            self.restored.append(req)
        if trace.sink is not None:
            trace.emit("complete", request=req.serial, head=self.head.serial, err=code)

    def begin_all(self) -> list[AcompReq]:
        """All of them are about to be submitted, as one."""
        begin_each(self.unsubmitted)
        if trace.sink is not None:
            for req in self.unsubmitted:
                trace.emit("submit", request=req.serial, head=self.head.serial)
        self.open, self.unsubmitted = self.unsubmitted, []
        return self.open

    def record_all(self, codes: Sequence[int]) -> None:
        """Every request is final, with its code. The trace sink is told last, because it may raise."""
        reqs, self.open = self.open, []
        for req, code in zip(reqs, codes, strict=True):
            if req.state == "in_flight":
                req.state = _FINISHED
                req.held -= 1  # the runner still holds it, so it is not idle before the run ends
            req.base.err = code
        self.restored += reqs[1:]
        if trace.sink is not None:
            for req in reqs:
                trace.emit("complete", request=req.serial, head=self.head.serial, err=req.base.err)

    def reject(self) -> int:
        """The head's submit failed: its error on every member, which stay linked; nothing else happens."""
        head, members, self.unsubmitted = self.head, self.unsubmitted, []
        for member in members:
            member.base.err = head.base.err
        self.restored += members
        end_run(head)
        return head.base.err

    def finish(self) -> int:
        """All are final: the head is its owner's again, its completion function is called; its err."""
        head = self.head
        head.base.data = self._data
        end_run(head)
        err = head.base.err  # the completion function may start another chain
        if self._is_async and head.base.completion is not None:
            head.base.completion(head.base.data, err)
        return err

    def unwind(self) -> None:
        """The run was left by an exception: see `acomp_do_async_req_chain`."""
        for req in self.open:
            if req.state == "in_flight":  # else its driver has completed it, which only a broken one does
                req.state = request_after(req.state, "abandon")
            if self._abandon is not None:
                self._abandon(req)
            if req.state == "abandoned" and self._abandon is not None:
                req.finish()
        for req in (*self.open, *self.unsubmitted):
            if req.state == "in_flight":
                req.finish()  # its submit was left by the exception, with nothing begun
            req.base.err = -ECANCELED
            if req is not self.head and self.is_chain:
                self.restored.append(req)
        self.head.base.data = self._data
        end_run(self.head)
