"""States of requests and of chains, as literal tables: the only place that says what may follow what.

Two machines, kept apart because they answer different questions:

* a **request** is somebody's property. `idle`: its owner's. `in_flight`: handed to an algorithm, which reads `src` and
  writes `dst` until it says so. `abandoned`: the runner was cancelled while it was in flight and nobody took it over;
  only a completion that still comes makes it idle again. `freed`: nobody's.
* a **chain** is a role of its head. `single`: no chain. `open`: initialised, members may be added. `running`: a runner
  works on it; nothing about the head or its members may change from outside. A finished chain is `open` again, since it
  may be run again as it is.

A chain's state is derived (the CHAIN bit, and whether a runner is at it), a request's is stored. Whether a request is a
*member* of somebody's chain is a third fact, its link. `docs/acomp.md` draws the diagrams from these tables.
"""

from collections.abc import Mapping
from typing import Final, Literal

from .errors import ProtocolError

RequestState = Literal["idle", "in_flight", "abandoned", "freed"]
RequestEvent = Literal["submit", "finish", "abandon", "free"]
ChainState = Literal["single", "open", "running"]
ChainEvent = Literal["init", "add", "run", "finish", "clear"]

REQUEST: Final[Mapping[RequestState, Mapping[RequestEvent, RequestState]]] = {
    "idle": {"submit": "in_flight", "free": "freed"},
    "in_flight": {"finish": "idle", "abandon": "abandoned"},
    "abandoned": {"finish": "idle"},
    "freed": {},
}

CHAIN: Final[Mapping[ChainState, Mapping[ChainEvent, ChainState]]] = {
    "single": {"init": "open", "clear": "single"},
    "open": {"init": "open", "add": "open", "run": "running", "clear": "single"},
    "running": {"finish": "open"},
}


AFTER_SUBMIT: Final[Mapping[RequestState, RequestState]] = {
    state: row["submit"] for state, row in REQUEST.items() if "submit" in row
}
AFTER_FINISH: Final[Mapping[RequestState, RequestState]] = {
    state: row["finish"] for state, row in REQUEST.items() if "finish" in row
}
"""Two columns of the table: every page goes through them, and one look-up is enough."""


def request_after(state: RequestState, event: RequestEvent) -> RequestState:
    """The state of a request after `event`; ProtocolError where the table has none."""
    try:
        return REQUEST[state][event]
    except KeyError:
        raise ProtocolError(
            f"a request that is {state} cannot {event}; allowed now: {_events(REQUEST[state])}"
        ) from None


def chain_after(state: ChainState, event: ChainEvent) -> ChainState:
    """The state of a chain after `event`; ProtocolError where the table has none."""
    try:
        return CHAIN[state][event]
    except KeyError:
        raise ProtocolError(f"a chain that is {state} cannot {event}; allowed now: {_events(CHAIN[state])}") from None


def _events(row: Mapping[RequestEvent, RequestState] | Mapping[ChainEvent, ChainState]) -> str:
    return ", ".join(row) or "nothing"
