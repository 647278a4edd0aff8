"""The batch runner: one operation for a whole chain, and everything else as in the parallel runner."""

import asyncio
from collections.abc import Sequence
from errno import EBUSY, ECANCELED, EINPROGRESS, EINVAL
from typing import Any

import pytest

import acomp
from acomp import AcompReq, acomp_chain_members, acomp_do_batch_req_chain, trace
from tests.acomp.algorithms import ASYNC, CHAINS, DATA, Calls, chained, errs, requests


def ending_in(codes: Sequence[int], seen: list[AcompReq] | None = None) -> Any:
    """An operation that ends in these codes, a pass later."""

    async def op(reqs: Sequence[AcompReq]) -> Sequence[int]:
        assert [req.state for req in reqs] == ["in_flight"] * len(reqs)
        if seen is not None:
            seen.extend(reqs)
        await asyncio.sleep(0)
        return codes

    return op


async def test_one_operation_gets_the_head_and_the_members_in_order() -> None:
    seen: list[AcompReq] = []
    calls = Calls()
    reqs = chained(5, calls)
    assert await acomp_do_batch_req_chain(reqs[0], ending_in([0] * 5, seen)) == 0
    assert seen == reqs and errs(reqs) == [0] * 5
    assert list(acomp_chain_members(reqs[0])) == reqs[1:]
    assert calls == [(DATA, 0)] and not any(req.busy for req in reqs)


@pytest.mark.parametrize("failing", [0, 1, 4])
async def test_no_code_stops_anything_and_the_heads_is_returned(failing: int) -> None:
    calls = Calls()
    reqs = chained(5, calls)
    codes = [-EINVAL if number == failing else 0 for number in range(5)]
    assert await acomp_do_batch_req_chain(reqs[0], ending_in(codes)) == codes[0]
    assert errs(reqs) == codes and calls == [(DATA, codes[0])]


@pytest.mark.parametrize("flags", [CHAINS, ASYNC])
async def test_what_is_no_chain_is_a_batch_of_the_head(flags: int) -> None:
    reqs = chained(1 if flags == CHAINS else 3, flags=flags)
    seen: list[AcompReq] = []
    assert await acomp_do_batch_req_chain(reqs[0], ending_in([-EINVAL], seen)) == -EINVAL
    assert seen == reqs[:1] and reqs[0].base.err == -EINVAL
    assert [req.base.err for req in reqs[1:]] == [-EINPROGRESS] * (len(reqs) - 1)
    assert list(acomp_chain_members(reqs[0])) == reqs[1:]


async def test_the_chain_may_be_run_again_as_it_is() -> None:
    reqs = chained(3)
    for codes in ([0, 0, 0], [0, -EINVAL, 0]):
        await acomp_do_batch_req_chain(reqs[0], ending_in(codes))
        assert errs(reqs) == codes and list(acomp_chain_members(reqs[0])) == reqs[1:]


@pytest.mark.parametrize(
    "codes",
    [[0, 0], [0] * 4, [0, 1, 0], [0, -EBUSY, 0], [-EINPROGRESS, 0, 0], [None] * 3, [0, 0.0, 0], ["0"] * 3, None, 0],
)
async def test_anything_but_one_final_code_each_is_a_protocol_error(codes: Any) -> None:
    calls = Calls()
    reqs = chained(3, calls)
    with pytest.raises(acomp.ProtocolError, match="code"):
        await acomp_do_batch_req_chain(reqs[0], ending_in(codes), abandon=lambda req: None)
    assert errs(reqs) == [-ECANCELED] * 3 and not calls
    assert list(acomp_chain_members(reqs[0])) == reqs[1:] and not any(req.busy for req in reqs)


@pytest.mark.parametrize("with_abandon", [True, False])
async def test_cancelled_it_abandons_all_and_restores_the_chain(with_abandon: bool) -> None:
    abandoned: list[AcompReq] = []
    calls = Calls()
    reqs = chained(3, calls)

    async def never(reqs: Sequence[AcompReq]) -> list[int]:
        reqs[0].base.data = "the driver's"
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    running = asyncio.ensure_future(
        acomp_do_batch_req_chain(reqs[0], never, abandoned.append if with_abandon else None)
    )
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled() and not calls
    assert abandoned == (reqs if with_abandon else [])
    assert errs(reqs) == [-ECANCELED] * 3 and list(acomp_chain_members(reqs[0])) == reqs[1:]
    assert reqs[0].base.data is DATA
    assert [req.busy for req in reqs] == [not with_abandon] * 3, "nobody has taken them over"


async def test_a_request_in_somebodys_hands_is_refused_and_nothing_has_changed() -> None:
    reqs = chained(3)
    acomp.acomp_request_get(reqs[2])
    with pytest.raises(acomp.RequestBusyError):
        await acomp_do_batch_req_chain(reqs[0], ending_in([0] * 3))
    acomp.acomp_request_put(reqs[2])
    assert await acomp_do_batch_req_chain(reqs[0], ending_in([0] * 3)) == 0


async def test_who_watches_sees_every_request_submitted_and_completed() -> None:
    events: list[tuple[str, object]] = []
    reqs = chained(3)
    numbers: dict[object, int] = {req.serial: number for number, req in enumerate(reqs)}
    with trace.installed(lambda event: events.append((event.kind, numbers[event.fields["request"]]))):
        await acomp_do_batch_req_chain(reqs[0], ending_in([0] * 3))
    assert events == [(kind, number) for kind in ("submit", "complete") for number in range(3)]


@pytest.mark.parametrize("kind", ["submit", "complete"])
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("abandons", [False, True])
async def test_a_sink_that_raises_leaves_no_request_behind(kind: str, at: int, abandons: bool) -> None:
    seen = 0

    def sink(event: trace.Event) -> None:
        nonlocal seen
        seen += event.kind == kind
        if seen == at + 1:
            raise ZeroDivisionError

    reqs, abandoned = chained(3), list[AcompReq]()
    with trace.installed(sink), pytest.raises(ZeroDivisionError):
        await acomp_do_batch_req_chain(reqs[0], ending_in([0] * 3), abandon=abandoned.append if abandons else None)
    assert abandoned == [], "nobody has them yet, or any more"
    assert not any(req.busy for req in reqs) and list(acomp_chain_members(reqs[0])) == reqs[1:]
    assert errs(reqs) == [0 if kind == "complete" else -ECANCELED] * 3
    assert await acomp_do_batch_req_chain(reqs[0], ending_in([0] * 3)) == 0


async def test_an_operation_cannot_take_the_list_from_the_runner() -> None:
    async def op(reqs: Sequence[AcompReq]) -> list[int]:
        assert isinstance(reqs, tuple)
        raise ZeroDivisionError

    reqs = chained(3)
    with pytest.raises(ZeroDivisionError):
        await acomp_do_batch_req_chain(reqs[0], op, abandon=lambda req: None)
    assert not any(req.busy for req in reqs)


async def test_a_single_request_keeps_the_state_that_its_entry_point_gave_it() -> None:
    (req,) = requests(1)
    req.begin()
    assert await acomp_do_batch_req_chain(req, ending_in([0])) == 0
    assert req.state == "idle" and req.base.err == 0
