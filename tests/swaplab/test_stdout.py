"""What commands print: JSON alone where it was asked for, whole lines in pipes, and one line where nothing fits."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli import outputs, progress
from swaplab.cli.commands import app
from swaplab.cli.outputs import console, is_full, replace_text, writable

SMALL = ("--scale", "1/8192")
JSON = {
    "usemem": ("usemem", *SMALL, "--columns", "v8", "--patches", "8", "--json"),
    "kernbench": ("kernbench", "--scale", "1/4096", "--columns", "v8", "--json"),
    "ablate": ("ablate", *SMALL, "--procs", "1", "--workers", "1", "--json"),
    "reclaim-batching": ("reclaim-batching", "--procs", "1", "--chains", "1", "--json"),
    "chain": ("chain", "--trace"),
}


def run(*arguments: str, **how: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "swaplab", *arguments]
    return subprocess.run(command, text=True, timeout=100, **how)  # type: ignore[call-overload, no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("command", JSON)
def test_a_dash_is_stdout_and_what_is_for_people_goes_to_stderr(command: str) -> None:
    result = CliRunner().invoke(app, [*JSON[command], "-"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["schema"].startswith("swaplab.")
    assert len(result.stderr.splitlines()) > 3


@pytest.mark.threads
def test_store_does_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"some text " * 1000)
    result = CliRunner().invoke(app, ["store", str(tmp_path), "--compressor", "lz4", "--json", "-"])
    assert json.loads(result.stdout)["differing_pages"] == 0
    assert result.stderr.splitlines()[-1].endswith("0 differ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "-"])
def test_stdout_has_several_names(name: str) -> None:
    done = run("chain", "--trace", name, capture_output=True)
    assert json.loads(done.stdout)["schema"] == "swaplab.chain/1"
    assert "returned 0" in done.stderr


def test_a_descriptor_is_written_to_where_it_stands(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as file:
        file.write("before ")
        file.flush()
        assert writable(Path(f"/dev/fd/{file.fileno()}")) is not None
        replace_text(Path(f"/dev/fd/{file.fileno()}"), "and behind")
    assert (tmp_path / "file").read_text() == "before and behind"


@pytest.mark.parametrize(
    ("name", "why"),
    [("/dev/full", "there is no room left"), ("/dev/fd/999", "is not open"), ("/proc/no", "/proc/no: ")],
)
def test_what_cannot_be_written_is_refused_before_the_work(name: str, why: str) -> None:
    result = CliRunner().invoke(app, ["usemem", "--json", name], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert why in result.output


def test_a_full_disk_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_full(tmp_path)
    full = os.statvfs_result((4096, 4096, 10, 0, 0, 10, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda place: full)
    assert is_full(tmp_path)
    for arguments in (["usemem", "--json", "file"], ["sweep", "--grid", "procs=1", "--out", "sweep"]):
        result = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / arguments[-1])], env={"COLUMNS": "200"})
        assert result.exit_code == 2
        assert "there is no room left for" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["chain"], ["usemem"], ["--help"], ["--version"], ["usemem", "--help"]])
def test_nothing_is_begun_when_stdout_takes_nothing(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = run(*arguments, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, "swaplab: stdout: No space left on device\n")


@pytest.mark.slow
def test_a_disk_that_is_full_in_the_end_is_one_line() -> None:
    program = "import swaplab.cli.commands as c, swaplab.cli as m; c.is_full = lambda place: False; m.main()"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, "chain"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=100
        )
    assert done.returncode == 2
    assert done.stderr in (
        "swaplab chain: stdout: No space left on device\n",
        "swaplab chain: No space left on device\n",
    )


@pytest.mark.slow
def test_a_closed_stdout_is_nobodys_business(tmp_path: Path) -> None:
    program = "import os; [os.close(fd) for fd in (1, 2)]; os.execv({0!r}, [{0!r}, *{1!r}])"
    arguments = ["-m", "swaplab", "chain", "--trace", str(tmp_path / "trace")]
    done = subprocess.run([sys.executable, "-c", program.format(sys.executable, arguments)], timeout=100)
    assert done.returncode == 0
    assert json.loads((tmp_path / "trace").read_text())["schema"] == "swaplab.chain/1"


def test_pipes_are_as_wide_as_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console().width == outputs.WIDEST
    monkeypatch.setenv("COLUMNS", "100")
    assert console().width == 100


def test_a_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"swaplab {version('swaplab')}\n")


def test_who_waits_is_told_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE_S", 0.01)
    monkeypatch.setattr(progress, "LINE_S", 0.01)
    said = ""
    with progress.progress_of("columns", 3) as ran:
        ran(1)
        ran(1)
        while "columns: 2 of 3 after 0 s\n" not in said:
            said += capsys.readouterr().err
    assert capsys.readouterr().err.endswith("columns: 2 of 3 after 0 s, done\n"), "it ended early, and says how early"
    with progress.progress_of("pages") as ran:
        while "pages: 0 after 0 s\n" not in said:
            said += capsys.readouterr().err


def test_what_is_done_soon_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("columns", 1) as ran:
        ran()
    assert capsys.readouterr().err == ""
