"""Arrays (v9): the two array calls, what they refuse, and how their units end."""

import asyncio
from errno import EBADMSG, ECANCELED, EIO, ENODEV
from typing import Any

import pytest

import acomp
from acomp import CRYPTO_ACOMP_REQ_POLL, AcompReq, Units
from acomp.testing import sweep_cancel

from .algorithms import CHAINS, Calls, algorithm, transform
from .unit_algorithms import SIZE, Null

PAGES = [bytes([number + 1]) * 4096 for number in range(SIZE)]


class Arrays:
    """The arguments of a call with `nr` pages."""

    def __init__(self, tfm: acomp.CryptoAcomp, nr: int = SIZE) -> None:
        self.nr = nr
        self.calls = Calls()
        self.reqs = [acomp.acomp_request_alloc(tfm) for _ in range(nr)]
        for req in self.reqs:
            acomp.acomp_request_set_callback(req, 0, self.calls, None)
        self.pages: list[Any] = PAGES[:nr]
        self.dsts = [bytearray(8192) for _ in range(nr)]
        self.dlens = [77] * nr
        self.errors = [77] * nr

    async def compress(self, nr: int | None = None) -> bool:
        nr = self.nr if nr is None else nr
        return await acomp.crypto_acomp_batch_compress(self.reqs, self.pages, self.dsts, self.dlens, self.errors, nr)

    async def decompress(self, slens: list[int]) -> bool:
        return await acomp.crypto_acomp_batch_decompress(
            self.reqs, self.pages, self.dsts, slens, self.dlens, self.errors, self.nr
        )

    @property
    def outputs(self) -> list[bytes]:
        return [bytes(dst[:dlen]) for dst, dlen in zip(self.dsts, self.dlens, strict=True)]

    def check_left(self) -> None:
        assert self.calls == [], "no completion function is called"
        assert not any(req.busy or req.flags & CRYPTO_ACOMP_REQ_POLL for req in self.reqs)


@pytest.fixture
def null() -> Null:
    return Null()


@pytest.mark.parametrize("nr", [1, 2, SIZE])
async def test_every_page_goes_down_in_one_call(null: Null, nr: int) -> None:
    arrays = Arrays(null.tfm, nr)
    assert await arrays.compress() is True
    assert arrays.errors == [0] * nr and arrays.dlens == [4096] * nr and arrays.outputs == PAGES[:nr]
    assert null.rounds == [nr] and {req.path for req in arrays.reqs} == {"hardware"}
    assert [req.dlen for req in arrays.reqs] == [4096] * nr
    arrays.check_left()


async def test_some_of_the_arrays_may_be_used(null: Null) -> None:
    arrays = Arrays(null.tfm)
    assert await arrays.compress(3)
    assert arrays.errors == [0] * 3 + [77] * 5 and arrays.dlens == [4096] * 3 + [77] * 5
    assert arrays.reqs[3].src is None


async def test_the_requests_poll_while_they_are_down(null: Null) -> None:
    arrays, seen = Arrays(null.tfm, 2), list[bool]()

    async def look() -> None:
        seen.extend(bool(req.flags & CRYPTO_ACOMP_REQ_POLL) and req.busy for req in arrays.reqs)

    null.hold = look
    await arrays.compress()
    assert seen == [True, True]


async def test_3_one_bad_page_in_eight(null: Null) -> None:
    null.outcome = lambda number, source: -EBADMSG if number == 5 else source
    arrays = Arrays(null.tfm)
    assert await arrays.compress() is False
    assert arrays.errors == [-EBADMSG if number == 5 else 0 for number in range(SIZE)]
    assert arrays.dlens == [0 if number == 5 else 4096 for number in range(SIZE)]
    assert null.rounds == [SIZE]
    arrays.check_left()


async def test_a_failure_before_any_unit_ran_is_everybodys(null: Null) -> None:
    null.refusal = {1: -ENODEV}
    arrays = Arrays(null.tfm)
    assert await arrays.compress() is False
    assert arrays.errors == [-ENODEV] * SIZE and arrays.dlens == [0] * SIZE
    arrays.check_left()


async def test_the_way_back(null: Null) -> None:
    null.outcome = lambda number, source: source * 4
    arrays = Arrays(null.tfm, 3)
    arrays.pages = [b"a" * 100, bytearray(b"b" * 1000), memoryview(b"c" * 2000)]
    assert await arrays.decompress([100, 1000, 2000]) is False
    assert arrays.dlens == [400, 4000, 0] and [bool(error) for error in arrays.errors] == [False, False, True]
    assert arrays.outputs[:2] == [b"a" * 400, b"b" * 4000]
    arrays.check_left()


async def test_6_what_is_refused(null: Null) -> None:
    arrays = Arrays(null.tfm)
    for nr in (0, -1, SIZE + 1):
        with pytest.raises(ValueError, match="nr is from 1 to the 8 requests"):
            await arrays.compress(nr)
    with pytest.raises(TypeError, match="nr is an int, not float"):
        await arrays.compress(1.0)  # type: ignore[arg-type]
    arrays.dlens.pop()
    with pytest.raises(ValueError, match="different lengths: 8, 8, 8, 7, 8"):
        await arrays.compress(1)
    arrays.dlens = (77,) * SIZE  # type: ignore[assignment]
    with pytest.raises(TypeError, match="filled in place, and not tuple"):
        await arrays.compress()
    assert null.rounds == [] and arrays.errors == [77] * SIZE
    arrays.check_left()


async def test_6_nine_units_are_too_many(null: Null) -> None:
    arrays = Arrays(null.tfm)
    arrays.reqs.append(acomp.acomp_request_alloc(null.tfm))
    arrays.pages = [*PAGES, PAGES[0]]
    arrays.dsts.append(bytearray(8192))
    arrays.dlens.append(0)
    arrays.errors.append(0)
    with pytest.raises(ValueError, match="9 units are more than the 8 that null-units takes at once"):
        await arrays.compress(9)
    assert null.rounds == []


async def test_6_an_algorithm_without_the_methods_is_never_called() -> None:
    for alg in (algorithm(flags=CHAINS), Null(arrays=False).alg):
        arrays = Arrays(transform(alg), 1)
        with pytest.raises(acomp.ProtocolError, match="takes no arrays"):
            await arrays.compress()
        with pytest.raises(acomp.ProtocolError, match="takes no arrays"):
            await arrays.decompress([1])


async def test_requests_of_different_transforms(null: Null) -> None:
    arrays = Arrays(null.tfm, 2)
    arrays.reqs[1] = acomp.acomp_request_alloc(Null().tfm)
    with pytest.raises(acomp.ProtocolError, match="of one transform"):
        await arrays.compress()
    arrays.reqs[1] = b"x"  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="expected an AcompReq"):
        await arrays.compress()


async def test_a_busy_request_is_found_before_anything_is_touched(null: Null) -> None:
    arrays = Arrays(null.tfm, 3)
    acomp.acomp_request_get(arrays.reqs[2])
    with pytest.raises(acomp.RequestBusyError):
        await arrays.compress()
    assert arrays.errors == [77] * 3 and arrays.reqs[0].src is None
    acomp.acomp_request_put(arrays.reqs[2])
    head = acomp.acomp_request_alloc(null.tfm)
    acomp.acomp_reqchain_init(head, 0, None, None)
    acomp.acomp_request_chain(arrays.reqs[1], head)
    with pytest.raises(acomp.RequestBusyError):
        await arrays.compress()
    acomp.acomp_reqchain_clear(head, None)
    arrays.reqs[0] = arrays.reqs[1]
    with pytest.raises(acomp.RequestBusyError, match="there twice"):
        await arrays.compress()


async def test_a_page_that_is_none_is_refused_and_nobody_stays_busy(null: Null) -> None:
    arrays = Arrays(null.tfm, 2)
    arrays.pages[1] = b"too short"
    with pytest.raises(ValueError, match="slen 4096 is not within the 9 bytes"):
        await arrays.compress()
    arrays.check_left()


async def test_the_cancel_sweep(null: Null) -> None:
    arrays = Arrays(null.tfm, 3)

    async def check() -> None:
        arrays.check_left()
        if null.abandoned:
            assert null.abandoned == arrays.reqs and arrays.errors == [-ECANCELED] * 3 and arrays.dlens == [0] * 3
        null.abandoned.clear()
        assert await arrays.compress() and arrays.errors == [0] * 3

    assert await sweep_cancel(arrays.compress, check) == 1


@pytest.mark.parametrize("outcomes", [[], [b"x"], [b"x", 1], [b"x", None]])
async def test_outcomes_that_are_none(null: Null, outcomes: list[Any]) -> None:
    async def perform(units: Units) -> int:
        units.outcomes = outcomes
        return 0

    method = acomp.acomp_array_method(perform, compressing=True)
    arrays = Arrays(null.tfm, 2)
    with pytest.raises(acomp.ProtocolError):
        await method(arrays.reqs, arrays.pages, arrays.dsts, arrays.dlens, arrays.errors, 2)
    arrays.check_left()


async def test_what_the_primitive_raises_is_raised(null: Null) -> None:
    async def fail() -> None:
        raise OSError(EIO, "the primitive's")

    null.hold = fail
    arrays = Arrays(null.tfm, 2)
    with pytest.raises(OSError, match="the primitive's"):
        await arrays.compress()
    arrays.check_left()


async def test_a_request_may_be_used_again_at_once(null: Null) -> None:
    arrays = Arrays(null.tfm, 2)
    for _ in range(2):
        assert await arrays.compress()
    req: AcompReq = arrays.reqs[0]
    acomp.acomp_request_set_params(req, PAGES[3], bytearray(4096), 4096, 4096)
    code = acomp.crypto_acomp_compress(req)
    assert await acomp.crypto_wait_req(code, None) == 0


async def test_the_loop_is_the_transforms(null: Null) -> None:
    arrays = Arrays(null.tfm, 1)
    await arrays.compress()
    with pytest.raises(acomp.WrongLoopError):
        await asyncio.to_thread(asyncio.run, arrays.compress())
    await asyncio.get_running_loop().shutdown_default_executor()
