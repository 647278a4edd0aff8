"""The kernel build: base cells met, counts as declared, everything freed, singles alone, and the command."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from acomp import PAGE_SIZE, trace
from swaplab import sim
from swaplab.cli.commands import app
from swaplab.experiments.kernbench import full_scale, kernbench_report
from swaplab.experiments.tables import Request, published
from swaplab.model.columns import BASE, V8, Column
from swaplab.model.machine import Setup
from swaplab.model.testbed import load_testbed
from swaplab.workloads.kernbench import build as kernbench
from swaplab.workloads.kernbench.sizes import KernbenchError, Sizes, user_times

TESTBED = load_testbed("spr-2s-8iaa")
SMALL = Fraction(1, 16384)
TINY = Fraction(1, 65536)

Outcomes = dict[tuple[str, str], kernbench.Outcome]
runner = CliRunner()

# One simulation is for all of them, so all run in one worker of pytest-xdist.
pytestmark = [pytest.mark.xdist_group("kernbench"), pytest.mark.slow]


def setup(column: Column, compressor: str = "deflate-iaa", folio: str = "64K", **changes: float) -> Setup:
    """A machine whose testbed has other values of some parameters of the kernel build."""
    work = TESTBED.kernbench
    assert work is not None
    new = {name: getattr(work, name).model_copy(update={"value": value}) for name, value in changes.items()}
    testbed = TESTBED.model_copy(update={"kernbench": work.model_copy(update=new)})
    return Setup(testbed, column, compressor, folio)


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    return {
        (column.name, compressor): sim.run(kernbench.run(setup(column, compressor), SMALL))
        for column, compressor in ((BASE, "deflate-iaa"), (V8, "deflate-iaa"), (BASE, "zstd"))
    }


@pytest.mark.parametrize("compressor", ["deflate-iaa", "zstd"])
@pytest.mark.parametrize(
    ("metric", "tolerance"),
    [("user_s", 1e-6), ("sys_s", 0.025), ("real_s", 0.06), ("zswpout", 0.05), ("zswpin", 0.02), ("ZSWPOUT", 0.05)],
)
def test_the_base_cells_are_met(outcomes: Outcomes, compressor: str, metric: str, tolerance: float) -> None:
    request = Request(TESTBED, BASE, compressor, "64K", SMALL)
    known = published(TESTBED, "64K", compressor, "kernbench")
    cell = known.cell("base", metric) if known else None
    assert cell is not None
    column = full_scale(request, outcomes["base", compressor])
    assert column.metric(metric) == pytest.approx(cell.value, rel=tolerance)


def test_chains_save_a_few_percent_of_system_time(outcomes: Outcomes) -> None:
    base, v8 = (sum(thread.sys_ns for thread in outcomes[name, "deflate-iaa"].threads) for name in ("base", "v8"))
    assert 0.02 < 1 - v8 / base < 0.06


def test_everything_is_freed_and_nothing_reached_the_disk(outcomes: Outcomes) -> None:
    for outcome in outcomes.values():
        assert outcome.left == (0, 0)
        assert {event for event in outcome.events if outcome.events[event]} == {"zswpout", "zswpout-64kB", "zswpin"}


def test_memory_max_is_exceeded_by_no_more_than_what_reclaim_compresses(outcomes: Outcomes) -> None:
    sizes = Sizes.of(setup(BASE), SMALL)
    for outcome in outcomes.values():
        over = outcome.most_memory_bytes / PAGE_SIZE - sizes.memory_max_pages
        assert over < sizes.threads * sizes.nr_pages


def test_half_of_the_new_single_pages_are_of_files(outcomes: Outcomes) -> None:
    events = outcomes["base", "zstd"].events
    new_singles = events["zswpout"] - 16 * events["zswpout-64kB"] - events["zswpin"]
    resident = Sizes.of(setup(BASE), SMALL).memory_max_pages
    assert new_singles // 2 - resident < outcomes["base", "zstd"].file_pages < new_singles // 2 + resident


def test_single_pages_are_never_chained() -> None:
    seen: Counter[str] = Counter()
    stored: Counter[object] = Counter()

    def sink(event: trace.Event) -> None:
        seen[event.kind] += 1
        if event.kind == "zswap.store":
            stored[event.fields["nr_pages"]] += 1

    with trace.installed(sink):
        sim.run(kernbench.run(setup(V8), TINY))
    assert set(stored) == {1, 16} and stored[1] > 500
    assert seen["chain.init"] == 2 * stored[16]
    assert seen["chain.add"] == 14 * stored[16]


def test_without_large_folios_as_many_pages_leave_and_each_alone() -> None:
    stored: Counter[object] = Counter()

    def sink(event: trace.Event) -> None:
        stored[event.fields.get("nr_pages", event.kind)] += event.kind in ("zswap.store", "chain.init")

    with trace.installed(sink):
        outcome = sim.run(kernbench.run(setup(V8, folio="4K"), TINY))
    assert stored[1] == outcome.events["zswpout"] == pytest.approx(Sizes.of(setup(V8), TINY).out_pages, rel=0.1)
    assert (stored[16], stored["chain.init"]) == (0, 0)
    column = full_scale(Request(TESTBED, V8, "deflate-iaa", "4K", TINY), outcome)
    assert (column.zswpout_folios, column.swpout_folios) == (0, 0)


@pytest.mark.parametrize("column", [BASE, V8])
def test_who_shares_a_cpu_waits_for_its_context(column: Column) -> None:
    apart, crowded = (
        sum(thread.sys_ns for thread in sim.run(kernbench.run(setup(column, "zstd", cpus=cpus), TINY)).threads)
        for cpus in (112, 2)
    )
    assert crowded > 1.2 * apart


def test_user_time_is_split_exactly() -> None:
    sizes = replace(Sizes.of(setup(BASE), TINY), user_ns=1_000_003)
    parts = user_times(sizes, seed=3)
    assert len(parts) == sizes.turns and sum(parts) == 1_000_003
    assert max(parts) > 2 * min(parts) > 0


def test_the_same_whatever_order_hashes_and_workers(tmp_path: Path) -> None:
    requests = [Request(TESTBED, column, "deflate-iaa", "64K", TINY, 5) for column in (BASE, V8)]
    report = kernbench_report(requests).to_json()
    args = ["kernbench", "--columns", "v8,base", "--scale", "1/65536", "--seed", "5", "--workers", "2"]
    file = tmp_path / "table.json"
    code = "from swaplab.cli import main; main()"
    env = os.environ | {"PYTHONHASHSEED": str(random.Random("hash").randrange(1, 1000))}
    subprocess.run([sys.executable, "-c", code, *args, "--json", str(file)], env=env, check=True, capture_output=True)
    assert file.read_text() == report
    assert kernbench_report([replace(request, seed=6) for request in requests]).to_json() != report


def test_the_command_prints_the_published_base_column_beside(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    args = ["--compressor", "zstd", "--patches", "14", "--scale", "1/65536", "--json", str(file)]
    result = runner.invoke(app, ["kernbench", *args])
    assert result.exit_code == 0, result.output
    assert "patches, with what they need: 1, 2, 3, 4, 12, 13, 14" in result.output
    assert "5,277.86" in result.output
    content = json.loads(file.read_text())
    assert (content["schema"], content["workload"]) == ("swaplab.table/1", "kernbench")
    assert [column["name"] for column in content["columns"]] == ["base", "patches:14"]


def test_threads_may_be_called_procs_as_in_usemem(tmp_path: Path) -> None:
    args = ["kernbench", "--columns", "v8", "--scale", "1/65536"]
    for option in ("--threads", "--procs"):
        result = runner.invoke(app, [*args, option, "16", "--json", str(tmp_path / option)])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "--threads").read_text() == (tmp_path / "--procs").read_text()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--folio", "2M"], "leave in folios of 2M was not published; use 4K or 64K"),
        (["--scale", "1/1000000"], "leaves 13 turns for 32 threads; choose a larger one"),
        (["--columns", "v7"], "there is no column 'v7'"),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_remedy(args: list[str], says: str) -> None:
    result = runner.invoke(app, ["kernbench", *args])
    assert result.exit_code == 2
    assert says in result.output


def test_counts_of_another_folio_size_are_said_to_be_that() -> None:
    result = runner.invoke(app, ["kernbench", "--folio", "4K", "--columns", "v8", "--scale", "1/65536"])
    assert result.exit_code == 0, result.output
    assert "As many pages as published for 64K folios, each alone" in " ".join(result.output.split())


def test_more_memory_than_the_build_needs_is_said_to_be() -> None:
    args = ["kernbench", "--columns", "v8", "--scale", "1/65536", "--threads"]
    said = "v8 swapped out +"
    assert said not in runner.invoke(app, [*args, "8"]).output
    last = runner.invoke(app, [*args, "128"], env={"COLUMNS": "200"}).output.splitlines()[-1]
    assert last.startswith(said) and last.endswith("use a larger one, or fewer threads.")


def test_too_little_memory_is_refused_with_the_remedy() -> None:
    result = runner.invoke(app, ["kernbench", "--columns", "base", "--threads", "1", "--scale", "1/16384"])
    assert result.exit_code == 2
    assert "a memory.max of 64 pages is too small for 1 threads" in result.output
    assert "choose a larger scale" in result.output and "Traceback" not in result.output


def test_a_build_needs_counts() -> None:
    bare = replace(setup(BASE), testbed=TESTBED.model_copy(update={"published": ()}))
    with pytest.raises(KernbenchError, match="has no page counts of a build with deflate-iaa"):
        Sizes.of(bare, SMALL)


def test_a_testbed_may_have_no_kernel_build() -> None:
    bare = replace(setup(BASE), testbed=TESTBED.model_copy(update={"kernbench": None}))
    with pytest.raises(KernbenchError, match="has no kernbench"):
        Sizes.of(bare, SMALL)
