"""A command imports its own file and libraries, and nobody else's."""

import subprocess
import sys

import pytest
import typer.main

from swaplab.cli.commands import app

PROGRAM = """
import sys, typer.main
from swaplab.cli.commands import app
assert typer.main.get_command(app).commands["nbd"].callback.__module__ == "swaplab.cli.nbd"
print(*sys.modules)
"""


def test_a_server_does_not_load_what_other_commands_need() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "swaplab.nbd.export" in loaded
    assert not loaded & {"swaplab.cli.store", "iaa_emulator", "rich", "polars", "multiprocessing", "importlib.metadata"}


def test_no_other_name_is_a_command() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) == len([*commands]) and commands["nbd"] is commands["nbd"]
    assert "prose" not in commands
    with pytest.raises(KeyError):
        commands["prose"]
