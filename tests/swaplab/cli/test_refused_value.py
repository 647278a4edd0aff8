"""Arguments are refused in our words, whatever the library says of them: empty texts, and what is no number."""

import re
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperArgument, TyperOption
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.cli.refused_value import Command

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
TEXTS = [
    (name, param)
    for name, command in COMMANDS.items()
    for param in command.params
    if isinstance(param, TyperArgument | TyperOption) and not getattr(param, "is_flag", False)
]


def refused(*arguments: str) -> str:
    """What is said of the arguments, without the frame around it."""
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 2
    assert not re.search("pydantic|Input should|Value error|Traceback", done.output)
    return " ".join(re.sub("[│╭╮╰╯─]", " ", done.output).split())


def test_every_command_is_read_this_way() -> None:
    assert all(isinstance(command, Command) for command in COMMANDS.values())


@pytest.mark.parametrize(("name", "param"), TEXTS, ids=[f"{name} {param.name}" for name, param in TEXTS])
def test_nothing_is_no_value(
    name: str, param: TyperArgument | TyperOption, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [""] if isinstance(param, TyperArgument) else [param.opts[0], ""]
    assert "it is empty; write a value, or leave it out" in refused(name, *given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("usemem --procs 1_0", "Invalid value for '--procs': '1_0' is no whole number; write one from 1 to "),
        ("usemem --procs x", "'x' is no whole number"),
        ("usemem --procs 1.5", "'1.5' is no whole number"),
        ("usemem --procs \N{ARABIC-INDIC DIGIT ONE}", "is no whole number"),
        ("usemem --procs 0", "'0' is too small; write one from 1 to"),
        ("usemem --devices 65", "'65' is too large; write one from 1 to"),
        ("chain --fail 1_0", "'1_0' is no whole number; write one such as 3"),
        ("usemem --folio 8K", "Invalid value for '--folio': '8K' is not one of '4K', '64K', '2M'"),
        ("usemem --patches 1_0", "--patches takes numbers such as 8,9, not '1_0'"),
        ("ablate --procs 1_0", "--procs takes numbers from 1 to"),
        ("reclaim-batching --chains 1_6", "--chains takes numbers from 1 to"),
        ("sweep --grid procs=1_0", "procs=1_0 cannot be read"),
        ("sweep --grid seed=1_0", "seed=1_0 cannot be read"),
    ],
)
def test_what_is_no_number_or_beyond_its_bounds(arguments: str, said: str) -> None:
    assert said in refused(*arguments.split())


def test_spaces_and_a_sign_are_no_reason_to_refuse(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text("[]")
    done = CliRunner().invoke(app, ["doctor", str(file), "--g-wqs-per-iaa", " +1"])
    assert done.exit_code == 1, "it was read"
