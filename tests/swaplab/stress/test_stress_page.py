"""What docs/stress.md shows is what its example and its command print."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app

ROOT = Path(__file__).parents[3]


def test_the_page_shows_what_the_example_prints() -> None:
    printed = (ROOT / "examples/06_stress_a_pool.out").read_text().splitlines()
    finding = printed[: next(number for number, line in enumerate(printed) if line.startswith("replay:"))]
    assert "\n".join(f"    {line}" for line in finding) in (ROOT / "docs/stress.md").read_text()


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
