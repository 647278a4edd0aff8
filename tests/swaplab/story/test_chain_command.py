"""`swaplab chain`: golden pictures, the saved recording, and what is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.story.picture import draw
from swaplab.story.recording import Recording

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("parallel", []),
        ("serial", ["--sync-mode", "sync"]),
        ("folded", ["--pages", "12", "--fail", "3", "--incompressible", "2"]),
    ],
)
def test_the_pictures(name: str, arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["chain", *arguments])
    assert done.exit_code == 0
    assert done.output == (GOLDEN / f"chain-{name}.txt").read_text()


def test_the_trace_is_saved_and_read_again(tmp_path: Path) -> None:
    saved = []
    for name in ("one.json", "two.json"):
        done = CliRunner().invoke(app, ["chain", "--pages", "3", "--fail", "1", "--trace", str(tmp_path / name)])
        assert done.exit_code == 0
        saved.append((tmp_path / name).read_text())
    assert saved[0] == saved[1], "a story is the same every time"
    assert json.loads(saved[0])["schema"] == "swaplab.chain/1"
    recording = Recording.model_validate_json(saved[0])
    assert "".join(f"{line}\n" for line in draw(recording)) == done.output
    with pytest.raises(ValueError, match="schema"):
        Recording.model_validate_json(saved[0].replace("swaplab.chain/1", "swaplab.chain/9"))


@pytest.mark.parametrize(
    "arguments", [["--fail", "8"], ["--incompressible", "-1"], ["--wqs", "9"], ["--trace", "/nowhere/at/all"]]
)
def test_impossible_stories_are_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["chain", *arguments])
    assert done.exit_code == 2
    assert done.stderr
