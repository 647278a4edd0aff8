"""Files that commands write: refused before the work when they cannot be; what was found is printed in any case."""

from errno import ENOSPC
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli import app

COMMANDS = (
    ["store", "--json"],
    ["usemem", "--json"],
    ["kernbench", "--json"],
    ["ablate", "--json"],
    ["ablate", "--plot"],
    ["reclaim-batching", "--json"],
    ["chain", "--trace"],
    ["calibrate", "--out"],
)


def invoke(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, args, env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_directory_is_said_before_the_work(command: list[str], tmp_path: Path) -> None:
    code, output = invoke(*command, str(tmp_path / "no" / "where.png"))
    assert code == 2
    assert "there is no directory" in output and "make it first, or name another file" in output
    assert output.count("\n") < 8, "something was run and printed"


@pytest.mark.parametrize("command", [command for command in COMMANDS if command[-1] != "--plot"], ids=" ".join)
def test_a_directory_is_no_file(command: list[str], tmp_path: Path) -> None:
    code, output = invoke(*command, str(tmp_path))
    assert code == 2
    assert "is a directory; name a file in it" in output


@pytest.mark.parametrize(
    "command", [["usemem", "--scale", "1/8192", "--columns", "v8", "--json"], ["chain", "--trace"]]
)
def test_a_full_disk_loses_nothing_that_was_printed(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, *_: object, **__: object) -> None:
        raise OSError(ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr(Path, "write_text", full)
    code, output = invoke(*command, str(tmp_path / "out"))
    assert code == 2
    *found, said = output.splitlines()
    assert len(found) > 8, "what was found is printed before it is written"
    assert said == f"swaplab {command[0]}: {tmp_path / 'out'}: No space left on device"
