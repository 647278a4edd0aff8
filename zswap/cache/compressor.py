"""From a value to its units and back, by requests of the chosen algorithm; what does not compress is kept raw.

Small values go to the generic form of the algorithm, on the loop, since handing them to anybody costs more than they
take; there they take no turn and no future. An algorithm without a generic form of equal bytes gets every size.
"""

from collections.abc import Iterable
from errno import E2BIG, ENOENT, errorcode
from typing import Final

from acomp import (
    CRYPTO_ALG_REQ_CHAIN,
    CRYPTO_ALG_REQ_SEG,
    AlgorithmNotFoundError,
    compress_pages,
    crypto_has_acomp,
    decompress_pages,
    fault,
)
from acomp.codecs import CodecError

from ..errors import ParameterError
from .counters import Counters
from .entry import UNIT_BYTES, Units
from .inline import InlineWork
from .lanes import GROUP, Lane, Lanes

INLINE_BYTES: Final = 32 << 10
"""Values up to so many bytes are done on the loop although the algorithm has threads of its own."""
SAMPLED_ABOVE: Final = 64 << 10
"""A larger value is sampled first: "does not compress" is known after 12 KiB then."""
SAMPLE_BYTES: Final = 4096
MOVED_PER_DECOMPRESSED: Final = 8
"""Bytes of buffers made, or copied to make one value of its units, in the time that one takes to decompress.

That is what is left for the loop of units that others work on.
"""
SAMPLE_GAIN: Final = 10
"""Percent by which the sample has to shrink."""


class Compressor:
    """One algorithm, by its name or driver name, in the forms that the cache uses.

    ParameterError(ENOENT) when the current registry has no such algorithm.
    """

    def __init__(self, name: str, counters: Counters, work: InlineWork) -> None:
        self._counters = counters
        self._work = work
        self._far: Lanes | None = None
        self._near: Lane | None = None
        try:
            chosen = Lanes(name)
        except AlgorithmNotFoundError as error:
            raise ParameterError(ENOENT, "compressor", name, str(error)) from None
        self._lanes = [chosen]
        alg = chosen.tfm.alg
        self.driver_name = alg.cra_driver_name
        generic = f"{alg.cra_name}-generic"
        near = chosen if alg.cra_driver_name == generic else None
        if near is None:
            self._far = chosen
            if alg.cra_driver_name == f"{alg.cra_name}-threads" and crypto_has_acomp(generic):
                near = Lanes(generic)
                self._lanes.append(near)
        if near is not None:
            self._near = near.take()
        self._compress_now = None if near is None else near.tfm.compress_at_once
        self._decompress_now = None if near is None else near.tfm.decompress_at_once
        self.now_bytes = 0 if near is None else UNIT_BYTES if near is chosen else INLINE_BYTES
        """Values up to so many bytes are compressed and decompressed at once."""

    def close(self) -> None:
        """Give requests and transforms back, each as soon as nobody uses it."""
        if self._near is not None:
            self._lanes[-1].give_back(self._near)
        for lanes in self._lanes:
            lanes.close()

    def compress_now(self, data: bytes) -> Units | None:
        """The units of a value, at once; None if that would keep the loop too long, or the algorithm has to wait."""
        length = len(data)
        if length > self.now_bytes or self._work.busy:
            return None
        if not length:
            return data
        self._work.spend(length)
        if length > SAMPLED_ABOVE and not self._shrank(self._unit_now(sample := sample_of(data)), sample):
            return data
        output = self._unit_now(data)
        return self._kept(data, output)

    async def compress(self, data: bytes) -> Units:
        """The units of a value that `compress_now` has left, with a turn for the others as often as is due."""
        if not data:
            return data
        if len(data) > SAMPLED_ABOVE:
            sample = sample_of(data)
            if not self._shrank(await self._unit(sample), sample):
                return data
        if len(data) <= UNIT_BYTES:
            output = await self._unit(data)
            return self._kept(data, output)
        done: list[bytes] = []
        view = memoryview(data)
        for start in range(0, len(data), GROUP * UNIT_BYTES):
            end = min(start + GROUP * UNIT_BYTES, len(data))
            group = [view[at : min(at + UNIT_BYTES, end)] for at in range(start, end, UNIT_BYTES)]
            for piece, output in zip(group, await self._group(data, start, group), strict=True):
                done.append(self._kept(piece, output))
        return tuple(done)

    def plain_now(self, units: Units, length: int) -> bytes | None:
        """The plain bytes of units, at once; None if that would take too long. CodecError if they are damaged."""
        if not isinstance(units, bytes):
            return None
        if len(units) == length:
            self._work.spend(length)  # no work, but a caller who asks without end may not keep the loop either
            return units
        if length > self.now_bytes or self._decompress_now is None or self._work.busy:
            return None
        self._work.spend(length)
        return self._decompressed(units, length)

    def _decompressed(self, units: bytes, length: int) -> bytes:
        assert self._decompress_now is not None
        plain = self._decompress_now(units, length)
        if len(plain) != length:
            raise CodecError(f"{len(plain)} bytes came out, and {length} went in")
        return plain

    async def plain(self, units: Units, length: int) -> bytes | None:
        """The plain bytes of units, with a turn for the others as often as is due; None if they are damaged."""
        if isinstance(units, bytes):
            return await self._plain_unit(units, length)
        done: list[bytes] = []
        for start in range(0, len(units), GROUP):
            first = start * UNIT_BYTES
            lengths = [min(UNIT_BYTES, length - at) for at in range(first, length, UNIT_BYTES)][:GROUP]
            group = await self._plain_group(units[start : start + GROUP], lengths)
            if group is None:
                return None
            done += group
        return b"".join(done)

    async def _plain_unit(self, unit: bytes, length: int) -> bytes | None:
        if len(unit) == length:
            return unit
        if length <= self.now_bytes and self._decompress_now is not None:
            await self._work.enter(length)
            try:
                return self._decompressed(unit, length)
            except CodecError:
                return None
        plain = await self._lanes[0].run(lambda lane: lane.decompress(unit, length))
        return plain if isinstance(plain, bytes) and len(plain) == length else None

    async def _plain_group(self, units: tuple[bytes, ...], lengths: list[int]) -> list[bytes] | None:
        """Units as a chain, those that are compressed, or one by one where the algorithm takes no chains."""
        pairs = list(zip(units, lengths, strict=True))
        if self._far is not None and self._far.tfm.alg.cra_flags & CRYPTO_ALG_REQ_CHAIN:
            packed = [unit for unit, length in pairs if len(unit) < length]
            await self._work.enter(sum(lengths) // MOVED_PER_DECOMPRESSED)
            results = iter(await decompress_pages(self._far.tfm, packed, UNIT_BYTES))
            await self._work.enter(sum(lengths) // MOVED_PER_DECOMPRESSED)
            parts = [unit if len(unit) == length else next(results).data for unit, length in pairs]
        else:
            parts = [await self._plain_unit(unit, length) or b"" for unit, length in pairs]
        return parts if list(map(len, parts)) == lengths else None

    def _unit_now(self, data: bytes | memoryview) -> bytes | int:
        """What one request of the generic form would end in; without one, where nobody could tell."""
        if self._compress_now is not None and fault.decider is None:
            return self._compress_now(data)
        assert self._near is not None
        return self._near.compress_now(data)

    async def _unit(self, data: bytes | memoryview) -> bytes | int:
        """One request of the chosen algorithm, or of its generic form for what is small."""
        if len(data) <= self.now_bytes:
            await self._work.enter(len(data))
            return self._unit_now(data)
        return await self._lanes[0].run(lambda lane: lane.compress(data))

    async def _group(self, data: bytes, start: int, group: list[memoryview]) -> Iterable[bytes | int]:
        """Some units: as one request if the algorithm takes that, else as a chain, else one by one."""
        far = self._far
        flags = 0 if far is None else far.tfm.alg.cra_flags
        if flags & (CRYPTO_ALG_REQ_SEG | CRYPTO_ALG_REQ_CHAIN):
            await self._work.enter(sum(map(len, group)) // MOVED_PER_DECOMPRESSED)
        if far is not None and flags & CRYPTO_ALG_REQ_SEG:
            return await far.run(lambda lane: lane.compress_group(data, start, len(group)))
        if far is not None and flags & CRYPTO_ALG_REQ_CHAIN:
            return [result.err or result.data for result in await compress_pages(far.tfm, group)]
        return [await self._unit(piece) for piece in group]

    def _shrank(self, output: bytes | int, sample: bytes) -> bool:
        """Whether a sample says that compressing is worth while; an error is what a sample that grows ends in."""
        if isinstance(output, bytes) and len(output) * 100 <= len(sample) * (100 - SAMPLE_GAIN):
            return True
        self._count_raw("sample" if isinstance(output, bytes) else output)
        return False

    def _kept(self, data: bytes | memoryview, output: bytes | int) -> bytes:
        """What is kept of a unit: its output, or the unit itself if it did not get shorter."""
        if isinstance(output, bytes) and len(output) < len(data):
            return output
        self._count_raw(-E2BIG if isinstance(output, bytes) else output)
        return data if isinstance(data, bytes) else data.tobytes()

    def _count_raw(self, cause: str | int) -> None:
        self._counters.raw[cause if isinstance(cause, str) else errorcode.get(-cause, str(-cause))] += 1


def sample_of(data: bytes) -> bytes:
    """Three pieces of a value, from its beginning, middle and end."""
    middle = (len(data) - SAMPLE_BYTES) // 2
    return data[:SAMPLE_BYTES] + data[middle : middle + SAMPLE_BYTES] + data[-SAMPLE_BYTES:]
