"""The blocks of docs/service.md work as they are printed, against a service on another port."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .served import serving

PAGE = (Path(__file__).parents[3] / "docs" / "service.md").read_text()
BLOCKS = dict(re.findall(r"^```(\w+) needs-service\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def port() -> Iterator[str]:
    with serving() as served:
        yield str(served.port)


def test_the_lines_for_the_shell(port: str) -> None:
    lines = [line for line in BLOCKS["sh"].splitlines() if not line.startswith("swaplab serve")]
    assert len(lines) == len(BLOCKS["sh"].splitlines()) - 1
    script = "set -e\n" + "\n".join(lines).replace("8420", port).replace("curl ", "curl -sSf ")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("any bytes")


def test_the_lines_for_python(port: str) -> None:
    imports, _, body = BLOCKS["python"].partition("\n\n")
    body = textwrap.indent(body, "    ") + "        print(code, len(blobs))\n"
    program = f"import asyncio\n{imports}\nasync def main():\n{body}asyncio.run(main())\n".replace("8420", port)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 8\n", "")
