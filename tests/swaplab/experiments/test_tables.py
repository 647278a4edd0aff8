"""Tables: when a column's machine is the one that published figures are of."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from swaplab.experiments.scales import Workload
from swaplab.experiments.tables import Request
from swaplab.model.columns import BASE
from swaplab.model.testbed import load_testbed

TESTBED = load_testbed("spr-2s-8iaa")
REQUEST = Request(TESTBED, BASE, "zstd", "64K", Fraction(1))


@pytest.mark.parametrize(
    ("workload", "asked", "own"),
    [
        ("usemem", {}, True),
        ("usemem", {"processes": 30, "devices": 8, "batch": 8, "sync_mode": "async"}, True),
        ("usemem", {"processes": 32}, False),
        ("kernbench", {"processes": 32}, True),
        ("kernbench", {"processes": 30}, False),
        ("usemem", {"devices": 4}, False),
        ("usemem", {"wqs": 1}, False),
        ("usemem", {"batch": 4}, False),
        ("usemem", {"sync_mode": "sync"}, False),
    ],
)
def test_a_machine_is_the_testbeds_own_whether_that_was_said_or_not(
    workload: Workload, asked: dict[str, Any], own: bool
) -> None:
    assert replace(REQUEST, **asked).is_default_machine(workload) == own


def test_what_is_the_own_machine_is_said_by_the_testbed() -> None:
    smaller = TESTBED.model_copy(update={"usemem": TESTBED.usemem.model_copy(update={"processes": 4})})
    assert replace(REQUEST, testbed=smaller, processes=4).is_default_machine("usemem")
    assert not replace(REQUEST, testbed=smaller, processes=30).is_default_machine("usemem")
    without = TESTBED.model_copy(update={"kernbench": None})
    assert not replace(REQUEST, testbed=without, processes=32).is_default_machine("kernbench")
