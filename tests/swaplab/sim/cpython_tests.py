"""Run one module of CPython's `test.test_asyncio` on virtual loops: `test_conformance` starts it in a new process.

Its tests ask the event loop policy for loops, and set it back to the default in between, so both are ours here.
"""

import asyncio
import signal
import sys
import unittest
from collections.abc import Iterator

from swaplab import sim

NOT_HERE = {
    "RunCoroutineThreadsafeTests": "a worker thread blocks on the loop; inline it would wait for itself",
    "test_get_event_loop_new_process": "a process of its own",
}


class VirtualPolicy(asyncio.DefaultEventLoopPolicy):
    """Everybody's new event loop is virtual."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return sim.VirtualLoop()


def tests_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def main(module: str) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell started in the background ignores it
    policy = VirtualPolicy()
    set_policy = asyncio.set_event_loop_policy
    set_policy(policy)
    asyncio.set_event_loop_policy = lambda wanted: set_policy(wanted or policy)  # type: ignore[assignment]
    loaded = unittest.defaultTestLoader.loadTestsFromName(f"test.test_asyncio.{module}")
    suite = unittest.TestSuite(test for test in tests_of(loaded) if not any(name in test.id() for name in NOT_HERE))
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun else 1


sys.exit(main(sys.argv[1]))
