"""Nothing is begun that asks for more than there is: one line that says so, exit code 2, and no traceback."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab import memory
from swaplab.cli.commands import app
from swaplab.cli.refusals import LONGEST_REASON, refusals
from swaplab.experiments.grid import GridError, parse_grid
from swaplab.model import testbed as testbeds
from swaplab.model.asked import parse_scale
from swaplab.model.json_file import DEEPEST, MOST_BYTES, MOST_DIGITS, parse_json, read_json

HUGE = "1000000000000"
DIGITS = "9" * 5000
TABLES = ("usemem", "kernbench", "ablate")


def invoke(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, args, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "arguments",
    [
        *([command, option, HUGE] for command in TABLES for option in ("--procs", "--workers")),
        *([command, option, HUGE] for command in TABLES[:2] for option in ("--devices", "--wqs", "--batch")),
        *([command, "--seed", value] for command in TABLES for value in (HUGE, DIGITS)),
        *([command, "--scale", f"1/{DIGITS}"] for command in (*TABLES, "calibrate")),
        *([command, "--scale", "1e-999999999"] for command in (*TABLES, "calibrate")),
        *(["reclaim-batching", option, HUGE] for option in ("--procs", "--chains", "--devices", "--workers")),
        *(["chain", option, HUGE] for option in ("--pages", "--devices", "--wqs", "--fail", "--incompressible")),
        *(["sweep", "--grid", f"{axis}={HUGE}"] for axis in ("procs", "devices", "wqs", "batch", "seed", "kernel")),
        ["sweep", "--grid", f"seed={DIGITS}"],
        ["sweep", "--grid", "seed=0", "--workers", HUGE],
        ["ablate", "--procs", f"30,{DIGITS}"],
        ["usemem", "--patches", DIGITS],
        ["usemem", "--scale", "1", "--procs", "10000"],
        ["calibrate", "--workers", HUGE],
    ],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_a_number_beyond_all_bounds_is_refused(arguments: list[str], tmp_path: Path) -> None:
    if arguments[0] == "sweep":
        arguments = [*arguments, "--out", str(tmp_path / "out")]
    code, output = invoke(*arguments)
    assert code == 2
    assert 0 < len(output) < 3 * LONGEST_REASON
    assert not (tmp_path / "out").exists()


def changed(what: str) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_text(
            testbeds.testbed_file("spr-2s-8iaa").read_text().replace('"processes": 30', f'"processes": {what}')
        )

    return write


def sparse(file: Path) -> None:
    file.touch()
    os.truncate(file, 1 << 40)


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda file: file.write_text("[" * 100_000), f"nested deeper than {DEEPEST} levels"),
        (changed("[" * 900 + "]" * 900), f"nested deeper than {DEEPEST} levels"),
        (changed(DIGITS), f"a number of 5,000 digits, and more than {MOST_DIGITS} are not read"),
        (changed("9" * MOST_DIGITS), "usemem.processes: "),
        (changed(HUGE), "usemem.processes: "),
        (sparse, f"it has 1,048,576 MiB, and more than {MOST_BYTES >> 20} are not read"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "can't decode"),
    ],
)
def test_a_testbed_beyond_all_bounds_is_refused(write: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    file = tmp_path / "hostile.json"
    write(file)
    for command in ("usemem", "ablate", "calibrate", "reclaim-batching"):
        code, output = invoke(command, "--testbed", str(file))
        assert (code, output.count("\n")) == (2, 1)
        assert output.startswith(f"swaplab {command}: {file}: ") and why in output


def test_json_within_bounds_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    deep = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    file.write_text(f'{{"deep": {deep}, "long": {"9" * MOST_DIGITS}}}')
    assert read_json(file)["long"] == int("9" * MOST_DIGITS)
    with pytest.raises(ValueError, match="deeper"):
        parse_json(f"[[{deep}]]")


def test_a_journal_that_no_sweep_has_written_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "points.jsonl")
    arguments = ("sweep", "--grid", "procs=1", "--out", str(tmp_path))
    assert "is not what a sweep has written; name another directory" in invoke(*arguments)[1]
    (tmp_path / "points.jsonl").unlink()
    sparse(tmp_path / "points.jsonl")
    assert "is not what a sweep has written; name another directory" in invoke(*arguments)[1]


def test_a_grid_is_counted_before_its_points_are_made() -> None:
    hundred = ",".join(map(str, range(1, 101)))
    axes = [f"procs={hundred}", f"seed={hundred}", "devices=1,2,3,4,5,6,7,8", "wqs=1,2"]
    with pytest.raises(GridError, match="160,000 points, and a sweep has at most 100,000"):
        parse_grid(axes, testbeds.load_testbed("spr-2s-8iaa"), Fraction(1, 64))


@pytest.mark.parametrize("grid", ["batch=17,32", "folio=64K batch=32", "folio=4K batch=2,8"])
def test_a_chain_is_no_longer_than_a_folio_and_no_row_says_it_were(grid: str, tmp_path: Path) -> None:
    code, output = invoke("sweep", "--grid", *grid.split(), "--out", str(tmp_path / "out"))
    assert code == 2
    assert output.startswith("swaplab sweep: a chain is no longer than a folio, and one of ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["usemem", "kernbench"])
def test_a_table_of_longer_chains_than_folios_is_refused(command: str) -> None:
    code, output = invoke(command, "--batch", "17")
    assert (code, output.count("\n")) == (2, 1)
    assert "a chain is no longer than a folio, and one of 64K has 16 pages" in output


@pytest.mark.parametrize("text", ["1/64", "0.25", ".5", "1"])
def test_scales_are_read(text: str) -> None:
    assert parse_scale(text) == Fraction(text)


def test_what_a_simulation_takes_is_known_before(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.refuse_beyond_half(1000, 80)
    monkeypatch.setattr(memory, "memory_bytes", lambda: 160_000)
    memory.refuse_beyond_half(1000, 80)
    with pytest.raises(ValueError, match="more than half of the memory there is; choose a smaller scale"):
        memory.refuse_beyond_half(1001, 80)


def test_processes_that_run_beside_each_other_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(pages: int) -> None:
        memory.refuse_beyond_half(pages, 80)

    one_of_four = memory.sharing(asked, 4)
    monkeypatch.setattr(memory, "memory_bytes", lambda: 160_000)
    one_of_four(250)
    with pytest.raises(ValueError, match="which 4 processes share; choose a smaller scale, --workers 1, or less"):
        one_of_four(251)
    memory.refuse_beyond_half(1000, 80)


V1_OR_V2 = {
    "v2, its own": ("0::/a/b\n", {"a/b/memory.max": "4096\n", "a/memory.max": "max\n"}, [4096]),
    "v2, one above": ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "8192\n"}, [8192]),
    "v2, a container that is the root": ("0::/host/x\n", {"memory.max": "12288\n"}, [12288]),
    "v1": (
        "5:cpu,cpuacct:/c\n4:memory:/c\n0::/other\n",
        {"memory/c/memory.limit_in_bytes": "4096", "memory/memory.limit_in_bytes": "9223372036854771712", "c/x": "1"},
        [4096, 9223372036854771712],
    ),
    "nothing is limited": ("0::/\n", {"memory.max": "max\n"}, []),
    "no cgroups": ("", {}, []),
    "nonsense": ("nonsense\n0::/../..\n", {"memory.max": "-5"}, []),
}


@pytest.mark.parametrize("case", V1_OR_V2)
def test_limits_of_cgroups_count(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, files, limits = V1_OR_V2[case]
    for name, text in files.items():
        (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / name).write_text(text)
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "OF_THIS_PROCESS", tmp_path / "own")
    assert list(memory.cgroup_limits()) == limits
    assert memory.memory_bytes() <= min(limits, default=1 << 62)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "this takes more memory than there is"),
        (RecursionError("maximum depth"), "this is nested deeper than can be read"),
        (ValueError("no such value"), "no such value"),
        (OverflowError("too large"), "too large"),
        (ValueError("x" * 9999), "x" * LONGEST_REASON + " ..."),
    ],
)
def test_no_traceback_reaches_the_user(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("swaplab.cli.chain.show", fail)  # where the command itself expects nothing
    code, output = invoke("chain")
    assert (code, output.count("\n")) == (2, 1)
    assert output.startswith(f"swaplab chain: {said}")


def test_a_reader_who_has_read_enough_is_no_reason_to_say_anything() -> None:
    with pytest.raises(BrokenPipeError), refusals("usemem"):
        raise BrokenPipeError(32, "Broken pipe")
