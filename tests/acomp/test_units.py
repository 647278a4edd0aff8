"""Unit requests: what the setters refuse, what the core does with one unit, how several units end (v14, repaired)."""

import asyncio
from errno import E2BIG, ECANCELED, EINPROGRESS, EINVAL, EIO, ENODEV, ENOSYS
from typing import Any

import pytest

import acomp
from acomp import AcompReq, FolioRange, SgEntry
from acomp.testing import sweep_cancel

from .algorithms import ASYNC, CHAINS, Calls, algorithm, copy, transform
from .unit_algorithms import SEG, SIZE, UNIT, Folio, Null


@pytest.fixture
def null() -> Null:
    return Null()


@pytest.fixture
def req(null: Null) -> AcompReq:
    return acomp.acomp_request_alloc(null.tfm)


def entries(*sizes: int) -> list[SgEntry]:
    return [SgEntry(bytearray(size)) for size in sizes]


# The setters.


async def test_they_store_what_they_are_given_and_no_view(req: AcompReq) -> None:
    data, table = bytearray(100), entries(64, 36)
    acomp.acomp_request_set_src_folio(req, data, 4, 90)
    acomp.acomp_request_set_dst_sg(req, table, 80)
    acomp.acomp_request_set_unit_size(req, 64)
    assert req.src == FolioRange(data, 4, 90) and req.slen == 90
    assert req.dst == tuple(table) and req.dlen == 80
    assert req.unit_size == 64
    data.append(0)  # a view would forbid it
    acomp.acomp_request_set_params(req, b"x", bytearray(1), 1, 1)
    assert (req.src, type(req.dst), req.unit_size) == (b"x", bytearray, 64)


async def test_7_the_unit_size_is_set_after_the_callback(req: AcompReq) -> None:
    acomp.acomp_request_set_unit_size(req, 4096)
    acomp.acomp_request_set_callback(req, 0, None, None)
    assert req.unit_size == 0
    acomp.acomp_request_set_unit_size(req, 4096)
    assert req.unit_size == 4096
    acomp.acomp_reqchain_init(req, 0, None, None)
    assert req.unit_size == 0
    acomp.acomp_reqchain_clear(req, None)
    acomp.acomp_request_set_unit_size(req, 4096)
    acomp.acomp_reqchain_clear(req, None)
    assert req.unit_size == 0


@pytest.mark.parametrize("size", [0, 1, 4095, 131072])
async def test_these_are_unit_sizes(req: AcompReq, size: int) -> None:
    acomp.acomp_request_set_unit_size(req, size)
    assert req.unit_size == size


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (-1, ValueError, "from 0 .off. to 131072 bytes, not -1"),
        (131073, ValueError, "not 131073"),
        (4096.0, TypeError, "an int, not float"),
        (True, TypeError, "an int, not bool"),
        (None, TypeError, "an int, not NoneType"),
    ],
)
async def test_these_are_none(req: AcompReq, size: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        acomp.acomp_request_set_unit_size(req, size)
    assert req.unit_size == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("text", 0, 1), TypeError, "a contiguous buffer such as bytes, not str"),
        ((memoryview(b"1234")[::2], 0, 1), TypeError, "must be contiguous"),
        ((b"1234", 0.0, 1), TypeError, "ints, not float and int"),
        ((b"1234", 0, None), TypeError, "ints, not int and NoneType"),
        ((b"1234", -1, 1), ValueError, "not within the 4 bytes"),
        ((b"1234", 0, -1), ValueError, "not within the 4 bytes"),
        ((b"1234", 2, 3), ValueError, "3 bytes from 2 on are not within the 4 bytes"),
    ],
)
async def test_a_range_that_is_none(
    req: AcompReq, arguments: tuple[Any, Any, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        acomp.acomp_request_set_src_folio(req, *arguments)
    assert req.src is None


async def test_a_table_that_is_none(req: AcompReq) -> None:
    table = entries(8, 8)
    for wrong, total, error, message in (
        ([table[0], bytearray(8)], 8, TypeError, "SgEntry objects, and not bytearray"),
        (table, 8.0, TypeError, "an int, not float"),
        (table, -1, ValueError, "not within the 16 bytes"),
        (table, 17, ValueError, "17 is not within the 16 bytes"),
        ([table[0], table[0]], 8, ValueError, "there twice"),
        ([table[0], SgEntry(table[0].buffer)], 8, ValueError, "there twice"),
    ):
        with pytest.raises(error, match=message):
            acomp.acomp_request_set_dst_sg(req, wrong, total)  # type: ignore[arg-type]
    assert req.dst is None


@pytest.mark.parametrize("buffer", [b"12", memoryview(b"12"), "12", memoryview(bytearray(4))[::2]])
def test_an_entry_takes_what_can_be_written_to(buffer: Any) -> None:
    with pytest.raises(TypeError, match=r"read-only|writable|contiguous"):
        SgEntry(buffer)


def test_an_entry_says_what_it_is() -> None:
    entry = SgEntry(memoryview(bytearray(5)))
    assert (entry.length, entry.output, entry.path) == (0, None, "software")
    assert repr(entry) == "<SgEntry of 5 bytes: length 0, software>"


async def test_a_chain_and_a_unit_size_do_not_go_together(null: Null) -> None:
    head, member, single = (acomp.acomp_request_alloc(null.tfm) for _ in range(3))
    acomp.acomp_reqchain_init(head, 0, None, None)
    acomp.acomp_request_chain(member, head)
    for one in (head, member):
        for setter, arguments in (
            (acomp.acomp_request_set_unit_size, (64,)),
            (acomp.acomp_request_set_src_folio, (b"x", 0, 1)),
            (acomp.acomp_request_set_dst_sg, (entries(1), 1)),
        ):
            with pytest.raises(acomp.ProtocolError, match="part of a chain"):
                setter(one, *arguments)
    acomp.acomp_request_set_unit_size(single, 64)
    with pytest.raises(acomp.ProtocolError, match="has a unit size of 64 bytes"):
        acomp.acomp_request_chain(single, head)
    pages = [memoryview(bytes(8))] * 2
    with pytest.raises(acomp.ProtocolError, match="has a unit size of 64 bytes"):
        acomp.acomp_reqchain_fill([head, single], pages, [bytearray(8), bytearray(8)], 8, 8)
    assert acomp.acomp_chain_members(head) == (member,)


async def test_a_head_that_had_a_folio_before_is_refused(null: Null) -> None:
    folio = Folio(null.tfm, 1)
    acomp.acomp_reqchain_init(folio.req, 0, None, None)
    assert await acomp.crypto_wait_req(acomp.crypto_acomp_compress(folio.req), None) == -EINVAL


async def test_a_request_in_flight_is_left_alone(null: Null) -> None:
    folio, gate = Folio(null.tfm, 2), asyncio.Event()
    null.hold = gate.wait
    task = asyncio.ensure_future(folio.compress())
    await asyncio.sleep(0)
    with pytest.raises(acomp.RequestBusyError):
        acomp.acomp_request_set_unit_size(folio.req, 1)
    with pytest.raises(acomp.RequestBusyError):
        acomp.acomp_request_set_src_folio(folio.req, b"x", 0, 1)
    with pytest.raises(acomp.RequestBusyError):
        acomp.acomp_request_set_dst_sg(folio.req, entries(1), 1)
    gate.set()
    assert await task == 0


# Several units.


@pytest.mark.parametrize("nr", [2, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE + 2])
async def test_13_each_unit_has_its_entry_whatever_their_number(null: Null, nr: int) -> None:
    folio = Folio(null.tfm, nr)
    assert await folio.compress() == 0
    assert folio.outputs == folio.units
    assert {entry.path for entry in folio.entries} == {"hardware"}
    assert null.rounds == [SIZE] * (nr // SIZE) + [nr % SIZE] * bool(nr % SIZE)
    assert folio.req.dlen == UNIT and folio.req.output is None and folio.req.path == "hardware"
    assert not folio.req.busy and folio.req.unit_size == UNIT, "it may go down again as it is"
    null.rounds.clear()
    assert await folio.compress() == 0 and folio.outputs == folio.units


@pytest.mark.parametrize(("unit", "rest"), [(64, 1), (64, 63), (1, 0), (100, 7)])
async def test_13_a_short_last_unit_is_a_unit(null: Null, unit: int, rest: int) -> None:
    folio = Folio(null.tfm, 3, unit=unit, rest=rest)
    assert await folio.compress() == 0
    assert folio.outputs == folio.units


@pytest.mark.parametrize("unit", [0, 3 * UNIT, 1000])
async def test_13_a_unit_as_large_as_the_source_or_none_is_one_unit(null: Null, unit: int) -> None:
    folio = Folio(null.tfm, 3)
    folio.entries = entries(1000)
    folio.set(unit)
    assert await folio.compress() == 0
    assert folio.outputs == [b"".join(folio.units)] and null.rounds == [1]
    assert folio.req.dlen == 3 * UNIT


async def test_11_one_bad_unit_disturbs_no_other(null: Null) -> None:
    null.outcome = lambda number, source: -EIO if number in (0, 2) else source
    folio = Folio(null.tfm, SIZE + 2)
    room = folio.req.dlen
    assert await folio.compress() == -EINVAL
    assert folio.lengths == [-EIO, UNIT, -EIO] + [UNIT] * (SIZE - 1)
    assert folio.entries[0].output is None and folio.entries[1].output == folio.units[1]
    assert folio.req.dlen == room, "the first failed, so the capacity stays"


async def test_a_unit_has_the_room_of_its_buffer_and_at_most_its_size(null: Null) -> None:
    folio = Folio(null.tfm, 3)
    folio.entries = entries(2 * UNIT, UNIT - 1, UNIT)
    folio.set(UNIT)
    assert await folio.compress() == -EINVAL
    assert folio.lengths == [UNIT, -E2BIG, UNIT]


async def test_with_output_only_no_buffer_is_written(null: Null) -> None:
    folio = Folio(null.tfm, 3)
    folio.req.flags |= acomp.CRYPTO_ACOMP_OUTPUT_ONLY
    assert await folio.compress() == 0
    assert [entry.output for entry in folio.entries] == folio.units
    assert not any(any(entry.buffer) for entry in folio.entries)


async def test_a_failure_before_any_unit_ran_is_everybodys(null: Null) -> None:
    null.refusal = {1: -ENODEV}
    folio = Folio(null.tfm, SIZE + 3)
    assert await folio.compress() == -ENODEV
    assert folio.lengths == [-ENODEV] * (SIZE + 3) and null.rounds == [SIZE]
    null.rounds.clear()
    null.refusal = {2: -ENODEV}
    assert await folio.compress() == -EINVAL
    assert folio.lengths == [UNIT] * SIZE + [-ENODEV] * 3


async def test_one_unit_returns_its_own_code(null: Null) -> None:
    null.outcome = lambda number, source: -EIO
    folio = Folio(null.tfm, 1)
    assert await folio.compress() == -EIO
    assert folio.lengths == [-EIO]


async def test_no_completion_function_is_called(null: Null) -> None:
    folio, calls = Folio(null.tfm, 3), Calls()
    acomp.acomp_request_set_callback(folio.req, 0, calls, None)
    acomp.acomp_request_set_unit_size(folio.req, UNIT)
    assert await folio.compress() == 0
    assert calls == [] and folio.outputs == folio.units


@pytest.mark.parametrize("outcome", [None, 3, 0, -EINPROGRESS, "x", bytearray(b"x")])
async def test_an_outcome_that_is_none_is_the_algorithms_fault(null: Null, outcome: Any) -> None:
    null.outcome = lambda number, source: outcome if number == 1 else source
    folio = Folio(null.tfm, 3)
    with pytest.raises(acomp.ProtocolError, match="a unit ends in bytes or in a negative errno"):
        await folio.compress()
    assert not folio.req.busy and folio.lengths[1:] == [-ECANCELED] * 2


# Refused, with nothing touched.


async def test_13_what_is_not_in_order_is_refused_and_nothing_is_touched(null: Null) -> None:
    folio, calls = Folio(null.tfm, 3), Calls()
    acomp.acomp_request_set_callback(folio.req, 0, calls, None)
    for entry in folio.entries:
        entry.length = 77

    async def compressed(src: Any, dst: Any, unit: int) -> int:
        folio.req.src, folio.req.dst, folio.req.slen = src, dst, len(src) if isinstance(src, bytes) else src.length
        acomp.acomp_request_set_unit_size(folio.req, unit)
        return await folio.compress()

    table, source = tuple(folio.entries), FolioRange(folio.data, 0, 3 * UNIT)
    assert await compressed(source, table[:2], UNIT) == -EINVAL, "fewer entries than units"
    assert await compressed(source, (), 0) == -EINVAL, "no entry"
    assert await compressed(FolioRange(folio.data, 0, 0), table, UNIT) == -EINVAL, "no unit"
    assert await compressed(source, bytearray(500), UNIT) == -EINVAL, "a folio with a plain destination"
    assert await compressed(folio.data, table, UNIT) == -EINVAL, "and the reverse"
    assert null.rounds == [] and calls == [] and folio.lengths == [77] * 3 and not folio.req.busy


async def test_several_units_are_not_decompressed(null: Null) -> None:
    folio = Folio(null.tfm, 3)
    code = acomp.crypto_acomp_decompress(folio.req)
    assert code == -ENOSYS and folio.lengths == [0] * 3


async def test_9_with_plain_buffers_the_unit_size_is_ignored_in_both_directions(null: Null) -> None:
    req = acomp.acomp_request_alloc(null.tfm)
    acomp.acomp_request_set_unit_size(req, 16)
    for method in (acomp.crypto_acomp_compress, acomp.crypto_acomp_decompress):
        dst = bytearray(64)
        acomp.acomp_request_set_params(req, bytes(range(64)), dst, 64, 64)
        assert method(req) == 0
        assert bytes(dst) == bytes(range(64)) and req.dlen == 64 and req.unit_size == 16


# The core's wrapper: exactly one unit, for any algorithm.


@pytest.mark.parametrize("flags", [0, ASYNC, CHAINS])
@pytest.mark.parametrize("unit", [UNIT, 0, 2 * UNIT])
async def test_8_an_algorithm_that_knows_no_units_does_one(flags: int, unit: int) -> None:
    seen: list[tuple[bytes, int, int]] = []

    def compress(req: AcompReq) -> int:
        seen.append((bytes(req.src), req.dlen, req.unit_size))
        return copy(req)

    tfm, calls = transform(algorithm(flags=flags, compress=compress)), Calls()
    folio = Folio(tfm, 1)
    acomp.acomp_request_set_callback(folio.req, 0, calls, "mine")
    folio.set(unit)
    before = folio.req.src, folio.req.dst
    assert acomp.crypto_acomp_compress(folio.req) == 0
    assert seen == [(folio.units[0], UNIT, 0)]
    assert folio.lengths == [UNIT] == [folio.req.dlen] and folio.outputs == folio.units
    assert folio.entries[0].output == folio.units[0] and folio.req.output is None
    assert (folio.req.src, folio.req.dst) == before and folio.req.unit_size == unit
    assert (folio.req.base.complete, folio.req.base.data, calls) == (calls, "mine", [])


async def test_8_its_error_is_in_the_entry_and_returned() -> None:
    folio = Folio(transform(algorithm(flags=0, compress=lambda req: -EIO)), 1)
    assert acomp.crypto_acomp_compress(folio.req) == -EIO
    assert folio.lengths == [-EIO] and folio.req.dlen == UNIT and folio.req.unit_size == UNIT


async def test_8_two_units_are_refused_and_nothing_is_touched() -> None:
    folio = Folio(transform(algorithm(compress=lambda req: pytest.fail("called"))), 2)
    folio.entries[0].length = 77
    assert acomp.crypto_acomp_compress(folio.req) == -ENOSYS
    assert folio.lengths == [77, 0] and folio.req.unit_size == UNIT and not folio.req.busy


async def test_8_a_short_unit_is_done() -> None:
    folio = Folio(transform(algorithm(flags=0)), 0, rest=UNIT - 1)
    acomp.acomp_request_set_unit_size(folio.req, UNIT)
    assert acomp.crypto_acomp_compress(folio.req) == 0
    assert folio.lengths == [UNIT - 1]


async def test_one_unit_is_decompressed() -> None:
    folio = Folio(transform(algorithm(flags=0)), 1)
    assert acomp.crypto_acomp_decompress(folio.req) == 0
    assert folio.outputs == folio.units


async def test_8_an_asynchronous_one_sets_the_entry_before_the_owner_is_told() -> None:
    seen: list[tuple[Any, int, int, int]] = []
    submitted: list[AcompReq] = []

    def compress(req: AcompReq) -> int:
        submitted.append(req)
        return -EINPROGRESS

    folio = Folio(transform(algorithm(compress=compress)), 1)

    def told(data: Any, err: int) -> None:
        seen.append((data, err, folio.entries[0].length, folio.req.unit_size))

    acomp.acomp_request_set_callback(folio.req, 0, told, "mine")
    folio.set(UNIT)
    for outcome in (0, -EIO):
        assert acomp.crypto_acomp_compress(folio.req) == -EINPROGRESS
        base = folio.req.base
        assert base.complete is not None
        base.complete(base.data, -EINPROGRESS)  # the notice of the backlog
        if not outcome:
            folio.req.deliver(b"short")
        assert base.complete is not None
        base.complete(base.data, outcome)
        assert folio.req.base.complete is told and not folio.req.busy
        folio.set(UNIT)
    assert seen == [
        ("mine", -EINPROGRESS, 0, 0),
        ("mine", 0, 5, UNIT),
        ("mine", -EINPROGRESS, 5, 0),
        ("mine", -EIO, -EIO, UNIT),
    ]


@pytest.mark.parametrize("raised", [RuntimeError("the algorithm's"), asyncio.CancelledError()])
@pytest.mark.parametrize("at_once", [True, False])
async def test_8_what_the_algorithm_raises_leaves_everything_as_it_was(raised: BaseException, at_once: bool) -> None:
    async def later(req: AcompReq) -> int:
        raise raised

    def compress(req: AcompReq) -> acomp.Code:
        if at_once:
            raise raised
        return later(req)

    folio = Folio(transform(algorithm(compress=compress)), 1)
    with pytest.raises(type(raised)):
        await folio.compress()
    assert folio.lengths == [-ECANCELED] and folio.req.unit_size == UNIT and not folio.req.busy
    assert type(folio.req.src) is FolioRange and folio.req.dst == tuple(folio.entries)
    assert folio.req.base.complete is acomp.crypto_req_done


async def test_a_coroutine_that_is_never_awaited_has_changed_nothing() -> None:
    async def later(req: AcompReq) -> int:
        return copy(req)

    folio = Folio(transform(algorithm(compress=later)), 1)
    code = acomp.crypto_acomp_compress(folio.req)
    assert not isinstance(code, int) and type(folio.req.src) is FolioRange and not folio.req.busy
    assert await code == 0 and folio.outputs == folio.units


# Cancelled.


@pytest.mark.parametrize("nr", [1, 3, 2 * SIZE + 1])
async def test_the_cancel_sweep_of_the_runner(null: Null, nr: int) -> None:
    folio = Folio(null.tfm, nr)

    async def check() -> None:
        unfinished = folio.lengths[sum(null.rounds[:-1]) :]
        assert not folio.req.busy and null.abandoned in ([], [folio.req])
        assert set(unfinished) == {-ECANCELED} if null.abandoned else folio.outputs == folio.units
        assert folio.outputs[: sum(null.rounds[:-1])] == folio.units[: sum(null.rounds[:-1])]
        null.rounds.clear()
        null.abandoned.clear()
        assert await folio.compress() == 0 and folio.outputs == folio.units
        null.rounds.clear()

    assert await sweep_cancel(folio.compress, check) == -(-nr // SIZE)


async def test_what_is_cancelled_stays_so_while_a_job_still_works(null: Null) -> None:
    folio, gate = Folio(null.tfm, 3), asyncio.Event()
    null.hold = gate.wait
    task = asyncio.ensure_future(folio.compress())
    await asyncio.sleep(0)
    acomp.acomp_request_get(folio.req)  # a job's hold on the buffers
    task.cancel()
    await asyncio.wait([task])
    assert folio.req.busy and folio.lengths == [-ECANCELED] * 3
    with pytest.raises(acomp.RequestBusyError):
        await folio.compress()
    acomp.acomp_request_put(folio.req)
    assert folio.lengths == [-ECANCELED] * 3
    null.hold = lambda: asyncio.sleep(0)
    assert await folio.compress() == 0


@pytest.mark.parametrize("flags", [SEG, SEG & ~ASYNC])
def test_seg_goes_with_a_batch_size(flags: int) -> None:
    with pytest.raises(ValueError, match="goes with a batch_size"):
        algorithm(flags=flags)
    assert algorithm(flags=flags, batch_size=lambda: 4).cra_flags & acomp.CRYPTO_ALG_REQ_SEG


def test_a_batch_size_is_said_once() -> None:
    names = {"cra_name": "x", "cra_driver_name": "x-test", "cra_priority": 1, "cra_flags": CHAINS}
    given: dict[str, Any] = {**names, "compress": copy, "decompress": copy}
    with pytest.raises(ValueError, match="say the same"):
        acomp.AcompAlg(**given, batch_size=8, get_batch_size=lambda: 8)
    wrong_ones: list[Any] = [0, -1, 8.0, True]
    for wrong in wrong_ones:
        with pytest.raises(ValueError, match="batch_size is how many pages"):
            acomp.AcompAlg(**given, batch_size=wrong)
    alg = acomp.AcompAlg(**given, batch_size=8)
    assert acomp.crypto_acomp_batch_size(transform(alg)) == 8
    assert acomp.acomp_has_async_batching(transform(alg))
