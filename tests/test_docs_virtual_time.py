"""The code in docs/virtual-time.md runs as it stands, and prints what its comments say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parent.parent / "docs" / "virtual-time.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
PROGRAMS = [code for code in BLOCKS if not code.startswith("# pytest")]
SUITES = [code for code in BLOCKS if code.startswith("# pytest")]


@pytest.mark.parametrize("code", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_print_what_is_said(code: str, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(code)
    ran = subprocess.run([sys.executable, "-W", "error", file], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    said = re.findall(r"print\(.*\)  # (?:\.\.\. )?(.*?)(?:, at once)?$", code, flags=re.MULTILINE)
    assert said and all(line in ran.stdout for line in said)


@pytest.mark.parametrize("code", SUITES)
def test_suites_pass(code: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_example=code)
    ran = pytester.runpytest_subprocess("-p", "swaplab.sim.pytest", "-p", "no:asyncio", "--strict-markers")
    ran.assert_outcomes(passed=code.count("async def test_"))


def test_there_is_code() -> None:
    assert len(PROGRAMS) >= 3 and SUITES
