"""`swaplab script`: what it prints, its JSON, what it refuses; the examples print what lies beside them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.story.answer import ScriptRun
from swaplab.story.calls import CALLS, FAULT_POINTS
from swaplab.story.run import run_script
from swaplab.story.script import Machine, Script
from swaplab.story.transcript import transcript
from swaplab.story.validate import read_script
from tests.swaplab.story.scripts import call, compress, document, held, requests

EXAMPLES = sorted((Path(__file__).parents[3] / "examples/scripts").glob("*.json"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_is_checked_in(example: Path) -> None:
    done = CliRunner().invoke(app, ["script", str(example)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == example.with_suffix(".out").read_text()
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_there_is_a_dozen_of_them() -> None:
    assert len(EXAMPLES) == 12


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_width_is_kept_but_for_long_words(example: Path, width: int) -> None:
    script = read_script(example.read_bytes())
    run = run_script(script)
    assert held(run) == [] and run.cut is None
    lines = [said.text for said in transcript(script, run, width)]
    assert max(map(len, lines)) <= width


def test_json_is_the_answer(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["script", "--json", str(EXAMPLES[0])])
    assert done.exit_code == 0
    assert ScriptRun.model_validate_json(done.stdout) == run_script(read_script(EXAMPLES[0].read_bytes()))


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
