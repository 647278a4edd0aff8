"""`swaplab script`: what it prints, its JSON, what it refuses; the examples print what lies beside them."""

import json
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.story.answer import ScriptRun
from swaplab.story.calls import CALLS, FAULT_POINTS
from swaplab.story.run import run_script
from swaplab.story.script import Machine, Script
from swaplab.story.shelf import EXAMPLES, SHELF, example
from swaplab.story.transcript import transcript
from swaplab.story.validate import read_script
from tests.swaplab.story.scripts import call, compress, document, held, requests

GOLDEN = Path(__file__).parent / "golden" / "scripts"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_is_checked_in(name: str) -> None:
    done = CliRunner().invoke(app, ["script", "--example", name])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (GOLDEN / f"{name}.out").read_text()
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_examples_are_those_of_the_shelf() -> None:
    files = resources.files("swaplab.story") / "examples"
    assert sorted(f"{name}.json" for name in EXAMPLES) == sorted(file.name for file in files.iterdir())
    assert len(EXAMPLES) == 13


@pytest.mark.parametrize("name", SHELF)
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_width_is_kept_but_for_long_words(name: str, width: int) -> None:
    script = SHELF[name].script()
    run = run_script(script)
    assert held(run) == [] and run.cut is None
    lines = [said.text for said in transcript(script, run, width)]
    assert max(map(len, lines)) <= width


def test_json_is_the_answer(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_bytes(example("01_chain"))
    done = CliRunner().invoke(app, ["script", "--json", str(file)])
    assert done.exit_code == 0
    assert ScriptRun.model_validate_json(done.stdout) == run_script(read_script(example("01_chain")))


def test_the_examples_are_listed_and_another_name_is_refused_with_the_nearest() -> None:
    done = CliRunner().invoke(app, ["script", "--examples"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")] == list(SHELF)
    assert max(map(len, done.stdout.splitlines())) <= 80
    done = CliRunner().invoke(app, ["script", "--example", "01_chian"])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "did you mean 01_chain?" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["-", "--example", "01_chain"]])
def test_a_script_comes_from_one_place(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["script", *arguments], input="{}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "FILE" in done.stderr and "--example" in done.stderr


def test_a_script_is_read_from_stdin_and_no_calls_are_a_script() -> None:
    done = CliRunner().invoke(app, ["script", "-"], input=json.dumps(document(*requests(), *compress())))
    assert done.exit_code == 0
    assert "  5  await crypto_wait_req(code_r0, wait)  # -> 0\n" in done.stdout
    assert CliRunner().invoke(app, ["script", "-"], input=json.dumps(document())).stdout == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "swaplab script: the script is no JSON"),
        (json.dumps(document(call("crypto_aloc_acomp"))), "did you mean crypto_alloc_acomp?"),
        ("[" * 100_000, "nested deeper"),
    ],
)
def test_bad_input_is_one_line(text: str, said: str) -> None:
    done = CliRunner().invoke(app, ["script", "-"], input=text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("file", ["/nowhere/at/all", "/"])
def test_a_file_that_cannot_be_read_is_one_line(file: str) -> None:
    done = CliRunner().invoke(app, ["script", file])
    assert done.exit_code == 2 and file in done.stderr and done.stderr.count("\n") == 1


def test_everything_that_a_script_can_consist_of_is_listed() -> None:
    done = CliRunner().invoke(app, ["script", "--calls"])
    assert done.exit_code == 0
    words = " ".join(done.stdout.split())
    names = [*FAULT_POINTS, *Machine.model_fields, *(name.rstrip("_") for name in Script.model_fields)]
    assert [name for name in (*names, *map(str, CALLS.values())) if name not in words] == []
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_script_in_the_help_works() -> None:
    shown = CliRunner().invoke(app, ["script", "--help"], env={"COLUMNS": "100"}).stdout
    text = shown[shown.index("{", shown.index("smallest")) : shown.index("Whatever a call")]
    run = run_script(read_script(text))
    assert [output.err for output in run.outputs.values()] == [0]
