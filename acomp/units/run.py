"""The runner of unit requests: a folio goes down in one call, and each of its units has its own end (v14, repaired)."""

from collections.abc import Callable
from errno import ECANCELED, EINVAL
from functools import lru_cache
from typing import Final

from .. import trace
from ..flags import CRYPTO_ACOMP_OUTPUT_ONLY
from ..request import AcompReq
from ..sg import Path, SgEntry, rooms, write
from ..tfm import crypto_acomp_batch_size
from .batch import UnitOperation, Units, checked_code


async def acomp_do_unit_req(
    req: AcompReq,
    op: UnitOperation,
    abandon: Callable[[AcompReq], object] | None = None,
    path: Path = "software",
) -> int:
    """Do the units of `req`, a folio with a table of entries, by `op`; for the method of an algorithm with REQ_SEG.

    More units than the algorithm's batch size are done in rounds of that size. Each unit's length or error is in its
    entry, and no error stops anything. Returns: for one unit, its own code; for several, 0 or -EINVAL; for a failure
    before any unit ran, that code, which is in every entry then. `req.dlen` becomes the first entry's length, unless
    that is an error; the completion function is not called.

    Cancelled, it calls the plain function `abandon(req)`, which keeps the request busy for as long as anybody uses its
    buffers, sets the entries of what is unfinished to -ECANCELED, which stays there, and re-raises. `path` is the usual
    way of a unit. Differs from v14: nobody waits in the core, errors of polling are returned, and a short last unit is
    compressed. (docs/generations.md)
    """
    entries: tuple[SgEntry, ...] = req.dst
    units = cut(req, path)
    count, size = len(units), crypto_acomp_batch_size(req.tfm)
    copies = not req.flags & CRYPTO_ACOMP_OUTPUT_ONLY
    req.output = None
    finished = failed = 0
    try:
        while finished < count:
            part = units if count <= size else units.part(finished, size)
            if trace.sink is not None:
                for number in range(finished, finished + len(part)):
                    trace.emit("submit", request=req.serial, unit=number)
            err = await op(part)
            if err:
                code = _none_ran(entries[finished:count], err, alone=not finished)
                _tell(req, entries[finished : finished + len(part)], finished)
                return code
            done = entries[finished : finished + size]
            failed += _record(part, done, copies) - part.unreported
            _tell(req, done[: len(part)], finished)
            finished += len(part)
    except BaseException:
        for entry in entries[finished:count]:
            entry.length, entry.output = -ECANCELED, None
        if abandon is not None:
            abandon(req)
        raise
    first = entries[0]
    req.path = first.path
    if first.length >= 0:
        req.dlen = first.length
    if failed and count == 1:
        return first.length
    return -EINVAL if failed else 0


def cut(req: AcompReq, path: Path) -> Units:
    """The units of a request that is in order."""
    size, slen = req.unit_size or req.slen, req.slen
    folio = req.src.view()
    places = _usual_places(slen, size) if slen <= _USUAL_UNITS * size else _places(slen, size)
    sources = [*map(folio.__getitem__, places)]
    room = req.unit_size or req.dlen
    found = rooms(req.dst[: len(sources)])
    capacities = [room] * len(found) if min(found) >= room else [min(room, one) for one in found]
    return Units(sources, capacities, path)


def _places(slen: int, size: int) -> list[slice]:
    """Where the units of a source lie."""
    return [slice(start, start + size) for start in range(0, slen, size)]


_USUAL_UNITS: Final = 64
_usual_places: Final = lru_cache(maxsize=32)(_places)
"""`_places` of not too many units, kept: a store asks for few lengths, and all the time."""


def _tell(req: AcompReq, entries: tuple[SgEntry, ...], first: int) -> None:
    """Tell the trace sink of units that are final."""
    if trace.sink is not None:
        for number, entry in enumerate(entries, first):
            trace.emit("complete", request=req.serial, unit=number, err=min(entry.length, 0))


def _none_ran(entries: tuple[SgEntry, ...], err: int, alone: bool) -> int:
    """No unit of these was begun: the error is that of each, and of the request, unless others were done before."""
    for entry in entries:
        entry.length, entry.output = err, None
    return err if alone else -EINVAL


def _record(units: Units, entries: tuple[SgEntry, ...], copies: bool) -> int:
    """What became of some units goes to their entries; how many failed."""
    units.check_complete()
    outcomes, failed = units.outcomes, 0
    if set(map(type, outcomes)) == {bytes}:  # as a rule, and this is done once a page
        for entry, outcome, length, path in zip(entries, outcomes, map(len, outcomes), units.paths, strict=False):
            entry.output = outcome
            entry.length = length
            entry.path = path
    else:
        for entry, outcome, path in zip(entries, outcomes, units.paths, strict=False):
            done = type(outcome) is bytes
            entry.output, entry.path = outcome if done else None, path
            entry.length = len(outcome) if done else checked_code(outcome)
            failed += not done
    if copies:
        for entry in entries[: len(outcomes)]:
            if entry.output is not None:
                write(entry.buffer, entry.output)
    return failed
