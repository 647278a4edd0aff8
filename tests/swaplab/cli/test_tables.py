"""Tables on narrow terminals go on below, whole; names are shown and never done."""

from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.cli.prose import printable
from swaplab.cli.tables import print_whole


def table() -> Table:
    made = Table(title="figures", title_justify="left")
    made.add_column("")
    for number in range(6):
        made.add_column(f"column {number}", justify="right")
    made.add_row("[bold]group[/bold]")
    made.add_row("row", *(f"{number}23,456,789" for number in range(6)))
    return made


@pytest.mark.parametrize("width", [40, 60, 80])
def test_columns_without_room_go_on_below(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_whole(table())
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert all(f"{number}23,456,789" in text for number in range(6))
    assert text.count("figures") == 1
    assert sum("row" in line for line in lines) == sum("group" in line for line in lines) > 1, "names stand beside"


def test_what_has_room_is_one_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    print_whole(table())
    assert capsys.readouterr().out.count("group") == 1


def test_a_column_without_room_makes_a_long_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    print_whole(table())
    assert "523,456,789" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("columns", "width"), [("base,v8,v9,v14", "80"), ("base,v8,v9,v14", "50")], ids=["a terminal", "a narrow one"]
)
def test_four_columns_of_usemem_fit(columns: str, width: str) -> None:
    arguments = ["usemem", "--columns", columns, "--scale", "1/8192", "--workers", "1"]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": width})
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= int(width)
    assert "v14" in done.stdout


def test_names_are_shown_and_not_done(tmp_path: Path) -> None:
    assert printable("a\x1b[2Jb\nc[red]é") == "a\\x1b[2Jb\\nc[red]é"
    file = tmp_path / "\x1b[2J[red]"
    file.write_text("[]")
    for arguments in (["doctor", str(file)], ["doctor", str(tmp_path)], ["usemem", "--testbed", f"{file}.json"]):
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "400"})
        assert done.exit_code
        assert "\x1b" not in done.output and "\\x1b[2J[red]" in done.output
