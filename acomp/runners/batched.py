"""The batch runner: a chain goes down as one submission and lands as one. (Ours; the kernel has no counterpart.)

For algorithms below which no request is submitted or polled by itself, such as worker threads: what the parallel runner
asks of them per request costs as much as the rest of a chain.
"""

from collections.abc import Awaitable, Callable, Sequence

from ..errors import ProtocolError
from ..request import PENDING, AcompReq, refuse_code
from .run import Run

BatchOperation = Callable[[Sequence[AcompReq]], Awaitable[Sequence[int]]]
"""Works off requests that are in flight, and ends in the final code of each, in order."""


async def acomp_do_batch_req_chain(
    head: AcompReq, op: BatchOperation, abandon: Callable[[AcompReq], object] | None = None
) -> int:
    """Run the chain of `head` as one submission that lands as one, and return the head's result. (Ours.)

    `op(reqs)` is awaited once, with the head first and the members in their order, all of them in flight. It returns
    the final code of each; no code stops anything, and anything but one final code for each is a ProtocolError. Err,
    list, completion function, cancellation and `abandon` are as in the parallel runner. A request that is no chain is
    a batch of one.
    """
    run = Run(head, abandon)
    try:
        reqs = run.begin_all()
        codes = await op(tuple(reqs))
        _check(reqs, codes)
        run.record_all(codes)
        return run.finish()
    except BaseException:
        run.unwind()
        raise


def _check(reqs: Sequence[AcompReq], codes: Sequence[int]) -> None:
    if not isinstance(codes, Sequence) or len(codes) != len(reqs):
        raise ProtocolError(f"an operation on {len(reqs)} requests ended in {codes!r}; a code for each is needed")
    if any(codes) or set(map(type, codes)) != {int}:  # mostly all are 0
        for req, code in zip(reqs, codes, strict=True):
            if not isinstance(code, int) or code > 0:
                refuse_code(req, code)
            if code in PENDING:
                raise ProtocolError(f"an operation on requests ended in the pending code {code} for #{req.serial}")
