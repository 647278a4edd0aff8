"""Waiting, as a coroutine, until requests are their owner's again: when all their jobs have landed."""

import asyncio
from collections.abc import Iterable

from .request import AcompReq, acomp_request_when_idle, check_is_request


async def requests_idle(reqs: Iterable[AcompReq]) -> None:
    """Wait until nobody else holds any of these requests: their buffers may be read, written and let go again.

    It is for owners whose wait was cancelled: they must not touch the buffers before the hardware has finished.
    `acomp_request_when_idle` does the same for one request with a plain function. Freed requests count as idle. A
    request in the state `abandoned` never becomes idle by itself (a parallel run was cancelled, and its driver gave no
    `abandon`): where that may happen, put a time limit around the call. (Ours.)

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
