"""Every example runs, and prints what lies beside it: drift shows in the diff."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_prints_what_is_checked_in(example: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", example], capture_output=True, text=True, timeout=280, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == example.with_suffix(".out").read_text()


def test_there_are_examples() -> None:
    assert len(list(EXAMPLES.glob("*.py"))) >= 2
