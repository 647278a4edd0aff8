"""Requests of a chain as units: the adapter between the batch runner and an algorithm's primitive."""

from collections.abc import Sequence

from ..flags import CRYPTO_ACOMP_DST_MAX, CRYPTO_ACOMP_OUTPUT_ONLY
from ..request import AcompReq
from ..runners.batched import BatchOperation
from ..sg import Path
from .batch import UnitOperation, Units, checked_code


def on_requests(op: UnitOperation, path: Path = "software") -> BatchOperation:
    """What `acomp_do_batch_req_chain` needs, of a primitive: each request is a unit, and keeps its own code."""

    async def operation(reqs: Sequence[AcompReq]) -> Sequence[int]:
        # `room_of` and `deliver` are spelled out as far as they can be: this is done once a page.
        sources = [b"" if req.src is None else req.source() for req in reqs]
        most = CRYPTO_ACOMP_DST_MAX
        rooms = [req.dlen if req.dlen < most and req.dst is not None else room_of(req) for req in reqs]
        units = Units(sources, rooms, path)
        err = await op(units)
        if err:
            return [err] * len(reqs)
        units.check_complete()
        codes = []
        for req, outcome, way in zip(reqs, units.outcomes, units.paths, strict=True):
            req.path = way
            if type(outcome) is not bytes:
                codes.append(checked_code(outcome))
                continue
            if req.flags & CRYPTO_ACOMP_OUTPUT_ONLY and req.dst is not None:
                req.dlen = len(outcome)
                req.output = outcome
            else:
                req.deliver(outcome)
            codes.append(0)
        return codes

    return operation


def room_of(req: AcompReq) -> int:
    """Bytes that the request's output may have."""
    return CRYPTO_ACOMP_DST_MAX if req.dst is None else min(req.dlen, CRYPTO_ACOMP_DST_MAX)
