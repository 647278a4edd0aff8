"""Keeps docs/scripts.md with the code: what its example prints.

`python docs/scripts.py` redraws it; a test fails when it is out of date.
"""

import re
from pathlib import Path

from swaplab.story.run import run_script
from swaplab.story.transcript import transcript
from swaplab.story.validate import read_script

PAGE = Path(__file__).with_name("scripts.md")
FIRST = 8
"""The call from which on the page shows what is printed."""


def drawn(text: str) -> str:
    """`text` with what its example prints made anew."""
    found = re.search(r"<!-- example -->\n```json\n(.*?)```", text, re.DOTALL)
    assert found is not None, "the page has an example"
    script = read_script(found[1])
    lines = [said.text for said in transcript(script, run_script(script))]
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"{FIRST:>3}  "))
    shown = "\n".join(f"    {line}".rstrip() for line in lines[begin : lines.index("", begin)])
    begin_mark, end_mark = "<!-- printed -->", "<!-- end of printed -->"
    return re.sub(f"{begin_mark}.*?{end_mark}", f"{begin_mark}\n{shown}\n{end_mark}", text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
