"""An algorithm of ours whose chains run serially, and whose operations end later, one after the other, by completions.

No driver of this repository has its chains driven by completions: this is how the serial runner's other half is met.
"""

import asyncio
from errno import E2BIG, EINPROGRESS, ENOSYS
from random import Random

from acomp import (
    CRYPTO_ALG_ASYNC,
    CRYPTO_ALG_REQ_CHAIN,
    AcompAlg,
    AcompReq,
    Code,
    acomp_do_req_chain,
    acomp_is_reqchain,
    acomp_request_get,
    acomp_request_put,
)

from .remembered import outcome_of

NAME = "deflate-slow"
LONGEST_S = 20e-6


class SlowAlgorithm:
    """Some operations are finished at once, others take up to `LONGEST_S`. `pending` counts those under way."""

    def __init__(self, random: Random) -> None:
        self.pending = 0
        self._random = random

    def algorithm(self) -> AcompAlg:
        """What is registered."""
        return AcompAlg(
            cra_name=NAME,
            cra_driver_name=NAME,
            cra_priority=1,
            cra_flags=CRYPTO_ALG_ASYNC | CRYPTO_ALG_REQ_CHAIN,
            compress=self._compress,
            decompress=lambda req: -ENOSYS,
            get_batch_size=lambda: 4,
        )

    def _compress(self, req: AcompReq) -> Code:
        return acomp_do_req_chain(req, self._begin) if acomp_is_reqchain(req) else self._begin(req)

    def _begin(self, req: AcompReq) -> int:
        if self._random.random() < 0.3:
            return _perform(req)
        acomp_request_get(req)
        self.pending += 1
        asyncio.get_running_loop().call_later(self._random.uniform(1e-6, LONGEST_S), self._end, req)
        return -EINPROGRESS

    def _end(self, req: AcompReq) -> None:
        self.pending -= 1
        code = _perform(req)
        acomp_request_put(req)
        assert req.base.complete is not None
        req.base.complete(req.base.data, code)


def _perform(req: AcompReq) -> int:
    output = outcome_of(bytes(req.source())).output
    if len(output) > req.dlen:
        return -E2BIG
    req.deliver(output)
    return 0
