"""What is asked for by number: scales, directories and testbeds that are none, and files that fail in the middle."""

import io
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from acomp import PAGE_SIZE
from swaplab.cli.commands import app
from swaplab.experiments.kernbench_fit import fit
from swaplab.model import asked
from swaplab.model.testbed import TestbedError, load_testbed
from swaplab.realbytes.inputs import read_pages


@pytest.mark.parametrize("text", ["1/0", "", "a", "1/64/2"])
def test_a_scale_that_is_no_fraction_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="is no fraction; write 1/64"):
        asked.parse_scale(text)


@pytest.mark.parametrize("text", ["0", "2", "0/3"])
def test_a_scale_is_above_0_and_up_to_1(text: str) -> None:
    with pytest.raises(ValueError, match="is not above 0 and up to 1"):
        asked.parse_scale(text)


def test_a_sweep_does_not_go_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    arguments = ["sweep", "--grid", "procs=1", "--out", str(tmp_path / "file")]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2 and "is no directory; name one" in result.output
    assert (tmp_path / "file").read_text() == "mine"


def test_the_fit_of_a_build_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    without = load_testbed("spr-2s-8iaa").model_copy(update={"kernbench": None})
    monkeypatch.setattr("swaplab.experiments.kernbench_fit.load_testbed", lambda name: without)
    with pytest.raises(TestbedError, match="has no kernbench; use one that has"):
        fit("bare", Fraction(1, 64))


def test_a_file_that_fails_in_the_middle_leaves_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad").write_bytes(b"b" * (2 * PAGE_SIZE))
    (tmp_path / "good").write_bytes(b"g" * 100)
    opened = Path.open

    class Failing(io.BytesIO):
        reads = 0

        def readinto(self, room: memoryview) -> int:  # type: ignore[override]
            self.reads += 1
            if self.reads > 1:
                raise OSError("the disk has a bad block")
            room[:PAGE_SIZE] = b"b" * PAGE_SIZE
            return PAGE_SIZE

    monkeypatch.setattr(
        Path, "open", lambda path, *how, **more: Failing() if path.name == "bad" else opened(path, *how, **more)
    )
    pages = read_pages([tmp_path])
    assert (pages.files, pages.skipped) == (1, 1)
    assert b"".join(pages.folios(1)).rstrip(b"\0") == b"g" * 100
