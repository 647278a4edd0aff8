"""Virtual loops wherever a loop is made, for tests that know nothing of it; and a watch over what these loops do."""

import asyncio
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from swaplab.sim import RefusedError, VirtualLoop

SPINNING = 3_000_000
"""Events after which a run is taken for one that never ends."""


@dataclass(slots=True)
class Watch:
    """Since it was reset: whether a virtual loop ran, and whether one refused something."""

    ran: bool = False
    refused: bool = False


watch = Watch()
"""Of the test that runs."""


class Loop(VirtualLoop):
    """A virtual loop that tells when it runs."""

    _selector: Any = None
    """CPython's tests put a mock there."""

    def __init__(self) -> None:
        super().__init__(max_events=SPINNING)

    def run_forever(self) -> None:
        """See `asyncio`; `run_until_complete` comes here too."""
        watch.ran = True
        super().run_forever()

    def advance_time(self, seconds: float) -> None:
        """What CPython's test loop has: something took `seconds` of its time."""
        self.now_ns += round(seconds * 1e9)


class VirtualPolicy(asyncio.DefaultEventLoopPolicy):
    """Everybody's new event loop is virtual."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Make one."""
        return Loop()


def make_all_loops_virtual() -> None:
    """Do so for what asks asyncio for a new loop; to be called before tests are imported."""
    policy = VirtualPolicy()
    set_policy = asyncio.set_event_loop_policy
    set_policy(policy)
    # Tests set the policy back to the default, which is None.
    asyncio.set_event_loop_policy = lambda wanted: set_policy(wanted or policy)  # type: ignore[assignment]
    init = RefusedError.__init__

    def told(self: RefusedError, what: str, remedy: str) -> None:
        watch.refused = True
        init(self, what, remedy)

    RefusedError.__init__ = told  # type: ignore[method-assign]


def make_the_loops_of_cpython_virtual() -> None:
    """Do so for CPython's tests, which have a loop of their own: a generator moves its time, and ours moves by itself.

    Those of a whole loop are a mixin with one class per kind of loop; ours becomes another kind.
    """
    asyncio.BaseEventLoop = Loop  # type: ignore[misc]
    utils: Any = import_module("test.test_asyncio.utils")
    events: Any = import_module("test.test_asyncio.test_events")

    def new_test_loop(case: Any, _gen: object = None) -> asyncio.AbstractEventLoop:
        loop = Loop()
        case.set_event_loop(loop)
        return loop

    utils.TestCase.new_test_loop = new_test_loop
    members = {"create_event_loop": lambda case: Loop(), "__module__": events.__name__}
    events.VirtualLoopTests = type("VirtualLoopTests", (events.EventLoopTestsMixin, utils.TestCase), members)
