"""The operators of mutants: what each makes of a function, and what it refuses."""

import ast
import difflib

import pytest

from tests.mutants.operators import Add, Definition, DoesNotApplyError, Drop, Negate, Operator, Replace, Swap

FUNCTION = """
async def run(head, reqs):
    done: list[int] = []
    for req in reqs:
        if req.state == IDLE and (head or not done):
            req.base.err, req.data = -EINVAL, None
            await req.submit(head, wait=1)
        done.append(req.submit(1))
        req.base.err = 1
    return [code for code in done if code] if head else done
"""


TEST = "if req.state == IDLE and (head or not done):"
BOTH = ast.unparse(ast.parse("req.base.err, req.data = -EINVAL, None"))
APPEND = "done.append(req.submit(1))"
RETURN = "return [code for code in done if code] if head else done"


def mutant(operator: Operator) -> list[str]:
    """The lines that have gone, with a minus, and those that have come, with a plus."""
    tree = ast.parse(FUNCTION)
    before = ast.unparse(tree).splitlines()
    function = tree.body[0]
    assert isinstance(function, Definition)
    operator.apply(function)
    compile(tree, "mutant", "exec")
    lines = difflib.ndiff(before, ast.unparse(tree).splitlines())
    return [f"{line[0]} {line[1:].strip()}" for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("operator", "changes"),
    [
        (Drop("err"), [f"- {BOTH}", "+ pass"]),
        (Drop("data"), [f"- {BOTH}", "+ pass"]),
        (Drop("err", 2), ["- req.base.err = 1", "+ pass"]),
        (Drop("submit"), ["- await req.submit(head, wait=1)", "+ pass"]),
        (Drop("done"), ["- done: list[int] = []", "+ pass"]),
        (Drop("return"), [f"- {RETURN}", "+ pass"]),
        (Add("head.seen()", before="append"), ["+ head.seen()"]),
        (Add("if head: break", before="err", nth=2), ["+ if head:", "+ break"]),
        (Negate("state"), [f"- {TEST}", "+ if not req.state == IDLE and (head or not done):"]),
        (Negate("head"), [f"- {TEST}", "+ if req.state == IDLE and (not head or not done):"]),
        (Negate("done"), [f"- {TEST}", "+ if req.state == IDLE and (head or not not done):"]),
        (Negate("head", 2), [f"- {RETURN}", "+ return [code for code in done if code] if not head else done"]),
        (Negate("code"), [f"- {RETURN}", "+ return [code for code in done if not code] if head else done"]),
        (Replace("IDLE", by="BUSY"), [f"- {TEST}", "+ if req.state == BUSY and (head or not done):"]),
        (Replace("req.base", by="head.base", nth=2), ["- req.base.err = 1", "+ head.base.err = 1"]),
        (Replace("1", by="0", nth=3), ["- req.base.err = 1", "+ req.base.err = 0"]),
        (Replace("req.base.err", by="req.code", nth=2), ["- req.base.err = 1", "+ req.code = 1"]),
        (Swap("append", by="done.remove"), [f"- {APPEND}", "+ done.remove(req.submit(1))"]),
        (Swap("submit", by="lambda n: n", nth=2), [f"- {APPEND}", "+ done.append((lambda n: n)(1))"]),
        (Swap("submit", by="wait_for"), ["- await req.submit(head, wait=1)", "+ await wait_for(head, wait=1)"]),
    ],
    ids=str,
)
def test_an_operator_changes_one_place(operator: Operator, changes: list[str]) -> None:
    assert mutant(operator) == changes


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (Drop("err", 3), "run has 2 statements about err, not 3"),
        (Drop("err", 0), "run has 2 statements about err, not 0"),
        (Drop("base"), "run has 0 statements about base"),
        (Add("pass", before="while"), "run has 0 statements about while"),
        (Negate("reqs"), "condition that mentions reqs 0 times"),
        (Negate("head", 3), "condition that mentions head 2 times"),
        (Replace("2", by="3"), "constant 2 0 times"),
        (Swap("IDLE", by="print"), "call of IDLE 0 times"),
    ],
    ids=str,
)
def test_what_is_not_there_does_not_apply(operator: Operator, why: str) -> None:
    with pytest.raises(DoesNotApplyError, match=why):
        mutant(operator)


def test_a_mutant_is_traced_to_its_line() -> None:
    tree = ast.parse("def fail():\n    x = 1\n\n    return x\n")
    function = tree.body[0]
    assert isinstance(function, Definition)
    Add("raise ValueError", before="return").apply(function)
    assert function.body[1].lineno == 4
