"""`--help` says of every command how long it takes as it is, and those that take long say what makes them short."""

import re

import pytest
import typer.main
from typer.testing import CliRunner

from swaplab.cli.commands import app

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
QUICK = {"chain", "doctor", "nbd", "script", "serve"}
DURATION = r"(second|minute)s?\b"


def help_of(command: str) -> str:
    """The text above the options, in one line."""
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"}).output
    return " ".join(shown.partition("\N{BOX DRAWINGS LIGHT ARC DOWN AND RIGHT}")[0].split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_how_long_it_takes(command: str) -> None:
    assert re.search(rf"[Tt]akes [^.;]*{DURATION}", help_of(command)), help_of(command)


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - QUICK))
def test_what_takes_long_says_on_what_and_what_makes_it_short(command: str) -> None:
    text = help_of(command)
    assert "on two cores" in text
    shorter = re.search(rf"(--\w+|a smaller INPUT)[^.]* {DURATION}", text)
    assert shorter is not None, text
    if shorter[1].startswith("--"):
        options = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"}).output
        assert re.search(rf"│ +\*? *{shorter[1]} ", options)
