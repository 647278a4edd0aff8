"""Keeps docs/errors.md with the table that scripts are explained by, `swaplab/story/explain.py`.

`python docs/errors.py` redraws what is between the marks; a test fails when it is out of date.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from swaplab.story.calls import FAULT_POINTS
from swaplab.story.explain import CODES, ERRORS, REJECTS, UNITS, WHOSE, errno_name

PAGE = Path(__file__).with_name("errors.md")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def parts() -> dict[str, str]:
    """The tables of the page by the names of their marks."""
    return {
        "whose": table(["role", "whose result it is"], ([f"`{role}`", whose] for role, whose in WHOSE.items())),
        "codes": table(
            ["code", "what happened", "what to do now"],
            (
                *([f"`-{errno_name(code)}`", happened, remedy] for code, (happened, remedy) in sorted(CODES.items())),
                ["`-EINVAL` of several units", *UNITS],
            ),
        ),
        "rejects": table(
            ["counter", "what happened", "what to do now"],
            ([f"`{reject}`", happened, remedy] for reject, (happened, remedy) in REJECTS.items()),
        ),
        "exceptions": table(
            ["exception", "errno", "what happened", "what to do now"],
            (
                [f"`{kind}`", "" if code is None else f"`{errno_name(code)}`", happened, remedy]
                for (kind, code), (happened, remedy) in ERRORS.items()
            ),
        ),
        "faults": table(["point", "what fails there"], ([point, what] for point, what in FAULT_POINTS.items())),
    }


def drawn(text: str) -> str:
    """`text` with what is between each pair of marks made anew."""
    for mark, made in parts().items():
        begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
        text = re.sub(f"{begin}.*?{end}", f"{begin}\n{made}\n{end}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
