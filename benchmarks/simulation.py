"""What a page costs in virtual time, through the real store and the modelled machine; and what an event costs."""

import gc
import statistics
import time
from collections.abc import Iterator
from fractions import Fraction

from swaplab import sim
from swaplab.model.columns import V8
from swaplab.model.machine import Setup
from swaplab.model.testbed import load_testbed
from swaplab.workloads import usemem

from . import virtual_loop
from .rows import Row

PAGE_TARGET_US = 15.0


def usemem_row(scale: Fraction, rounds: int) -> Row:
    """Microseconds of real time per simulated zswpout page, v8 with deflate-iaa and 64 KiB folios.

    Processor time, for the run is one thread. The limit is what the same number of bare heap events would take, eight
    to a folio: modelled time is paid for at so many places on a folio's way, not at each step.
    """
    setup = Setup(load_testbed("spr-2s-8iaa"), V8, "deflate-iaa", "64K")
    taken: list[float] = []
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        outcome = sim.run(usemem.run(setup, scale))
        taken.append((time.process_time() - began) / outcome.events["zswpout"] * 1e6)
    heap_us = virtual_loop.measure("sleepers", 1)["bare heap"] * 8 / 16
    value = statistics.median(taken)
    return Row(
        f"usemem at {scale}, per stored page",
        value,
        "us",
        heap_us,
        value / heap_us,
        PAGE_TARGET_US,
        None,
        "value",
        "lower",
        (min(taken), max(taken)),
    )


def loop_rows(rounds: int) -> Iterator[Row]:
    """The virtual loop's own benchmark: microseconds per event, against a bare heap."""
    for pattern in virtual_loop.PLAYERS:
        costs = virtual_loop.measure(pattern, rounds)
        value, heap = costs["loop, sleep_ns"], costs["bare heap"]
        yield Row(
            f"virtual loop, {pattern}, per event",
            value,
            "us",
            heap,
            value / heap,
            virtual_loop.TARGET_US,
            None,
            "value",
            "lower",
        )
