"""The parts of `check_conformance` about unit requests and arrays: the same bytes and codes as one by one."""

from collections.abc import Sequence
from errno import EINVAL, ENOSYS

from ..entry import crypto_acomp_compress
from ..flags import CRYPTO_ACOMP_REQ_POLL, CRYPTO_ALG_REQ_SEG, PAGE_SIZE
from ..request import AcompReq, acomp_request_alloc, acomp_request_free
from ..sg import SgEntry
from ..tfm import CryptoAcomp, crypto_acomp_batch_size
from ..units.arrays import crypto_acomp_batch_compress, crypto_acomp_batch_decompress
from ..units.setters import acomp_request_set_dst_sg, acomp_request_set_src_folio, acomp_request_set_unit_size
from ..wait import CryptoWait, crypto_wait_req

UNTOUCHED = 77

Blobs = Sequence[tuple[int, bytes]]
"""What pages become one by one: a code, and the bytes."""


async def check_units(tfm: CryptoAcomp, req: AcompReq, wait: CryptoWait, pages: Sequence[bytes], blobs: Blobs) -> None:
    """Unit requests of one unit, which every algorithm does, and of several, which those with REQ_SEG do."""
    takes_several = bool(tfm.alg.cra_flags & CRYPTO_ALG_REQ_SEG)
    for first, count in ((0, 1), (0, len(pages)), (1, 2)):
        entries = [SgEntry(bytearray(2 * PAGE_SIZE)) for _ in range(count)]
        for entry in entries:
            entry.length = UNTOUCHED
        err = await _compress_units(req, wait, b"".join(pages), first, entries)
        if count > 1 and not takes_several:
            assert err == -ENOSYS, f"rule 11: {count} units gave {err} without CRYPTO_ALG_REQ_SEG"
            assert {entry.length for entry in entries} == {UNTOUCHED}, "rule 11: refused units changed their entries"
            continue
        expected = blobs[first : first + count]
        codes = [code for code, _ in expected]
        wanted = codes[0] if count == 1 else -EINVAL if any(codes) else 0
        assert err == wanted, f"rule 11: {count} units with the codes {codes} gave {err}"
        for entry, (code, blob) in zip(entries, expected, strict=True):
            assert entry.length == (code or len(blob)), (
                f"rule 11: a unit ended in {entry.length}, alone in {code or len(blob)}"
            )
            assert code or bytes(entry.buffer[: entry.length]) == blob, (
                "rule 11: a unit has other bytes than a single request"
            )
            assert entry.output is None or entry.output == blob, (
                "rule 11: an entry's output is not what is in its buffer"
            )


async def _compress_units(req: AcompReq, wait: CryptoWait, folio: bytes, first: int, entries: list[SgEntry]) -> int:
    total = len(entries) * PAGE_SIZE
    acomp_request_set_src_folio(req, folio, first * PAGE_SIZE, total)
    acomp_request_set_dst_sg(req, entries, total)
    acomp_request_set_unit_size(req, PAGE_SIZE)
    wait.reinit()
    try:
        return await crypto_wait_req(crypto_acomp_compress(req), wait)
    finally:
        acomp_request_set_unit_size(req, 0)


async def check_arrays(tfm: CryptoAcomp, pages: Sequence[bytes], blobs: Blobs) -> None:
    """Both array calls, of an algorithm that has them."""
    if tfm.batch_compress is None or tfm.batch_decompress is None:
        return
    nr = min(len(pages), crypto_acomp_batch_size(tfm))
    pages, blobs = pages[:nr], blobs[:nr]
    reqs = [acomp_request_alloc(tfm) for _ in range(nr)]
    dlens, errors = [UNTOUCHED] * nr, [UNTOUCHED] * nr
    dsts = [bytearray(2 * PAGE_SIZE) for _ in range(nr)]
    good = await crypto_acomp_batch_compress(reqs, pages, dsts, dlens, errors, nr)
    assert good == (not any(errors)), f"rule 11: batch_compress answered {good} with the errors {errors}"
    assert errors == [code for code, _ in blobs], f"rule 11: an array gave the codes {errors}"
    for dst, dlen, (code, blob) in zip(dsts, dlens, blobs, strict=True):
        assert code or bytes(dst[:dlen]) == blob, "rule 11: an array gave other bytes than a single request"
    packed = [(blob, page) for (code, blob), page in zip(blobs, pages, strict=True) if not code]
    if packed:
        await _check_unpacking(reqs[: len(packed)], packed)
    for req in reqs:
        assert not req.flags & CRYPTO_ACOMP_REQ_POLL, "rule 11: an array call left POLL set"
        acomp_request_free(req)


async def _check_unpacking(reqs: list[AcompReq], packed: list[tuple[bytes, bytes]]) -> None:
    nr = len(packed)
    dlens, errors, dsts = [0] * nr, [UNTOUCHED] * nr, [bytearray(PAGE_SIZE) for _ in packed]
    srcs = [blob for blob, _ in packed]
    good = await crypto_acomp_batch_decompress(reqs, srcs, dsts, [*map(len, srcs)], dlens, errors, nr)
    assert good and errors == [0] * nr, f"rule 11: batch_decompress answered {good} with the errors {errors}"
    assert [bytes(dst) for dst in dsts] == [page for _, page in packed], "rule 11: an array brought other pages back"
