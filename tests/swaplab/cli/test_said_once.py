"""What the command line refuses, it says in one line and in different words: nothing is said twice in it."""

import errno
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iaa_emulator import ConfigurationError
from swaplab.cli.commands import app

COMMANDS = {
    "doctor": ["doctor"],
    "store": ["store", "--compressor", "zstd", "--features", "v8"],
    "usemem": ["usemem", "--testbed"],
}
INPUTS = ("none.json", "directory.json", "loop.json", "cut.json/below.json", "bytes.json", "cut.json", "list.json")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A directory of files that are wrong in different ways; `none.json` is not there."""
    (tmp_path / "directory.json").mkdir()
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    (tmp_path / "cut.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    return tmp_path


def repeated(text: str, words: int = 3) -> set[tuple[str, ...]]:
    """Every `words` words in a row that `text` has more than once."""
    said = re.findall(r"[a-z]+", text.lower())
    rows = [tuple(said[at : at + words]) for at in range(len(said) - words + 1)]
    return {row for row in rows if rows.count(row) > 1}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_refused_input_is_said_once(command: str, name: str, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inputs)
    done = CliRunner().invoke(app, [*COMMANDS[command], name])
    assert done.exit_code in (0, 1, 2), done.output
    assert repeated(done.stderr) == set()
    for number in errno.errorcode:
        assert done.stderr.count(os.strerror(number)) <= 1


def test_a_configuration_error_says_what_the_system_says_once() -> None:
    missing = ConfigurationError(errno.ENOENT, "x cannot be read: No such file or directory", "Name another.")
    assert str(missing) == "x cannot be read: No such file or directory. Name another."
    refused = ConfigurationError(errno.EINVAL, "size is 0", "Make it more.")
    assert str(refused) == "size is 0 (Invalid argument). Make it more."


def test_repetitions_are_found() -> None:
    assert repeated("No such file or directory (No such file or directory)")
    assert not repeated("No such file or directory; name one that exists")
