"""Progress on a terminal: one form, times with their names, whole also where there is little room."""

import re

import pytest

from swaplab.cli.progress import progress_bar, progress_of


@pytest.fixture(params=[60, 80, 120])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal of that width, as far as rich can tell."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


def last_line(printed: str) -> str:
    """Without colours and movements of the cursor."""
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", printed)
    return [line for line in plain.splitlines() if line.strip()][-1].strip()


def test_times_have_names_and_counts_are_whole(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_of("pages", 535_296) as ran:
        ran(6_864)
    line = last_line(capsys.readouterr().err)
    assert len(line) <= width
    assert line.startswith("pages ")
    assert "6864/535296 elapsed 0:00:00 remaining " in line


def test_who_knows_no_total_promises_no_end(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("columns simulated") as ran:
        ran()
    line = last_line(capsys.readouterr().err)
    assert len(line) <= width
    assert "1/? elapsed 0:00:00" in line
    assert "remaining" not in line


def test_a_narrow_terminal_has_the_figures_and_no_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    with progress_of("columns simulated", 28) as ran:
        ran(28)
    printed = capsys.readouterr().err
    assert last_line(printed).split() == ["columns", "simulated", "28/28", "elapsed", "0:00:00"]
    assert len(last_line(printed)) <= 40
    assert "\x1b[33m" not in printed, "yellow cannot be read on white"
