"""A null algorithm that takes units and arrays, and a folio to give it. No test in here."""

import asyncio
from collections.abc import Callable
from errno import E2BIG
from typing import Any

import acomp
from acomp import AcompReq, CryptoWait, SgEntry, Units

from .algorithms import CHAINS, copy, transform

SIZE = 8
"""Units that the null algorithm takes at once."""
SEG = CHAINS | acomp.CRYPTO_ALG_REQ_SEG
UNIT = 64
Outcome = Callable[[int, bytes], bytes | int]


def copied(_number: int, source: bytes) -> bytes | int:
    """The outcome is the source."""
    return source


class Null:
    """Copies units, or does with unit `number` (of the whole request) what `outcome(number, source)` says.

    `rounds`: how many units each call of the primitive had. `hold`: what it awaits in between. `refusal`: what a call
    answers before any unit ran, by the number of the call.
    """

    def __init__(self, outcome: Outcome = copied, *, flags: int = SEG, arrays: bool = True) -> None:
        self.outcome = outcome
        self.rounds: list[int] = []
        self.hold: Callable[[], Any] = lambda: asyncio.sleep(0)
        self.refusal: dict[int, int] = {}
        self.abandoned: list[AcompReq] = []
        self.alg = acomp.AcompAlg(
            cra_name="null",
            cra_driver_name="null-units",
            cra_priority=100,
            cra_flags=flags,
            compress=self.compress if flags & acomp.CRYPTO_ALG_REQ_SEG else copy,
            decompress=copy,
            batch_size=SIZE,
            batch_compress=self._array(True) if arrays else None,
            batch_decompress=self._array(False) if arrays else None,
        )
        self.tfm = transform(self.alg)

    def _array(self, compressing: bool) -> Any:
        return acomp.acomp_array_method(self.perform, self.abandoned.append, compressing=compressing, path="hardware")

    def compress(self, req: AcompReq) -> acomp.Code:
        if type(req.dst) is tuple:
            return acomp.acomp_do_unit_req(req, self.perform, self.abandoned.append, path="hardware")
        return copy(req)

    async def perform(self, units: Units) -> int:
        first = sum(self.rounds)
        self.rounds.append(len(units))
        await self.hold()
        if err := self.refusal.get(len(self.rounds)):
            return err
        outcomes: list[bytes | int] = []
        for number, (source, capacity) in enumerate(zip(units.sources, units.capacities, strict=True), first):
            outcome = self.outcome(number, bytes(source))
            outcomes.append(-E2BIG if isinstance(outcome, bytes) and len(outcome) > capacity else outcome)
        units.outcomes = outcomes
        return 0


class Folio:
    """A unit request on a folio of `nr` units; each unit has other bytes."""

    def __init__(self, tfm: acomp.CryptoAcomp, nr: int, *, unit: int = UNIT, rest: int = 0) -> None:
        self.req = acomp.acomp_request_alloc(tfm)
        self.wait = CryptoWait()
        self.units = [bytes([number + 1]) * unit for number in range(nr)] + ([b"z" * rest] if rest else [])
        self.data = b"*" * 10 + b"".join(self.units) + b"*"
        self.entries = [SgEntry(bytearray(unit)) for _ in self.units]
        acomp.acomp_request_set_callback(self.req, 0, acomp.crypto_req_done, self.wait)
        self.set(unit)

    def set(self, unit: int) -> None:
        """Set everything; the parameters before, and the unit size after them."""
        length = len(self.data) - 11
        acomp.acomp_request_set_src_folio(self.req, self.data, 10, length)
        acomp.acomp_request_set_dst_sg(self.req, self.entries, sum(len(entry.buffer) for entry in self.entries))
        acomp.acomp_request_set_unit_size(self.req, unit)

    async def compress(self) -> int:
        return await acomp.crypto_wait_req(acomp.crypto_acomp_compress(self.req), self.wait)

    @property
    def lengths(self) -> list[int]:
        return [entry.length for entry in self.entries]

    @property
    def outputs(self) -> list[bytes]:
        return [bytes(entry.buffer[: max(entry.length, 0)]) for entry in self.entries]
