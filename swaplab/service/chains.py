"""A chain of requests over HTTP: items in, one call of the interface that was asked for, items out, in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import acomp
from acomp import CRYPTO_ACOMP_DST_MAX, PAGE_SIZE, AcompReq, CryptoAcomp, SgEntry
from acomp.pages import free_when_idle

from .bounds import MAX_CAPACITY_BYTES, MAX_LZO_CAPACITY_BYTES
from .frames import HARDWARE, SOFTWARE, Frame
from .problems import RefusalError

Direction = Literal["compress", "decompress"]
Interface = Literal["chain", "array", "unit", "single"]

INTERFACES: Final = ("chain", "array", "unit", "single")
DIRECTIONS: Final = ("compress", "decompress")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the items, and the code of the call: for a chain the head's, for single requests the first's."""

    code: int
    items: list[Frame]


class Transforms:
    """One transform for each algorithm that was asked for, until the service ends."""

    def __init__(self) -> None:
        self._by_name: dict[str, CryptoAcomp] = {}

    def of(self, algorithm: str) -> CryptoAcomp:
        """The transform of an algorithm, by name or driver name; RefusalError 404 if there is none."""
        tfm = self._by_name.get(algorithm)
        if tfm is None:
            try:
                tfm = self._by_name[algorithm] = acomp.crypto_alloc_acomp(algorithm)
            except acomp.AlgorithmNotFoundError as error:
                raise RefusalError(404, str(error), "take one of GET /v1/algorithms") from None
        return tfm

    def close(self) -> None:
        """Free them all."""
        for tfm in self._by_name.values():
            acomp.crypto_free_acomp(tfm)
        self._by_name.clear()


async def run(tfm: CryptoAcomp, direction: Direction, interface: Interface, items: Sequence[Frame]) -> Answer:
    """Do it. RefusalError for what cannot be begun; an item that fails has its errno in its frame.

    `place` of an item is the capacity of its output; 0 is the length of a compressed item, at least a page, and a page
    for a decompressed one.
    """
    rooms = _capacities(tfm, direction, items)
    if interface == "chain":
        _check(tfm, bool(tfm.alg.cra_flags & acomp.CRYPTO_ALG_REQ_CHAIN), "chains")
    elif interface == "array":
        method = tfm.alg.batch_compress if direction == "compress" else tfm.alg.batch_decompress
        _check(tfm, method is not None, "arrays")
        return await _array(tfm, direction, items)
    elif interface == "unit":
        _check(tfm, bool(tfm.alg.cra_flags & acomp.CRYPTO_ALG_REQ_SEG) and direction == "compress", "units")
        return await _units(tfm, items, rooms)
    return await _requests(tfm, direction, items, rooms, chained=interface == "chain")


def interfaces_of(alg: acomp.AcompAlg) -> list[Interface]:
    """What a compression by this algorithm can go by."""
    takes: dict[Interface, bool] = {
        "chain": bool(alg.cra_flags & acomp.CRYPTO_ALG_REQ_CHAIN),
        "array": alg.batch_compress is not None,
        "unit": bool(alg.cra_flags & acomp.CRYPTO_ALG_REQ_SEG),
        "single": True,
    }
    return [name for name, can in takes.items() if can]


def _check(tfm: CryptoAcomp, takes: bool, what: str) -> None:
    if not takes:
        cause = f"{tfm.alg.cra_driver_name} takes no {what} in this direction"
        raise RefusalError(422, cause, "take another algorithm of GET /v1/algorithms, or interface=single")


def _capacities(tfm: CryptoAcomp, direction: Direction, items: Sequence[Frame]) -> list[int]:
    compressing = direction == "compress"
    rooms = [item.place or (max(len(item.data), PAGE_SIZE) if compressing else PAGE_SIZE) for item in items]
    most = MAX_LZO_CAPACITY_BYTES if "lzo" in tfm.alg.cra_name and not compressing else CRYPTO_ACOMP_DST_MAX
    if max(rooms) > most:
        raise RefusalError(
            422, f"item {rooms.index(max(rooms))} asks for {max(rooms)} bytes", f"ask for {most} at most"
        )
    if sum(rooms) > MAX_CAPACITY_BYTES and not compressing:
        remedy = f"ask for {MAX_CAPACITY_BYTES} at most, in several requests"
        raise RefusalError(422, f"the items ask for {sum(rooms)} bytes together", remedy)
    return rooms


async def _requests(
    tfm: CryptoAcomp, direction: Direction, items: Sequence[Frame], capacities: Sequence[int], *, chained: bool
) -> Answer:
    """One request for each item: linked to the first, or one after the other."""
    wait = acomp.CryptoWait()
    reqs = [acomp.acomp_request_alloc(tfm) for _ in items]
    start = acomp.crypto_acomp_compress if direction == "compress" else acomp.crypto_acomp_decompress
    try:
        for req, item, capacity in zip(reqs, items, capacities, strict=True):
            acomp.acomp_request_set_params(req, item.data, bytearray(capacity), len(item.data), capacity)
        if chained:
            acomp.acomp_reqchain_init(reqs[0], 0, acomp.crypto_req_done, wait)
            for req in reqs[1:]:
                acomp.acomp_request_chain(req, reqs[0])
            code = await acomp.crypto_wait_req(start(reqs[0]), wait)
            codes = [code, *(req.base.err for req in reqs[1:])]
            acomp.acomp_reqchain_clear(reqs[0], wait)
        else:
            codes = [await _single(req, start, wait) for req in reqs]
        return Answer(
            codes[0], [_frame(req, err, room) for req, err, room in zip(reqs, codes, capacities, strict=True)]
        )
    finally:
        free_when_idle(reqs, wait)


async def _single(req: AcompReq, start: Callable[[AcompReq], acomp.Code], wait: acomp.CryptoWait) -> int:
    wait.reinit()
    acomp.acomp_request_set_callback(req, acomp.CRYPTO_TFM_REQ_MAY_BACKLOG, acomp.crypto_req_done, wait)
    return await acomp.crypto_wait_req(start(req), wait)


async def _array(tfm: CryptoAcomp, direction: Direction, items: Sequence[Frame]) -> Answer:
    """The arrays of v9, a page each, as many at once as the algorithm takes."""
    compressing = direction == "compress"
    if compressing and any(len(item.data) != PAGE_SIZE for item in items):
        raise RefusalError(422, f"an array's items are pages of {PAGE_SIZE} bytes", "send such, or interface=chain")
    size = acomp.crypto_acomp_batch_size(tfm)
    answered: list[Frame] = []
    for first in range(0, len(items), size):
        some = [item.data for item in items[first : first + size]]
        nr = len(some)
        reqs = [acomp.acomp_request_alloc(tfm) for _ in some]
        dsts, dlens, errors = [bytearray(PAGE_SIZE) for _ in some], [0] * nr, [0] * nr
        try:
            if compressing:
                await acomp.crypto_acomp_batch_compress(reqs, some, dsts, dlens, errors, nr)
            else:
                slens = [*map(len, some)]
                await acomp.crypto_acomp_batch_decompress(reqs, some, dsts, slens, dlens, errors, nr)
            answered += [_frame(req, err, PAGE_SIZE) for req, err in zip(reqs, errors, strict=True)]
        finally:
            for req in reqs:
                free_when_idle([req], acomp.CryptoWait())
    return Answer(next((item.err for item in answered if item.err), 0), answered)


async def _units(tfm: CryptoAcomp, items: Sequence[Frame], rooms: Sequence[int]) -> Answer:
    """One request whose units are the items: all but the last of one length."""
    size = len(items[0].data)
    lengths = [len(item.data) for item in items]
    if not size or any(length != size for length in lengths[:-1]) or not 0 < lengths[-1] <= size:
        cause = "units are of one length, and only the last may be shorter"
        raise RefusalError(422, cause, "send such, or interface=chain")
    entries = [SgEntry(bytearray(room)) for room in rooms]
    wait, req = acomp.CryptoWait(), acomp.acomp_request_alloc(tfm)
    try:
        acomp.acomp_request_set_callback(req, acomp.CRYPTO_TFM_REQ_MAY_BACKLOG, acomp.crypto_req_done, wait)
        folio = b"".join(item.data for item in items)
        acomp.acomp_request_set_unit_size(req, size)
        acomp.acomp_request_set_src_folio(req, folio, 0, len(folio))
        acomp.acomp_request_set_dst_sg(req, entries, sum(rooms))
        code = await acomp.crypto_wait_req(acomp.crypto_acomp_compress(req), wait)
        return Answer(code, [_unit(entry, room) for entry, room in zip(entries, rooms, strict=True)])
    finally:
        free_when_idle([req], wait)


def _unit(entry: SgEntry, room: int) -> Frame:
    path = HARDWARE if entry.path == "hardware" else SOFTWARE
    if entry.length < 0:
        return Frame(b"", entry.length, room, path)
    return Frame(bytes(memoryview(entry.buffer)[: entry.length]), 0, room, path)


def _frame(req: AcompReq, err: int, room: int) -> Frame:
    path = HARDWARE if req.path == "hardware" else SOFTWARE
    return Frame(b"" if err else bytes(memoryview(req.dst)[: req.dlen]), err, room, path)
