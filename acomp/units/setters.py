"""The setters of a unit request: where it reads, where it writes, and how long a unit is (v14)."""

from collections.abc import Iterable
from typing import Any

from ..errors import ProtocolError
from ..flags import CRYPTO_ACOMP_DST_MAX, CRYPTO_TFM_REQ_CHAIN
from ..request import NO_ALLOC_OUTPUT, AcompReq, check_is_request
from ..sg import FolioRange, SgEntry, rooms


def acomp_request_set_unit_size(req: AcompReq, size: int) -> None:
    """Say that the source consists of units of `size` bytes, which are compressed each by itself; 0: it does not.

    Units are independent and equally long, but for the last, which may be shorter. `acomp_request_set_callback`
    resets the size to 0, and so do `acomp_reqchain_init` and `acomp_reqchain_clear`: set it after them. It counts
    only for a folio with a table of entries; with plain buffers (`acomp_request_set_params`) it is ignored, as in
    v14. Source: v14, docs/generations.md.

    Raises:
        TypeError: `size` is no int.
        ValueError: It is not within 0 and 131072.
        ProtocolError: The request is the head or a member of a chain.
        RequestBusyError: It is in flight.
    """
    check_is_request(req)
    if type(size) is not int:
        raise TypeError(f"a unit size is an int, not {type(size).__name__}")
    if not 0 <= size <= CRYPTO_ACOMP_DST_MAX:
        raise ValueError(f"a unit size is from 0 (off) to {CRYPTO_ACOMP_DST_MAX} bytes, not {size}")
    _check_apart(req, "a unit size")
    req.unit_size = size


def acomp_request_set_src_folio(req: AcompReq, data: Any, offset: int, length: int) -> None:
    """Let the request read `length` bytes of the buffer `data` from `offset` on: a range of a folio.

    `req.src` is a `FolioRange` then, and `req.slen` the length. Goes with `acomp_request_set_dst_sg`. Source: v12 to
    v14.

    Raises:
        TypeError: `data` is no contiguous buffer, a number is no int.
        ValueError: A number is negative, or the range is not within `data`.
        ProtocolError: The request is the head or a member of a chain.
        RequestBusyError: It is in flight.
    """
    check_is_request(req)
    if type(offset) is not int or type(length) is not int:
        raise TypeError(f"offset and length are ints, not {type(offset).__name__} and {type(length).__name__}")
    size = len(data) if type(data) is bytes else _size(data)
    if offset < 0 or length < 0 or offset + length > size:
        raise ValueError(f"{length} bytes from {offset} on are not within the {size} bytes of the folio")
    _check_apart(req, "a folio")
    req.src = FolioRange(data, offset, length)
    req.slen = length
    req.output = None


def acomp_request_set_dst_sg(req: AcompReq, entries: Iterable[SgEntry], total: int) -> None:
    """Let the request write to `entries`, one for each unit, `total` bytes together.

    `req.dst` is a tuple of them then, and `req.dlen` the total. More entries than units may be there. A tuple that the
    request has already is not looked at again. Source: v12 to v14.

    Raises:
        TypeError: There is something else than an `SgEntry` among the entries, or `total` is no int.
        ValueError: `total` is negative or larger than the entries' buffers together; an entry, or a buffer, is there
            twice.
        ProtocolError: The request is the head or a member of a chain.
        RequestBusyError: It is in flight.
    """
    check_is_request(req)
    if type(total) is not int:
        raise TypeError(f"total is an int, not {type(total).__name__}")
    if entries is not req.dst or type(entries) is not tuple:
        entries = tuple(entries)
        _check_entries(entries)
    room = sum(rooms(entries))
    if not 0 <= total <= room:
        raise ValueError(f"a total of {total} is not within the {room} bytes of the entries")
    _check_apart(req, "a table of entries")
    req.dst = entries
    req.dlen = total
    req.flags &= NO_ALLOC_OUTPUT
    req.output = None


def _size(data: Any) -> int:
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"a folio is a contiguous buffer such as bytes, not {type(data).__name__}") from None
    with view:
        if not view.c_contiguous:
            raise TypeError("a folio must be contiguous; copy it first")
        return view.nbytes


def _check_entries(entries: tuple[SgEntry, ...]) -> None:
    for entry in entries:
        if type(entry) is not SgEntry:
            raise TypeError(f"entries are SgEntry objects, and not {type(entry).__name__}")
    if len({id(entry.buffer) for entry in entries}) < len(entries):
        raise ValueError("an entry, or a buffer, is there twice; each unit needs its own")


def _check_apart(req: AcompReq, what: str) -> None:
    """Check that the request is idle and stands by itself, for `what` it is given."""
    if req.held or req.tfm._freed:
        req.check_idle(f"given {what}")
    if req.base.flags & CRYPTO_TFM_REQ_CHAIN or req.chained:
        raise ProtocolError(
            f"request #{req.serial} is part of a chain, and {what} is for a request that stands by itself;"
            " call acomp_reqchain_clear on the head first"
        )
