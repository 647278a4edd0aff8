"""Waiting, as a coroutine, until requests are their owner's again: when all their jobs have landed."""

import asyncio
from collections.abc import Iterable

from .request import AcompReq, acomp_request_when_idle, check_is_request


async def requests_idle(reqs: Iterable[AcompReq]) -> None:
    """Wait until nobody else holds any of these requests: their buffers may be read, written and let go again.

    For owners whose wait was cancelled and who must not touch the buffers before the hardware is through; with plain
    functions, `acomp_request_when_idle` does it for one request. Freed requests count as idle. Put a time limit around
    it where nobody may be left to finish the work: a request in the state `abandoned` (a parallel run was cancelled
    whose driver gave no `abandon`) never becomes idle by itself. (Ours.)

    Raises TypeError for what is not a request.
    """
    reqs = list(reqs)
    for req in reqs:
        check_is_request(req)
    for req in reqs:
        if req.busy:
            landed = asyncio.Event()
            acomp_request_when_idle(req, landed.set)
            await landed.wait()
