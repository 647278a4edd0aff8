"""What the owner of a request sets, and reads afterwards: parameters, completion function, the request's own result.

The setters of unit requests are `units.setters`.
"""

from typing import Any

from .flags import CRYPTO_ACOMP_ALLOC_OUTPUT, CRYPTO_TFM_REQ_CHAIN
from .request import NO_ALLOC_OUTPUT, AcompReq, Completion, check_is_request


def acomp_request_set_params(req: AcompReq, src: Any, dst: Any, slen: int, dlen: int) -> None:
    """Set input and output: `slen` bytes of `src`, room for `dlen` bytes in `dst`; both are checked here, once.

    `src` is any contiguous buffer, `dst` a writable one. `dst` None asks the algorithm to allocate the output (flag
    ALLOC_OUTPUT). `src` None is accepted and answered -EINVAL by the algorithm, as in the kernel. Allowed on an idle
    request, and on a member of a chain that is not running. Raises TypeError (not a buffer, not contiguous, not
    writable, lengths not int) and ValueError (negative, or beyond the buffer).
    """
    if type(req) is not AcompReq:
        check_is_request(req)
    if req.held or req.tfm._freed:  # spelled out, for this is called once a page
        req.check_idle("re-parametrised")
    if type(slen) is not int or type(dlen) is not int:
        raise TypeError(f"slen and dlen are ints, not {type(slen).__name__} and {type(dlen).__name__}")
    kind = type(src)
    if kind is memoryview and src.c_contiguous:
        size = src.nbytes
    else:
        size = len(src) if kind is bytes or kind is bytearray else _size(src, "src")
    if not 0 <= slen <= size:
        raise ValueError(f"slen {slen} is not within the {size} bytes of src")
    if dst is None:
        if dlen < 0:
            raise ValueError(f"dlen {dlen} is negative")
        req.flags |= CRYPTO_ACOMP_ALLOC_OUTPUT
    else:
        if not 0 <= dlen <= (len(dst) if type(dst) is bytearray else _size(dst, "dst", writable=True)):
            raise ValueError(f"dlen {dlen} is not within the {_size(dst, 'dst')} bytes of dst")
        req.flags &= NO_ALLOC_OUTPUT
    req.src, req.dst, req.slen, req.dlen = src, dst, slen, dlen
    req.output = None


def _size(buffer: Any, name: str, writable: bool = False) -> int:
    if buffer is None:
        return 0
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(f"{name} must be a contiguous buffer such as bytes, not {type(buffer).__name__}") from None
    with view:
        if not view.c_contiguous:
            raise TypeError(f"{name} must be contiguous; copy it first")
        if writable and view.readonly:
            raise TypeError(f"{name} must be writable, and this {type(buffer).__name__} is read-only; use a bytearray")
        return view.nbytes


def acomp_request_set_callback(req: AcompReq, flags: int, compl: Completion | None, data: Any) -> None:
    """Set the completion function, its `data` and the generic flags; ends a chain that this request was the head of.

    Of the old `base.flags` only the bit with ALLOC_OUTPUT's value survives; CHAIN is always cleared (patch 1). The unit
    size becomes 0 (v14).
    """
    check_is_request(req)
    if not isinstance(flags, int):
        raise TypeError(f"flags are an int, not {type(flags).__name__}")
    if compl is not None and not callable(compl):
        raise TypeError(f"a completion is a function of (data, err) or None, not {type(compl).__name__}")
    if req.held or req.tfm._freed:
        req.check_idle("given another callback")
    base = req.base
    kept = base.flags & CRYPTO_ACOMP_ALLOC_OUTPUT
    base.flags = (kept | flags & ~CRYPTO_ACOMP_ALLOC_OUTPUT) & ~CRYPTO_TFM_REQ_CHAIN
    base.complete = compl
    base.data = data
    req.unit_size = 0


def acomp_request_err(req: AcompReq) -> int:
    """The request's own result after a chain ran: 0 or a negative errno (patch 1)."""
    if type(req) is not AcompReq:
        check_is_request(req)
    return req.base.err
