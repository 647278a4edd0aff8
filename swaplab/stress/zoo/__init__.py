"""Eight published concurrency bugs as small programs, each in faulty and in correct form, to hold a tool against.

The patterns are those of the reports that `seen_at` names; the programs are our own. `BUGS` has all of them.
"""

from dataclasses import dataclass

from ..scenario import Scenario
from . import pools, sharing, streams


@dataclass(frozen=True, slots=True)
class Bug:
    """One bug: where it was reported, a scenario that has it, and one that has not."""

    seen_at: str
    faulty: Scenario
    correct: Scenario


BUGS: dict[str, Bug] = {
    "handed to a waiter that is gone": Bug("httpcore#1093", pools.handed_faulty, pools.handed_correct),
    "woken without a reservation": Bug("aiohttp#4936", pools.woken_faulty, pools.woken_correct),
    "reply of somebody else": Bug("redis-py#2624", streams.reply_faulty, streams.reply_correct),
    "made twice": Bug("aiocache#222", sharing.made_faulty, sharing.made_correct),
    "cancelled by a neighbour": Bug("async-lru#697", sharing.neighbour_faulty, sharing.neighbour_correct),
    "item lost on the way": Bug("websockets#486", streams.item_faulty, streams.item_correct),
    "one slot for two waiters": Bug("cpython#74116", streams.drain_faulty, streams.drain_correct),
    "closing interrupted": Bug("asyncmy#156", pools.closing_faulty, pools.closing_correct),
}

__all__ = ["Bug", "BUGS"]
