"""usemem in virtual time: nothing is left behind, figures follow the model, equal questions get equal answers."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from acomp import trace
from swaplab import sim
from swaplab.cli.commands import app
from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import UsememReport, run_usemem
from swaplab.model.columns import BASE, V8, Column, patches_column
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.testbed import load_testbed
from swaplab.workloads import usemem
from tests.swaplab.simulated import simulated_once
from zswap import Cgroup

TESTBED = load_testbed("spr-2s-8iaa")
TINY = "1/8192"
COLUMN_KEYS = [
    *("name", "compressor", "patches", "throughput_total_kBps", "throughput_avg_kBps", "elapsed_s", "sys_s"),
    *("memcg_high", "memcg_swap_fail", "zswpout", "zswpin", "pswpout", "pswpin", "thp_swpout", "thp_swpout_fallback"),
    *("swpout_fallback", "pgmajfault", "anon_fault_alloc", "ZSWPOUT", "SWPOUT"),
]
runner = CliRunner()

# One simulation is for all of them, so all run in one worker of pytest-xdist.
pytestmark = [pytest.mark.xdist_group("usemem"), pytest.mark.slow]


def tables(file: Path, *args: str) -> bytes:
    """The bytes that `swaplab usemem --json` wrote."""
    result = runner.invoke(app, ["usemem", "--scale", TINY, "--workers", "1", "--json", str(file), *args])
    assert result.exit_code == 0, result.output
    return file.read_bytes()


@pytest.fixture(scope="module")
def both_columns(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with simulated_once():
        return tables(tmp_path_factory.mktemp("usemem") / "table.json")


@pytest.fixture
def shared() -> Iterator[None]:
    """For tests of what is made of columns, not of how they come about."""
    with simulated_once():
        yield


def test_the_file_is_laid_out_as_promised(both_columns: bytes) -> None:
    content = json.loads(both_columns)
    assert list(content) == [
        *("schema", "swaplab", "workload", "testbed", "folio", "scale", "seed", "lengths_sha256", "columns", "pinned")
    ]
    assert content["schema"] == "swaplab.table/1"
    assert (content["workload"], content["testbed"], content["folio"]) == ("usemem", TESTBED.name, "64K")
    assert (content["scale"], content["seed"], content["pinned"]) == (TINY, 0, True)
    assert [list(column) for column in content["columns"]] == [COLUMN_KEYS] * 2
    assert [column["name"] for column in content["columns"]] == ["base", "v8"]
    assert [column["patches"] for column in content["columns"]] == [[], list(range(1, 15))]
    assert UsememReport.model_validate_json(both_columns).to_json().encode() == both_columns


@pytest.mark.parametrize("args", [[], ["--columns", "v8,base"], ["--workers", "2"]], ids=["again", "order", "workers"])
def test_the_same_question_gets_the_same_bytes(both_columns: bytes, tmp_path: Path, args: list[str]) -> None:
    assert tables(tmp_path / "table.json", *args) == both_columns


def test_hashing_decides_nothing(both_columns: bytes, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from swaplab.cli import main; main()"]
    args = ["usemem", "--scale", TINY, "--json", str(tmp_path / "table.json")]
    subprocess.run([*command, *args], env=os.environ | {"PYTHONHASHSEED": "12345"}, check=True, capture_output=True)
    assert (tmp_path / "table.json").read_bytes() == both_columns


def test_another_seed_is_another_spread_of_the_same_machine(both_columns: bytes, tmp_path: Path) -> None:
    other = tables(tmp_path / "table.json", "--seed", "1")
    assert other != both_columns
    before, after = (json.loads(text)["columns"][1]["throughput_total_kBps"] for text in (both_columns, other))
    assert after == pytest.approx(before, rel=0.05)


def test_a_column_does_not_depend_on_those_beside_it(both_columns: bytes, tmp_path: Path) -> None:
    alone = json.loads(tables(tmp_path / "table.json", "--columns", "v8"))
    assert alone["columns"] == json.loads(both_columns)["columns"][1:]


@pytest.mark.parametrize("folio", ["4K", "64K"])
@pytest.mark.parametrize("compressor", ["deflate-iaa", "zstd"])
@pytest.mark.parametrize("column", [BASE, V8, patches_column("8,14")], ids=lambda column: column.name)
def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, folio: str, compressor: str, column: Column) -> None:
    cgroups: list[Cgroup] = []

    class Remembered(Cgroup):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[arg-type]
            cgroups.append(self)

    monkeypatch.setattr(usemem, "Cgroup", Remembered)
    request = Request(TESTBED, column, compressor, folio, Fraction(1, 8192), processes=4)
    outcome = sim.run(usemem.run(request.setup, request.scale, request.seed, request.processes))
    assert len(cgroups) == 2
    for cgroup in cgroups:
        assert (cgroup.memory_current, cgroup.zswap_current, cgroup.zswapped) == (0, 0, 0)
    assert (outcome.stats["pool_total_size"], outcome.stats["stored_pages"]) == (0, 0)
    nr_pages = FOLIO_PAGES[folio]
    assert outcome.folios_faulted * nr_pages == 4 * outcome.region_pages
    assert outcome.events["zswpout"] > 0
    assert outcome.events["zswpout"] == nr_pages * outcome.events.get("zswpout-64kB", outcome.events["zswpout"])
    assert sum(value for name, value in outcome.stats.items() if name.startswith("reject")) == 0


def test_every_process_has_its_time_explained() -> None:
    request = Request(TESTBED, V8, "deflate-iaa", "64K", Fraction(1, 8192))
    outcome = sim.run(usemem.run(request.setup, request.scale))
    assert len(outcome.processes) == 30
    for process in outcome.processes:
        assert 0 == process.began_ns < process.user_ns < process.written_ns < process.ended_ns - process.idle_ns
    assert sorted(outcome.busy_ns) == sorted(f"iax{1 + 2 * index}" for index in range(8))
    compressed = sum(outcome.busy_ns.values()) // request.setup.testbed.ns("iaa.service_ns")
    assert compressed == outcome.events["zswpout"]


def test_all_that_is_beyond_the_limit_and_what_it_takes_compressed_is_swapped_out() -> None:
    request = Request(TESTBED, V8, "zstd", "64K", Fraction(1, 512), processes=4)
    sizes = usemem.Sizes.of(request.setup, request.scale, 4)
    outcome = sim.run(usemem.run(request.setup, request.scale, 0, 4))
    kept = 1 - 804 / 4096
    beyond = 4 * sizes.region_pages - sizes.high_pages
    assert outcome.events["zswpout"] == pytest.approx(beyond / kept, rel=0.03)
    assert outcome.memory_high_events == outcome.events["zswpout"] // usemem.RECLAIM_PAGES


def test_memory_high_follows_the_number_of_processes() -> None:
    setup = Request(TESTBED, V8, "zstd", "64K", Fraction(1, 64)).setup
    whole, one = usemem.Sizes.of(setup, Fraction(1, 64)), usemem.Sizes.of(setup, Fraction(1, 64), 1)
    assert whole.processes == 30
    assert one.high_pages == whole.high_pages // 30
    assert one.region_pages == whole.region_pages


def test_batches_and_devices_matter_as_they_should() -> None:
    def throughput(column: Column, **machine: Any) -> float:
        usual = Request(TESTBED, column, "deflate-iaa", "64K", Fraction(1, 2048), processes=8)
        return run_usemem(replace(usual, **machine)).throughput_total_kbps

    v8 = throughput(V8)
    assert throughput(V8, batch=1) < 0.9 * v8
    assert throughput(V8, devices=2) < 0.9 * v8
    assert throughput(BASE) < 0.9 * v8


@pytest.mark.parametrize(("batch", "length"), [(4, 4), (8, 8), (16, 16), (32, 16)])
def test_a_chain_is_as_long_as_asked_and_at_most_a_folio(batch: int, length: int) -> None:
    seen: Counter[str] = Counter()

    def sink(event: trace.Event) -> None:
        seen[event.kind] += 1

    request = Request(TESTBED, V8, "deflate-iaa", "64K", Fraction(1, 16384), processes=1, batch=batch)
    with trace.installed(sink):
        run_usemem(request)
    assert seen["chain.init"] > 0
    assert seen["chain.add"] == (length - 1) * seen["chain.init"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--scale", "0"], "write 1/64"),
        (["--scale", "two"], "write 1/64"),
        (["--scale", "1/1000000"], "choose a larger one"),
        (["--columns", "v7"], "there are base, v8, v9, v14"),
        (["--patches", "15"], "1 to 14"),
        (["--compressor", "lz4"], "deflate-iaa and zstd"),
        (["--testbed", "mine"], f"use {TESTBED.name}"),
    ],
)
def test_bad_arguments_are_refused_with_the_remedy(args: list[str], message: str) -> None:
    result = runner.invoke(app, ["usemem", "--scale", TINY, *args], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.output


def test_patches_say_what_came_with_them(tmp_path: Path) -> None:
    result = runner.invoke(app, ["usemem", "--scale", TINY, "--workers", "1", "--patches", "9", "--procs", "2"])
    assert result.exit_code == 0
    assert "patches, with what they need: 8, 9" in result.output


def test_no_figure_is_cut_off_where_the_terminal_is_narrow(shared: None) -> None:
    args = ["usemem", "--scale", TINY, "--workers", "1", "--columns", "base,v8", "--patches", "8,9"]
    result = runner.invoke(app, args, env={"COLUMNS": "60"})
    assert result.exit_code == 0
    assert "patches:8,9" in result.output and "10,220,686" in result.output
    assert "\N{HORIZONTAL ELLIPSIS}" not in result.output


def test_every_column_but_the_first_has_its_change(shared: None) -> None:
    args = ["usemem", "--scale", TINY, "--workers", "1", "--columns", "base,v8", "--patches", "9"]
    shown = runner.invoke(app, args, env={"COLUMNS": "200"}).output
    row = next(line for line in shown.splitlines() if "zswpout" in line)
    cells = [cell.strip() for cell in row.split("\N{BOX DRAWINGS LIGHT VERTICAL}")]
    base, *others = [int(cell.replace(",", "")) for cell in cells[2:5]]
    assert cells[5:7] == [f"{(other / base - 1) * 100:+.0f} %" for other in others]


def test_single_pages_have_no_rows_of_large_folios() -> None:
    shown = runner.invoke(app, ["usemem", "--scale", TINY, "--columns", "v8", "--folio", "4K", "--procs", "1"]).output
    assert "faults 4kB" in shown
    assert not any(row in shown for row in ("ZSWPOUT", "SWPOUT", "fallback 4kB"))


@pytest.mark.parametrize("asked", [[], ["--procs", "30", "--devices", "8"]], ids=["default", "said"])
def test_published_figures_stand_beside_the_paper_machine(shared: None, asked: list[str]) -> None:
    shown = runner.invoke(app, ["usemem", "--scale", TINY, "--columns", "v8", *asked], env={"COLUMNS": "200"}).output
    assert "published" in shown and "10,220,686" in shown


def test_published_figures_stand_beside_no_other_machine() -> None:
    for otherwise in (["--procs", "2"], ["--unpinned"]):
        args = ["usemem", "--scale", TINY, "--columns", "v8", *otherwise]
        assert "published" not in runner.invoke(app, args, env={"COLUMNS": "200"}).output


def test_processes_that_are_not_pinned_go_everywhere_and_the_same_way_again(tmp_path: Path) -> None:
    first, again, other = (
        tables(tmp_path / "table.json", "--unpinned", "--columns", "base", "--seed", seed) for seed in ("0", "0", "1")
    )
    assert first == again != other
    assert json.loads(first)["pinned"] is False


@pytest.mark.parametrize(("column", "pinned", "devices"), [(BASE, True, 2), (BASE, False, 8), (V8, False, 8)])
def test_the_base_map_binds_pinned_processes_to_two_devices_and_others_to_none(
    column: Column, pinned: bool, devices: int
) -> None:
    request = Request(TESTBED, column, "deflate-iaa", "64K", Fraction(1, 8192))
    outcome = sim.run(usemem.run(request.setup, request.scale, pinned=pinned))
    assert sum(ns > 0 for ns in outcome.busy_ns.values()) == devices
    assert (outcome.stats["pool_total_size"], outcome.stats["stored_pages"]) == (0, 0)
