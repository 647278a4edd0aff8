"""Draws the state machines of requests and chains, for docs/acomp.md, from the tables that the code runs on.

`python docs/states.py` rewrites the two diagrams in docs/acomp.md; a test fails when they are out of date.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from acomp.states import CHAIN, REQUEST

PAGE = Path(__file__).with_name("acomp.md")


def diagram(table: Mapping[str, Mapping[str, str]]) -> str:
    """A Mermaid state diagram: the first state of the table is where everything begins."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(table))}"]
    for state, row in table.items():
        lines += [f"    {state} --> {after}: {event}" for event, after in row.items()]
        lines += [f"    {state} --> [*]"] if not row else []
    return "\n".join([*lines, "```"])


def drawn(text: str) -> str:
    """`text` with the diagram between each pair of marks redrawn."""
    for name, table in {"request": REQUEST, "chain": CHAIN}.items():
        begin, end = f"<!-- {name} states -->", f"<!-- end of {name} states -->"
        text = re.sub(f"{begin}.*?{end}", f"{begin}\n{diagram(table)}\n{end}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
