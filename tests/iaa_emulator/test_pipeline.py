"""`swaplab chain`: golden pictures of the stepped engine, and what they say."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.story.pipeline import WIDTH, Recording, Story, draw, overlap, rounds, run_story

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("name", "mode"), [("parallel", "async"), ("serial", "sync")])
def test_the_pictures(name: str, mode: str) -> None:
    done = CliRunner().invoke(app, ["chain", "--sync-mode", mode])
    assert done.exit_code == 0
    assert done.output == (GOLDEN / f"chain-{name}.txt").read_text()


def rows_of(recording: Recording) -> list[str]:
    return draw(recording)[1 : 1 + len(recording.results)]


def test_all_submits_are_left_of_the_first_completion_and_jobs_overlap() -> None:
    recording = run_story(Story())
    rows = rows_of(recording)
    assert max(row.index("S") for row in rows) < min(row.index("L") for row in rows)
    assert max(row.index("S") for row in rows) < min(row.index("o") for row in rows)
    assert overlap(recording) > 3
    assert rounds(recording) == 2


@pytest.mark.parametrize("mode", ["sync", "async_irq"])
def test_a_serial_chain_has_an_overlap_of_one(mode: str) -> None:
    recording = run_story(Story(sync_mode=mode))  # type: ignore[arg-type]  # a literal from a parameter
    assert overlap(recording) == 1.0
    assert rounds(recording) == 0
    kinds = [step.kind for step in recording.steps if step.kind in ("submit", "complete")]
    assert kinds == ["submit", "complete"] * 8


def test_a_failing_head_submits_nothing_else() -> None:
    recording = run_story(Story(fail=0))
    assert {result.err for result in recording.results} == {-5}
    assert sum(1 for step in recording.steps if step.kind == "submit") == 1
    assert draw(recording)[-2].startswith("parallel: submit all, then poll. 1 submits, 0 rounds")


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_a_failing_member_fails_alone(mode: str) -> None:
    recording = run_story(Story(fail=3, sync_mode=mode))  # type: ignore[arg-type]  # a literal from a parameter
    assert [result.err for result in recording.results] == [0, 0, 0, -5, 0, 0, 0, 0]
    assert "Sx" in rows_of(recording)[3]
    assert rows_of(recording)[3].endswith("-EIO")


def test_an_incompressible_page_is_submitted_and_fails_on_the_device() -> None:
    recording = run_story(Story(incompressible=2))
    assert [result.err for result in recording.results] == [0, 0, -7, 0, 0, 0, 0, 0]
    assert "L" in rows_of(recording)[2] and "x" in rows_of(recording)[2].replace("iax", "")


@pytest.mark.parametrize("pages", [1, 2, 8, 24, 64])
@pytest.mark.parametrize("devices", [0, 1, 8])
@pytest.mark.parametrize("mode", ["async", "sync"])
def test_every_picture_fits_the_terminal(pages: int, devices: int, mode: str) -> None:
    recording = run_story(Story(pages=pages, devices=devices, sync_mode=mode))  # type: ignore[arg-type]
    assert max(map(len, draw(recording))) <= WIDTH


def test_the_trace_is_saved_and_read_again(tmp_path: Path) -> None:
    saved = []
    for name in ("one.json", "two.json"):
        done = CliRunner().invoke(app, ["chain", "--pages", "3", "--fail", "1", "--trace", str(tmp_path / name)])
        assert done.exit_code == 0
        saved.append((tmp_path / name).read_text())
    assert saved[0] == saved[1], "a story is the same every time"
    assert json.loads(saved[0])["schema"] == "swaplab.chain/1"
    recording = Recording.model_validate_json(saved[0])
    assert "\n".join(draw(recording)) + "\n" == done.output
    with pytest.raises(ValueError, match="schema"):
        Recording.model_validate_json(saved[0].replace("swaplab.chain/1", "swaplab.chain/9"))


@pytest.mark.parametrize(
    "arguments", [["--fail", "8"], ["--incompressible", "-1"], ["--wqs", "9"], ["--trace", "/nowhere/at/all"]]
)
def test_impossible_stories_are_refused(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["chain", *arguments])
    assert done.exit_code == 2
    assert done.stderr
