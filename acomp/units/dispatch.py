"""Where a unit request goes: to an algorithm that takes units, or, as exactly one unit, to any (v14's core)."""

from collections.abc import Callable
from errno import EINVAL, ENOSYS

from ..flags import CRYPTO_ALG_REQ_SEG, CRYPTO_TFM_REQ_CHAIN
from ..request import AcompReq
from ..sg import FolioRange
from ..wait import Code
from .one import as_one_unit

Method = Callable[[AcompReq], Code]


def units_of(req: AcompReq) -> int:
    """How many units the source of a unit request has; the last may be short. Without a unit size it is one."""
    size = req.unit_size
    return -(-req.slen // size) if size else int(req.slen > 0)


def segmented(req: AcompReq, method: Method, compressing: bool) -> Method:
    """What does a request with a folio or a table of entries, in place of the algorithm's own `method`.

    By turns, with nothing touched when it is refused:

    1. A folio with a plain destination, or the reverse, or a request that is the head of a chain: -EINVAL.
    2. Several units to decompress, or for an algorithm without CRYPTO_ALG_REQ_SEG: -ENOSYS.
    3. No unit, or fewer entries than units: -EINVAL.
    4. Compression by an algorithm with CRYPTO_ALG_REQ_SEG: its own method.
    5. Everything else is one unit: the method, on the plain buffers of that unit.
    """
    is_plain = type(req.src) is not FolioRange or type(req.dst) is not tuple
    if is_plain or req.base.flags & CRYPTO_TFM_REQ_CHAIN:
        return _refuse(-EINVAL)
    native = compressing and bool(req.tfm.alg.cra_flags & CRYPTO_ALG_REQ_SEG)
    units = units_of(req)
    several = units > 1 or (not compressing and 0 < req.unit_size < req.dlen)
    if several and not native:
        return _refuse(-ENOSYS)
    if not 0 < units <= len(req.dst):
        return _refuse(-EINVAL)
    return method if native else as_one_unit(method)


def _refuse(code: int) -> Method:
    return lambda _: code
