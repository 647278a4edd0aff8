"""Keeps docs/acomp.md with the code: the state machines of requests and chains, and the contract of an algorithm.

`python docs/states.py` redraws the two diagrams from the tables that the code runs on, and copies the list from the
docstring of `check_conformance`; a test fails when they are out of date.
"""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

from acomp.states import CHAIN, REQUEST
from acomp.testing import check_conformance

PAGE = Path(__file__).with_name("acomp.md")


def diagram(table: Mapping[str, Mapping[str, str]]) -> str:
    """A Mermaid state diagram: the first state of the table is where everything begins."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for state, row in table.items():
        lines += [f"    {state} --> {after}: {event}" for event, after in row.items()]
        lines += [f"    {state} --> [*]"] if not row else []
    return "\n".join([*lines, "```"])


def contract() -> str:
    """The numbered list in the docstring of `check_conformance`."""
    text = inspect.getdoc(check_conformance) or ""
    return text[text.index("1. ") :]


def drawn(text: str) -> str:
    """`text` with what is between each pair of marks made anew."""
    for name, table in {"request": REQUEST, "chain": CHAIN}.items():
        begin, end = f"<!-- {name} states -->", f"<!-- end of {name} states -->"
        text = re.sub(f"{begin}.*?{end}", f"{begin}\n{diagram(table)}\n{end}", text, flags=re.DOTALL)
    begin, end = "<!-- contract -->", "<!-- end of contract -->"
    return re.sub(f"{begin}.*?{end}", f"{begin}\n{contract()}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
