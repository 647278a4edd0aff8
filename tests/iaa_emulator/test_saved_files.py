"""Files as people save and write them: whether they load, whose each queue is, and which key and line is named.

Each file in `saved/` shows one thing. What is expected of it was written from the tool's behaviour, by somebody who had
not seen the reader: the exit status, the outcome of the queues that it decides, words of the output, and the line.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app

SAVED = Path(__file__).parent / "saved"
EXPECTED: list[dict[str, Any]] = json.loads((SAVED / "expected.json").read_text())


def test_every_file_has_its_expectation() -> None:
    assert sorted(case["file"] for case in EXPECTED) == sorted(file.name for file in SAVED.glob("*.conf"))


@pytest.mark.parametrize("case", EXPECTED, ids=[case["file"] for case in EXPECTED])
def test_a_saved_file(case: dict[str, Any]) -> None:
    file = SAVED / case["file"]
    done = CliRunner().invoke(app, ["doctor", str(file)])
    said = (done.stdout + done.stderr).replace(str(file), "FILE")
    assert done.exit_code == case["exit"], case["why"]
    found = dict(re.findall(r"^(\S+/wq\S+) +(the driver's|somebody else's|impossible)", said, re.MULTILINE))
    assert {queue: found.get(queue) for queue in case["queues"]} == case["queues"], case["why"]
    assert not [name for name in case["names"] if name.lower() not in said.lower()], said
    if case["line"] is not None:
        assert f"FILE:{case['line']} " in said or f"FILE:{case['line']}:" in said, said
    impossible = [queue for queue, outcome in found.items() if outcome == "impossible"]
    assert not impossible or re.search(r"^FILE:\d+ \w+: .+; .+\.$", said, re.MULTILINE), "cause, remedy, key and line"


def test_a_directory_is_judged_file_by_file_and_ends_with_the_worst() -> None:
    done = CliRunner().invoke(app, ["doctor", str(SAVED)])
    assert done.exit_code == 2
    blocks = re.findall(rf"^{re.escape(str(SAVED))}/(\S+): (usable|not usable|unreadable): ", done.stdout, re.MULTILINE)
    status = {"usable": 0, "not usable": 1, "unreadable": 2}
    of_file = {case["file"]: case["exit"] for case in EXPECTED}
    assert {name: status[said] for name, said in blocks} == of_file | {"expected.json": 2}
    assert done.stdout.splitlines()[-1].startswith(f"{len(EXPECTED) + 1} files: ")
