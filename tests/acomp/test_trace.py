"""The event sink: off by default and then free, and one chain's events in order."""

import asyncio
from errno import EAGAIN, EINVAL
from functools import partial
from typing import Any

import pytest

import acomp
from acomp import acomp_do_async_req_chain, acomp_do_req_chain, trace
from tests.acomp.algorithms import PAGE, Ops, Stepped, chained, requests


class Untold:
    """Stands for Event where none may be made."""

    def __init__(self, *_: object) -> None:
        raise AssertionError("an event was made although nobody listens")


async def test_off_by_default_no_event_is_even_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trace.sink is None
    monkeypatch.setattr(trace, "Event", Untold)
    monkeypatch.setattr(trace, "emit", Untold)
    reqs = chained(3)
    await acomp_do_async_req_chain(reqs[0], Ops(reqs).submit, lambda req: 0)
    reqs = chained(3)
    await acomp_do_req_chain(reqs[0], lambda req: 0)
    device = Stepped(auto=True)
    assert [result.err for result in await acomp.compress_pages(device.tfm, [PAGE] * 9)] == [0] * 9


async def test_the_stand_in_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "Event", Untold)
    with trace.installed(lambda event: None), pytest.raises(AssertionError, match="nobody listens"):
        chained(2)


def told(events: list[trace.Event], reqs: list[acomp.AcompReq]) -> list[tuple[Any, ...]]:
    """Kinds with the number of their request, and the err of completions."""
    number = {req.serial: at for at, req in enumerate(reqs)}
    return [
        (event.kind, number[request], *([event.fields["err"]] if "err" in event.fields else []))
        for event in events
        if isinstance(request := event.fields.get("request", event.fields["head"]), int)
    ]


async def test_the_events_of_a_parallel_chain_in_order() -> None:
    events: list[trace.Event] = []
    with trace.installed(events.append):
        reqs = chained(3)
        ops = Ops(reqs, {2: -EAGAIN}, {0: [-EAGAIN, 0], 1: [-EINVAL]})
        await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll)
    assert told(events, reqs) == [
        ("chain.init", 0),
        ("chain.add", 1),
        ("chain.add", 2),
        ("submit", 0),
        ("submit", 1),
        ("submit", 2),
        ("complete", 2, -EAGAIN),
        ("poll.empty", 0),
        ("complete", 1, -EINVAL),
        ("complete", 0, 0),
    ]
    assert {event.fields["head"] for event in events} == {reqs[0].serial}


async def test_the_events_of_a_serial_chain_in_order() -> None:
    events: list[trace.Event] = []
    reqs = chained(3)
    ops = Ops(reqs, {0: 0, 1: -EINVAL, 2: 0})
    with trace.installed(events.append):
        await acomp_do_req_chain(reqs[0], ops.submit)
    assert told(events, reqs) == [
        ("submit", 0),
        ("complete", 0, 0),
        ("submit", 1),
        ("complete", 1, -EINVAL),
        ("submit", 2),
        ("complete", 2, 0),
    ]


async def test_times_are_the_loops_integers_and_never_go_back() -> None:
    events: list[trace.Event] = []
    reqs = chained(4)
    ops = Ops(reqs, coroutines=True)
    loop = asyncio.get_running_loop()
    before = round(loop.time() * 1e9)
    with trace.installed(events.append):
        await acomp_do_async_req_chain(reqs[0], ops.submit, ops.poll)
    times = [before, *(event.at_ns for event in events), round(loop.time() * 1e9)]
    assert times == sorted(times)
    assert all(type(time) is int for time in times)


async def test_fields_are_plain_values() -> None:
    events: list[trace.Event] = []
    with trace.installed(events.append):
        reqs = chained(2)
        await acomp_do_async_req_chain(reqs[0], Ops(reqs).submit, lambda req: 0)
    assert events
    assert all(type(value) in (int, str, bool, float) for event in events for value in event.fields.values())


async def test_the_former_sink_comes_back() -> None:
    outer: list[trace.Event] = []
    inner: list[trace.Event] = []
    with trace.installed(outer.append):
        with trace.installed(inner.append):
            trace.emit("inside")
        with pytest.raises(ZeroDivisionError), trace.installed(inner.append):
            raise ZeroDivisionError
        trace.emit("outside", x=1)
    assert trace.sink is None
    assert [event.kind for event in inner] == ["inside"]
    assert [(event.kind, event.fields) for event in outer] == [("outside", {"x": 1})]


@pytest.mark.parametrize("serial", [False, True])
@pytest.mark.parametrize("broken_at", range(6))
async def test_a_sink_that_raises_leaves_the_chain_whole(serial: bool, broken_at: int) -> None:
    """What it raises reaches the code that was being watched, which has to clean up after that as after anything."""
    reqs = chained(3)
    ops = Ops(reqs, dict.fromkeys(range(3), 0))
    seen = 0

    def sink(event: trace.Event) -> None:
        nonlocal seen
        seen += 1
        if seen > broken_at:
            raise ZeroDivisionError

    run = acomp_do_req_chain if serial else partial(acomp_do_async_req_chain, op_poll=ops.poll)
    with trace.installed(sink), pytest.raises(ZeroDivisionError):
        await run(reqs[0], ops.submit)
    assert acomp.acomp_chain_members(reqs[0]) == tuple(reqs[1:])
    assert not any(req.busy for req in reqs)


def test_events_are_frozen_and_have_a_schema() -> None:
    event = trace.Event(1, "submit", {})
    with pytest.raises(AttributeError):
        event.kind = "other"  # type: ignore[misc]
    assert trace.SCHEMA == "acomp.trace/1"


def test_requests_are_told_apart() -> None:
    serials = [req.serial for req in requests(5)]
    assert serials == sorted(set(serials))
