"""Files that commands write: refused before the work when they cannot be; what was found is printed in any case."""

import json
import os
from errno import ENOSPC, EPIPE
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.cli.outputs import replace_text
from swaplab.model import testbed as testbeds

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
    assert f"Invalid value for '{command[-1]}': " in output
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


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        replace_text(pipe, "all of it")
        assert os.read(reader, 100) == b"all of it"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_file_is_replaced_at_once_and_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    file, link = tmp_path / "there" / "file", tmp_path / "link"
    file.write_text("before")
    link.symlink_to(file)
    with file.open() as reading:
        replace_text(link, "after")
        assert reading.read() == "before"
    assert file.read_text() == "after" and link.is_symlink()
    assert list(file.parent.iterdir()) == [file]


def test_a_pager_that_closes_the_pipe_does_not_cost_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError(EPIPE, "Broken pipe")

    monkeypatch.setattr("swaplab.cli.tables.Console.print", closed)
    file = tmp_path / "out.json"
    code, _ = invoke("usemem", "--scale", "1/8192", "--columns", "v8", "--json", str(file))
    assert code != 0
    assert json.loads(file.read_text())["workload"] == "usemem"


@pytest.mark.parametrize("command", ["usemem", "kernbench", "chain"])
def test_a_mode_that_the_driver_does_not_have_is_refused(command: str) -> None:
    code, output = invoke(command, "--sync-mode", "foo")
    assert code == 2
    assert "'foo' is not one of" in output and "async_irq" in output


def test_a_report_names_its_testbed_and_not_where_that_lies(tmp_path: Path) -> None:
    testbed, out = tmp_path / "mine.json", tmp_path / "out.json"
    testbed.write_text(
        testbeds.testbed_file("spr-2s-8iaa").read_text().replace('"name": "spr-2s-8iaa"', '"name": "mine"')
    )
    arguments = ("--scale", "1/8192", "--columns", "v8", "--testbed", str(testbed), "--json", str(out))
    assert invoke("usemem", *arguments)[0] == 0
    assert json.loads(out.read_text())["testbed"] == "mine"
