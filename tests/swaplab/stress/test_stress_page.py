"""What docs/stress.md shows is what its command prints, and what there is to choose."""

import inspect
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab import stress
from swaplab.cli.commands import app

ROOT = Path(__file__).parents[3]


def test_the_page_has_every_option_with_its_default() -> None:
    said = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", (ROOT / "docs/stress.md").read_text(), flags=re.MULTILINE)
    options = inspect.signature(stress.scenario).parameters.values()
    taken = {option.name: option.default for option in options if option.kind is option.KEYWORD_ONLY}
    assert {name: eval(default) for name, default in said} == taken


@pytest.mark.slow
def test_the_page_shows_what_the_command_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)  # for it writes a token
    monkeypatch.syspath_prepend(ROOT / "examples")
    command = "stress examples/06_stress_a_pool.py::pool_survives"
    printed = CliRunner().invoke(app, command.split(), env={"COLUMNS": "80"}).stdout.rstrip()
    page = (ROOT / "docs/stress.md").read_text()
    assert f"`swaplab {command}`:" in page
    assert "\n".join(f"    {line}".rstrip() for line in printed.splitlines()) in page
