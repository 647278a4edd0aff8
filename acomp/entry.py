"""The entry points: where a request, or the chain of a head, goes into its algorithm.

Called by whoever owns the request, with it idle. A single request is in flight from here until its code is final; the
states of a chain are moved by its runner.
"""

from collections.abc import Awaitable, Callable, Coroutine

from .flags import CRYPTO_ALG_REQ_CHAIN, CRYPTO_TFM_REQ_CHAIN
from .request import PENDING, AcompReq, check_is_request
from .sg import FolioRange
from .units.dispatch import segmented
from .wait import Code


def crypto_acomp_compress(req: AcompReq) -> Code:
    """Start compressing: call the transform's method and return its code (see `Code` and `crypto_wait_req`).

    On the head of a chain this is where the whole chain goes in, and with a folio and a table of entries all units
    (see `acomp.units`). RequestBusyError for a request in flight or a member
    of a chain, WrongLoopError on a foreign loop, ProtocolError for a freed request.
    """
    if type(req) is not AcompReq:
        check_is_request(req)
    method = req.tfm.compress
    if type(req.dst) is tuple or type(req.src) is FolioRange:
        method = segmented(req, method, compressing=True)
    return _enter(req, method)


def crypto_acomp_decompress(req: AcompReq) -> Code:
    """Start decompressing; otherwise like `crypto_acomp_compress`."""
    if type(req) is not AcompReq:
        check_is_request(req)
    method = req.tfm.decompress
    if type(req.dst) is tuple or type(req.src) is FolioRange:
        method = segmented(req, method, compressing=False)
    return _enter(req, method)


def _enter(req: AcompReq, method: Callable[[AcompReq], Code]) -> Code:
    if req.held or req.chain is not None or req.tfm._freed:
        req.check_unchained("submitted")
    req.tfm.bind_loop()
    if req.base.flags & CRYPTO_TFM_REQ_CHAIN and req.tfm.alg.cra_flags & CRYPTO_ALG_REQ_CHAIN:
        return method(req)  # the runner moves the states of a chain
    req.begin()
    try:
        code = method(req)
    except BaseException:
        req.finish()
        raise
    if not isinstance(code, int):
        req.finish()
        return _own(req, code)
    if code not in PENDING:
        req.finish()
    return code


async def _own(req: AcompReq, work: Awaitable[int]) -> int:
    """Keep the request in flight while its coroutine runs, and beyond if that ends in a pending code.

    If an exception ends the coroutine while a job still uses the buffers, `acomp_request_get` has kept them busy.
    """
    try:
        req.check_unchained("submitted")
    except BaseException:
        if isinstance(work, Coroutine):
            work.close()
        raise
    req.begin()
    turn = req.submissions  # its completion function may submit the request again before the coroutine has ended
    code = 0
    try:
        code = await work
    finally:
        if req.state == "in_flight" and req.submissions == turn and code not in PENDING:
            req.finish()
    return code
