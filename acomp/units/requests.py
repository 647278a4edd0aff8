"""Requests of a chain as units: the adapter between the batch runner and an algorithm's primitive."""

from collections.abc import Sequence

from ..flags import CRYPTO_ACOMP_DST_MAX
from ..request import AcompReq
from ..runners.batched import BatchOperation
from ..sg import Path
from .batch import UnitOperation, Units, checked_code


def on_requests(op: UnitOperation, path: Path = "software") -> BatchOperation:
    """What `acomp_do_batch_req_chain` needs, of a primitive: each request is a unit, and keeps its own code."""

    async def operation(reqs: Sequence[AcompReq]) -> Sequence[int]:
        units = Units([source_of(req) for req in reqs], [room_of(req) for req in reqs], path)
        err = await op(units)
        if err:
            return [err] * len(reqs)
        units.check_complete()
        return [deliver(req, outcome, way) for req, outcome, way in zip(reqs, units.outcomes, units.paths, strict=True)]

    return operation


def source_of(req: AcompReq) -> object:
    """What the request reads; nothing if it has no source."""
    return b"" if req.src is None else req.source()


def room_of(req: AcompReq) -> int:
    """Bytes that the request's output may have."""
    return CRYPTO_ACOMP_DST_MAX if req.dst is None else min(req.dlen, CRYPTO_ACOMP_DST_MAX)


def deliver(req: AcompReq, outcome: object, path: Path) -> int:
    """Hand the outcome of a unit to the request that it was made of; its code."""
    req.path = path
    if type(outcome) is bytes:
        req.deliver(outcome)
        return 0
    return checked_code(outcome)
