"""docs/testbed.md: its example loads, its command runs, and it has every parameter with its bounds."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iaa_emulator.hardware.presets import HOST, preset_names
from swaplab.cli.commands import app
from swaplab.model.parameter import PARAMETERS, PER_FOLIO
from swaplab.model.testbed import load_testbed

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def testbed_page() -> str:
    return (DOCS / "testbed.md").read_text()


@pytest.fixture
def testbed_file(testbed_page: str, tmp_path: Path) -> Path:
    (example,) = re.findall(r"```json\n(.*?)```", testbed_page, flags=re.DOTALL)
    file = tmp_path / "mine.json"
    file.write_text(example)
    return file


def test_the_testbed_that_the_docs_show_can_be_loaded_and_written_again(testbed_file: Path) -> None:
    testbed = load_testbed(str(testbed_file))
    assert testbed.name == "mine"
    assert json.loads(testbed.to_json()) == json.loads(testbed_file.read_text())


@pytest.mark.slow
def test_the_command_that_the_docs_show_runs_on_it(
    testbed_page: str, testbed_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = re.findall(r"^    swaplab (usemem .*)$", testbed_page, flags=re.MULTILINE)
    monkeypatch.chdir(testbed_file.parent)
    result = CliRunner().invoke(app, [*command.split(), "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "throughput KB/s" in result.output


def test_the_docs_have_every_parameter_with_its_bounds(testbed_page: str) -> None:
    rows = re.findall(r"^\| ([a-z_.]+) \| (\w+) \| ([\d.,]+) \| ([\d.,]+) \| \S.*\|$", testbed_page, flags=re.MULTILINE)
    assert rows == [
        (name, bounds.unit, f"{bounds.least:,g}", f"{bounds.most:,.12g}") for name, bounds in PARAMETERS.items()
    ]
    for name in (*PER_FOLIO, *(name for name in preset_names() if name != HOST)):
        assert f"`{name}`" in testbed_page
