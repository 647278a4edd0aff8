"""The literal tables of states, and that requests and chains keep to them."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, get_args

import pytest

import acomp
from acomp import AcompError, AcompReq, ProtocolError, states
from acomp.chain import chain_state
from acomp.states import CHAIN, REQUEST, chain_after, request_after
from tests.acomp.algorithms import Ops, requests

REQUEST_STATES = get_args(states.RequestState)
REQUEST_EVENTS = get_args(states.RequestEvent)
CHAIN_STATES = get_args(states.ChainState)
CHAIN_EVENTS = get_args(states.ChainEvent)

# Written out a second time: a slip in a table has to be made twice.
REQUEST_MOVES = {
    ("idle", "submit"): "in_flight",
    ("idle", "free"): "freed",
    ("in_flight", "finish"): "idle",
    ("in_flight", "abandon"): "abandoned",
    ("abandoned", "finish"): "idle",
}
CHAIN_MOVES = {
    ("single", "init"): "open",
    ("single", "clear"): "single",
    ("open", "init"): "open",
    ("open", "add"): "open",
    ("open", "run"): "running",
    ("open", "clear"): "single",
    ("running", "finish"): "open",
}


def reachable(table: Mapping[Any, Mapping[Any, Any]], start: str) -> set[str]:
    found, new = {start}, {start}
    while new:
        new = {after for state in new for after in table[state].values()} - found
        found |= new
    return found


def test_every_state_has_a_row_and_can_be_reached() -> None:
    assert reachable(REQUEST, "idle") == set(REQUEST) == set(REQUEST_STATES)
    assert reachable(CHAIN, "single") == set(CHAIN) == set(CHAIN_STATES)


def test_every_event_is_good_for_something_and_none_is_unknown() -> None:
    assert {event for row in REQUEST.values() for event in row} == set(REQUEST_EVENTS)
    assert {event for row in CHAIN.values() for event in row} == set(CHAIN_EVENTS)


def test_only_freed_is_the_end() -> None:
    assert [state for state, row in REQUEST.items() if not row] == ["freed"]
    assert [state for state, row in CHAIN.items() if not row] == []


STEPS = {"submit": AcompReq.begin, "finish": AcompReq.finish}


@pytest.mark.parametrize("state", REQUEST_STATES)
@pytest.mark.parametrize("event", REQUEST_EVENTS)
def test_each_event_moves_a_request_as_the_table_says_or_is_refused(state: Any, event: Any) -> None:
    (req,) = requests(1)
    req.state = state
    after = REQUEST_MOVES.get((state, event))
    if after is None:
        with pytest.raises(ProtocolError, match=f"a request that is {state} cannot {event}; allowed now: "):
            request_after(state, event)
        if event in STEPS:
            with pytest.raises(ProtocolError):
                STEPS[event](req)
        assert req.state == state
    else:
        assert request_after(state, event) == after
        if event in STEPS:
            STEPS[event](req)
            assert req.state == after


@pytest.mark.parametrize("state", CHAIN_STATES)
@pytest.mark.parametrize("event", CHAIN_EVENTS)
def test_each_event_moves_a_chain_as_the_table_says_or_is_refused(state: Any, event: Any) -> None:
    after = CHAIN_MOVES.get((state, event))
    if after is None:
        with pytest.raises(ProtocolError, match=f"a chain that is {state} cannot {event}; allowed now: "):
            chain_after(state, event)
    else:
        assert chain_after(state, event) == after


class Chain:
    """A head with one member, brought into any state, and the public call behind each event."""

    def __init__(self) -> None:
        self.head, self.member, self.spare = requests(3)
        self.gate: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.runs: list[asyncio.Task[int]] = []

    async def bring_to(self, state: str) -> None:
        if state == "single":
            return
        acomp.acomp_reqchain_init(self.head, 0, None, None)
        acomp.acomp_request_chain(self.member, self.head)
        if state == "running":
            await self.run()

    async def run(self) -> None:
        async def op(req: AcompReq) -> int:
            return await asyncio.shield(self.gate)

        task = asyncio.ensure_future(acomp.acomp_do_async_req_chain(self.head, op, op))
        await asyncio.sleep(0)
        if task.done():
            task.result()
        self.runs.append(task)

    async def finish(self) -> None:
        self.gate.set_result(0)
        await asyncio.gather(*self.runs)

    async def call(self, event: str) -> None:
        match event:
            case "init":
                acomp.acomp_reqchain_init(self.head, 0, None, None)
            case "add":
                acomp.acomp_request_chain(self.spare, self.head)
            case "run":
                await self.run()
            case "finish":
                await self.finish()
            case "clear":
                acomp.acomp_reqchain_clear(self.head, None)


# What is no chain can be run, as the one operation it is, and what does not run cannot finish: no call says so.
NO_CALL = {("single", "run"), ("single", "finish"), ("open", "finish")}


@pytest.mark.parametrize("state", CHAIN_STATES)
@pytest.mark.parametrize("event", CHAIN_EVENTS)
async def test_the_calls_keep_to_the_chain_table(state: str, event: str) -> None:
    if (state, event) in NO_CALL:
        assert (state, event) not in CHAIN_MOVES
        return
    chain = Chain()
    await chain.bring_to(state)
    assert chain_state(chain.head) == state
    after = CHAIN_MOVES.get((state, event))
    if after is None:
        with pytest.raises(AcompError):
            await chain.call(event)
        assert chain_state(chain.head) == state
    else:
        await chain.call(event)
        assert chain_state(chain.head) == after
    if not chain.gate.done():
        await chain.finish()


async def test_a_request_goes_through_its_states_in_a_run() -> None:
    (req,) = requests(1)
    seen: list[str] = [req.state]
    ops = Ops([req])

    def look(op: Callable[[AcompReq], acomp.Code]) -> Callable[[AcompReq], acomp.Code]:
        def looking(req: AcompReq) -> acomp.Code:
            seen.append(req.state)
            return op(req)

        return looking

    await acomp.acomp_do_async_req_chain(req, look(ops.submit), look(ops.poll))
    seen.append(req.state)
    acomp.acomp_request_free(req)
    assert [*seen, req.state] == ["idle", "in_flight", "in_flight", "idle", "freed"]
