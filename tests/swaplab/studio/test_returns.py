"""The table of `/chain`: what a chain returns, held against the runs of its cases."""

import re
from importlib import resources
from typing import Any, Literal

import pytest

from swaplab.story.run import run_script
from swaplab.story.telling import Story, script_of

PAGE = (resources.files("swaplab.studio") / "pages" / "chain.html").read_text()
ROW = re.compile(
    r'<tr data-case="(\w+)">.*?<td data-code="(-?\d+)" data-compressed="(\d)">.*?'
    r'<td data-code="(-?\d+)" data-compressed="(\d)">'
)
CASES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "member": {"incompressible": 3},
    "last": {"incompressible": 7},
    "head": {"incompressible": 0},
    "refused": {"fail": 0},
}
TOLD = {case: ((int(a), int(b)), (int(c), int(d))) for case, a, b, c, d in ROW.findall(PAGE)}


def ran(case: str, sync_mode: Literal["sync", "async", "async_irq"]) -> tuple[object, int]:
    """The code of a case's chain, and how many of its pages were compressed."""
    run = run_script(script_of(Story(devices=1, wqs=1, engines=2, sync_mode=sync_mode, **CASES[case])))
    (code,) = (call.value for call in run.calls if isinstance(call.value, int) and call.events[0] < call.events[1])
    return code, sum(output.err == 0 for output in run.outputs.values())


def test_the_table_has_all_cases() -> None:
    assert TOLD.keys() == CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_a_chain_returns_what_the_table_says(case: str) -> None:
    parallel, serial = TOLD[case]
    assert ran(case, "async") == parallel
    assert ran(case, "sync") == serial
    assert ran(case, "async_irq") == serial, "as the page says of interrupts"
