"""Arrays (v9): requests, pages, buffers, lengths and errors side by side, through an entry point of their own.

The interface that came right after chains. It is synchronous to its caller: it ends when all units have, no completion
function is called, and POLL is off afterwards.
"""

from collections.abc import Callable, Sequence
from errno import ECANCELED
from typing import Any

from .. import trace
from ..algapi import BatchMethod
from ..errors import ProtocolError, RequestBusyError
from ..flags import CRYPTO_ACOMP_REQ_POLL, PAGE_SIZE
from ..parameters import acomp_request_set_params
from ..request import AcompReq, check_is_request
from ..sg import Path
from ..tfm import CryptoAcomp, crypto_acomp_batch_size
from .batch import UnitOperation, Units, checked_code


async def crypto_acomp_batch_compress(
    reqs: Sequence[AcompReq],
    pages: Sequence[Any],
    dsts: Sequence[Any],
    dlens: list[int],
    errors: list[int],
    nr: int,
) -> bool:
    """Compress the first `nr` of `pages` into `dsts`, each by its own request; whether all of them went well.

    A page is 4096 bytes, and so is the capacity that is offered, though a buffer may be larger. `errors[i]` becomes 0
    or a negative errno, `dlens[i]` the length of an output, and 0 where there is none; both lists are filled in
    place. The requests' own `dlen`, `output` and `path` tell the same. Cancelled, it sets what is unfinished to
    -ECANCELED and leaves at once; requests are busy as long as anybody uses their buffers. Source: v9,
    docs/generations.md.

    Raises:
        TypeError: Something is no request, no buffer, no list.
        ValueError: Lengths differ, or `nr` is below 1 or above `crypto_acomp_batch_size`.
        ProtocolError: The requests are of different transforms, or their algorithm takes no arrays.
        RequestBusyError: A request is in flight or chained, or there twice; nothing was touched.
    """
    tfm = _checked(reqs, nr, (pages, dsts), (dlens, errors))
    if tfm.batch_compress is None:
        raise _takes_no_arrays(tfm)
    return await tfm.batch_compress(reqs, pages, dsts, dlens, errors, nr)


async def crypto_acomp_batch_decompress(
    reqs: Sequence[AcompReq],
    srcs: Sequence[Any],
    pages: Sequence[Any],
    slens: Sequence[int],
    dlens: list[int],
    errors: list[int],
    nr: int,
) -> bool:
    """Decompress the first `nr` of `srcs`, of `slens` bytes each, into `pages` of 4096 bytes; else as its twin."""
    tfm = _checked(reqs, nr, (srcs, pages, slens), (dlens, errors))
    if tfm.batch_decompress is None:
        raise _takes_no_arrays(tfm)
    return await tfm.batch_decompress(reqs, srcs, pages, slens, dlens, errors, nr)


def acomp_array_method(
    op: UnitOperation,
    abandon: Callable[[AcompReq], object] | None = None,
    *,
    compressing: bool,
    path: Path = "software",
) -> BatchMethod:
    """`batch_compress` (or `batch_decompress`) of an algorithm whose primitive is `op`. (Ours.)

    `abandon(req)` is called for each request when the call is cancelled, as in `acomp_do_unit_req`.
    """

    async def batch_decompress(
        reqs: Sequence[AcompReq],
        srcs: Sequence[Any],
        dsts: Sequence[Any],
        slens: Sequence[int],
        dlens: list[int],
        errors: list[int],
        nr: int,
    ) -> bool:
        for req, src, dst, slen in zip(reqs[:nr], srcs, dsts, slens, strict=False):
            acomp_request_set_params(req, src, dst, slen, PAGE_SIZE)
        return await _run(reqs[:nr], op, abandon, path, dlens, errors)

    async def batch_compress(
        reqs: Sequence[AcompReq], pages: Sequence[Any], dsts: Sequence[Any], *results: Any
    ) -> bool:
        return await batch_decompress(reqs, pages, dsts, [PAGE_SIZE] * len(pages), *results)

    return batch_compress if compressing else batch_decompress


async def _run(
    reqs: Sequence[AcompReq],
    op: UnitOperation,
    abandon: Callable[[AcompReq], object] | None,
    path: Path,
    dlens: list[int],
    errors: list[int],
) -> bool:
    nr = len(reqs)
    units = Units([req.source() for req in reqs], [req.dlen for req in reqs], path)
    for req in reqs:
        req.begin()
        req.flags |= CRYPTO_ACOMP_REQ_POLL
    dlens[:nr], errors[:nr] = [0] * nr, [-ECANCELED] * nr
    try:
        if trace.sink is not None:
            for req in reqs:
                trace.emit("submit", request=req.serial)
        err = await op(units)
        units.outcomes = [err] * nr if err else units.outcomes
        units.check_complete()
        codes = [_record(req, i, units, dlens, errors) for i, req in enumerate(reqs)]
        if trace.sink is not None:
            for req, code in zip(reqs, codes, strict=True):
                trace.emit("complete", request=req.serial, err=code)
        return not any(codes)
    except BaseException:
        if abandon is not None:
            for req in reqs:
                abandon(req)
        raise
    finally:
        for req in reqs:
            req.flags &= ~CRYPTO_ACOMP_REQ_POLL
            req.finish()


def _record(req: AcompReq, i: int, units: Units, dlens: list[int], errors: list[int]) -> int:
    """What became of unit `i` goes to its request and its places in the lists; its code."""
    outcome = units.outcomes[i]
    req.path = units.paths[i]
    if type(outcome) is bytes:
        req.deliver(outcome)
        dlens[i] = len(outcome)
        errors[i] = 0
    else:
        errors[i] = checked_code(outcome)
    return errors[i]


def _checked(
    reqs: Sequence[AcompReq], nr: int, columns: tuple[Sequence[Any], ...], results: tuple[list[int], ...]
) -> CryptoAcomp:
    """The transform of a call that is in order."""
    if type(nr) is not int:
        raise TypeError(f"nr is an int, not {type(nr).__name__}")
    for result in results:
        if not isinstance(result, list):
            raise TypeError(f"lengths and errors are lists, which are filled in place, and not {type(result).__name__}")
    sizes = [len(column) for column in (reqs, *columns, *results)]
    if len(set(sizes)) > 1:
        raise ValueError(f"the arrays have different lengths: {', '.join(map(str, sizes))}")
    if not 1 <= nr <= len(reqs):
        raise ValueError(f"nr is from 1 to the {len(reqs)} requests, not {nr}")
    for req in reqs:
        check_is_request(req)
    tfm = reqs[0].tfm
    if any(req.tfm is not tfm for req in reqs):
        raise ProtocolError("requests of one call are of one transform")
    tfm.bind_loop()
    if nr > crypto_acomp_batch_size(tfm):
        raise ValueError(
            f"{nr} units are more than the {crypto_acomp_batch_size(tfm)} that {tfm.alg.cra_driver_name} takes at once"
            " (crypto_acomp_batch_size)"
        )
    if len(set(map(id, reqs[:nr]))) < nr:
        raise RequestBusyError("a request is there twice; each unit needs its own")
    for req in reqs[:nr]:
        req.check_unchained("submitted")
    return tfm


def _takes_no_arrays(tfm: CryptoAcomp) -> ProtocolError:
    return ProtocolError(f"{tfm.alg.cra_driver_name} takes no arrays; see its batch_compress and batch_decompress")
