"""Sweeps: grids are read or refused, points kept as they come, one failure costs one point, pictures mark the bend."""

import csv
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from errno import EPIPE
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.experiments import sweep as sweeps
from swaplab.experiments.grid import AXES, Grid, GridError, Point, parse_grid
from swaplab.experiments.pictures.saturation import COLOURS, METRIC, draw, saturation
from swaplab.experiments.pictures.waterfall import GAIN, LOSS, WHOLE
from swaplab.experiments.sweep import JOURNAL, Rows, Sweep, SweepError, run_locally, run_point
from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import run_usemem
from swaplab.model import testbed as testbeds
from swaplab.model.columns import BASE, V8, with_needs
from swaplab.model.testbed import load_testbed

pytestmark = pytest.mark.slow

TESTBED = "spr-2s-8iaa"
TINY = Fraction(1, 8192)
TOO_SMALL = "a scale of {} leaves less than 512 pages per process; choose a larger one"
runner = CliRunner()


def grid(*parts: str, scale: Fraction = TINY) -> Grid:
    return parse_grid(parts, load_testbed(TESTBED), scale)


class Counted:
    """A way to run points that computes nothing: throughput is processes, capped at 4; some points fail."""

    def __init__(self, *failing: int) -> None:
        self.failing = failing
        self.ran: list[Point] = []

    @contextmanager
    def __call__(self, points: Iterable[tuple[Point, Request]]) -> Iterator[Rows]:
        yield self.rows(points)

    def rows(self, points: Iterable[tuple[Point, Request]]) -> Rows:
        for point, request in reversed(list(points)):
            self.ran.append(point)
            if request.processes in self.failing:
                yield point, {"error": "ValueError: broken"}
            else:
                yield point, {"throughput_total_kBps": float(min(request.processes or 30, 4)), "error": None}


def test_a_grid_is_the_product_of_its_axes_in_their_order() -> None:
    points = grid("devices=8,2", "procs=1,30").points()
    assert [tuple(dict(point).values()) for point in points] == [(8, 1), (8, 30), (2, 1), (2, 30)]


def test_a_point_asks_for_one_machine() -> None:
    asked = grid("kernel=8+9", "procs=3", "devices=4", "wqs=2", "batch=4", "seed=7", "folio=2M", "sync_mode=sync")
    request = asked.request(asked.points()[0])
    assert request.column.patches == with_needs([8, 9])
    assert (request.processes, request.devices, request.wqs, request.batch, request.seed) == (3, 4, 2, 4, 7)
    assert (request.folio, request.sync_mode, request.compressor) == ("2M", "sync", "deflate-iaa")
    usual = grid("kernel=base,v8")
    assert [usual.request(point).column for point in usual.points()] == [BASE, V8]
    assert usual.request(usual.points()[0]).processes is None


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["speed=1"], "'speed=1' is no axis; write one of procs"),
        (["devices"], "'devices' is no axis"),
        (["devices=four"], "devices=four cannot be read; write accelerators"),
        (["devices=0"], "cannot be read"),
        (["devices=100"], "devices=100 cannot be read; write accelerators of the whole machine, up to 64"),
        (["wqs=1,9"], "wqs=1,9 cannot be read; write work queues per device, up to 8"),
        (["kernel=v7"], "kernel=v7 cannot be read; write kernels: base, v8, v9, v14, or patches joined with"),
        (["kernel=8,"], "kernel=8, cannot be read; write kernels"),
        (["devices="], "cannot be read"),
        (["folio=8K"], "write folio sizes: 4K,64K,2M"),
        (["compressor=lz4"], "write compressors: deflate-iaa,zstd"),
        (["procs=1", "procs=2"], "given twice"),
        (["kernel=15"], "no patch 15"),
        ([], "a sweep needs an axis"),
    ],
)
def test_a_grid_that_cannot_be_read_is_refused_with_the_remedy(parts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid(*parts)


def test_results_are_in_the_order_of_the_grid_whoever_was_done_first(tmp_path: Path) -> None:
    rows = Sweep(grid("procs=1,2,8"), tmp_path).run(Counted())
    assert [row["procs"] for row in rows] == [1, 2, 8]
    written = pq.read_table(tmp_path / "results.parquet")
    assert written.select(["procs", METRIC, "error"]).to_pylist() == rows
    with (tmp_path / "results.csv").open(newline="") as file:
        assert [row["procs"] for row in csv.DictReader(file)] == ["1", "2", "8"]


@pytest.mark.parametrize("failing", [(), (1, 2)], ids=["none", "all"])
def test_the_columns_are_the_same_and_have_their_types_whatever_failed(tmp_path: Path, failing: tuple[int]) -> None:
    Sweep(grid("procs=1,2", "kernel=v8"), tmp_path).run(Counted(*failing))
    schema = pq.read_schema(tmp_path / "results.parquet")
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert list(types)[:4] == ["procs", "kernel", METRIC, "throughput_avg_kBps"]
    assert (types["procs"], types["kernel"], types[METRIC], types["error"]) == ("int64", "string", "double", "string")
    assert (types["zswpout"], types["ZSWPOUT"], list(types)[-1]) == ("int64", "int64", "error")
    assert json.loads(schema.metadata[b"swaplab.sweep"])["scale"] == "1/8192"


def test_what_is_there_is_not_run_again_but_what_failed_is(tmp_path: Path) -> None:
    first = Counted(2)
    rows = Sweep(grid("procs=1,2"), tmp_path).run(first)
    assert [row["error"] for row in rows] == [None, "ValueError: broken"]
    second = Counted()
    rows = Sweep(grid("procs=1,2,3"), tmp_path).run(second)
    assert [dict(point)["procs"] for point in second.ran] == [3, 2]
    assert [row["error"] for row in rows] == [None] * 3


def test_the_order_of_axes_makes_no_new_points(tmp_path: Path) -> None:
    Sweep(grid("procs=1,2", "devices=2,4"), tmp_path).run(Counted())
    again = Counted()
    Sweep(grid("devices=4,2", "procs=2,1"), tmp_path).run(again)
    assert again.ran == []


def test_a_line_that_was_being_written_when_the_sweep_was_cut_off_is_done_again(tmp_path: Path) -> None:
    Sweep(grid("procs=1,2"), tmp_path).run(Counted())
    journal = tmp_path / JOURNAL
    journal.write_text(journal.read_text()[:-20])
    again = Counted()
    rows = Sweep(grid("procs=1,2"), tmp_path).run(again)
    assert len(again.ran) == 1 and len(rows) == 2
    once_more = Counted()
    assert Sweep(grid("procs=1,2"), tmp_path).run(once_more) == rows
    assert once_more.ran == [], "what was written behind the broken line is there"


@pytest.mark.parametrize("line", ["5", "{}", '{"point": {"procs": 1}}', '{"point": {"procs": 1}, "row": {}}'])
def test_a_line_of_something_else_is_named(tmp_path: Path, line: str) -> None:
    Sweep(grid("procs=1"), tmp_path).run(Counted())
    journal = tmp_path / JOURNAL
    journal.write_text(journal.read_text() + line + "\n")
    with pytest.raises(SweepError, match=rf"{journal}:3 is no point of a sweep: .*; delete that line, or name another"):
        Sweep(grid("procs=1"), tmp_path).run(Counted())


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_journal_is_begun(tmp_path: Path, text: str) -> None:
    (tmp_path / JOURNAL).write_text(text)
    Sweep(grid("procs=1"), tmp_path).run(Counted())
    again = Counted()
    assert len(Sweep(grid("procs=1"), tmp_path).run(again)) == 1
    assert again.ran == []


def test_who_cannot_run_anything_leaves_no_directory(tmp_path: Path) -> None:
    def nobody(points: Iterable[tuple[Point, Request]]) -> AbstractContextManager[Rows]:
        raise SweepError("nobody is there")

    with pytest.raises(SweepError):
        Sweep(grid("procs=1"), tmp_path / "out").run(nobody)
    assert not (tmp_path / "out").exists()


def test_another_sweeps_directory_is_refused(tmp_path: Path) -> None:
    Sweep(grid("procs=1"), tmp_path).run(Counted())
    with pytest.raises(SweepError, match=r"belongs to another sweep.*name another directory"):
        Sweep(grid("procs=1", scale=Fraction(1, 64)), tmp_path).run(Counted())


def test_a_testbed_that_was_changed_makes_another_sweep_and_one_that_was_moved_does_not(tmp_path: Path) -> None:
    shipped = testbeds.testbed_file(TESTBED).read_text()
    slower = shipped.replace('"sleep_s": 10', '"sleep_s": 100')
    assert slower != shipped
    for name, text in (("here", shipped), ("there", shipped), ("slower", slower)):
        (tmp_path / f"{name}.json").write_text(text)
    runs = {name: Counted() for name in ("here", "there", "slower")}

    def run(name: str) -> None:
        asked = parse_grid(["procs=1"], load_testbed(str(tmp_path / f"{name}.json")), TINY)
        Sweep(asked, tmp_path / "out").run(runs[name])

    run("here")
    run("there")
    assert runs["there"].ran == []
    with pytest.raises(SweepError, match="belongs to another sweep"):
        run("slower")


def test_one_failing_point_does_not_lose_the_rest(tmp_path: Path) -> None:
    rows = Sweep(grid("folio=2M,64K", "procs=1"), tmp_path).run(run_locally(2))
    assert rows[0]["error"] == "ValueError: " + TOO_SMALL.format(TINY)
    expected = run_usemem(Request(load_testbed(TESTBED), V8, "deflate-iaa", "64K", TINY, processes=1))
    assert rows[1]["throughput_total_kBps"] == expected.throughput_total_kbps
    assert rows[1]["zswpout"] == expected.zswpout


def test_a_point_takes_its_machine_along_wherever_it_runs(tmp_path: Path) -> None:
    """A worker may have no such file, or have read one of that name before."""
    file = tmp_path / "mine.json"
    file.write_text(load_testbed(TESTBED).to_json())
    asked = parse_grid(["procs=1"], load_testbed(str(file)), TINY)
    sent = pickle.dumps(asked.request(asked.points()[0]))
    here = run_point(pickle.loads(sent))
    file.write_text(load_testbed(TESTBED).with_values({"iaa.service_ns": 20000.0}).to_json())
    assert run_point(pickle.loads(sent)) == here
    slower = run_point(parse_grid(["procs=1"], load_testbed(str(file)), TINY).request(asked.points()[0]))
    assert slower["throughput_total_kBps"] < here["throughput_total_kBps"]


def test_a_point_never_raises() -> None:
    too_small = Request(load_testbed(TESTBED), V8, "zstd", "2M", Fraction(1, 1_000_000))
    assert run_point(too_small) == {"error": "ValueError: " + TOO_SMALL.format("1/1000000")}


def test_saturation_is_where_a_line_has_reached_most_of_its_height() -> None:
    assert saturation([(1, 1.0), (2, 2.0), (4, 3.9), (8, 4.0)]) == (4, 3.9)
    assert saturation([(1, 1.0), (2, 2.0)]) is None
    assert saturation([(1, 1.0)]) is None


@pytest.mark.parametrize(
    "parts",
    [
        ["procs=1,2,8"],
        ["kernel=base,v8", "procs=1,8", "devices=2,4"],
        ["batch=1,2", "folio=64K,2M"],
        ["kernel=base,8,8+9,v8"],
        ["kernel=base,v8", "folio=4K,64K", "compressor=zstd,deflate-iaa"],
    ],
)
def test_pictures_of_one_to_three_axes(tmp_path: Path, parts: list[str]) -> None:
    asked = grid(*parts)
    rows = Sweep(asked, tmp_path).run(Counted(2))
    assert draw(asked, rows, tmp_path / "throughput.png")
    assert draw(asked, rows, tmp_path / "throughput.svg")
    assert (tmp_path / "throughput.png").read_bytes().startswith(b"\x89PNG")


def words_of(file: Path) -> list[str]:
    """The texts of a picture, which matplotlib keeps beside the outlines of their letters."""
    return [text.strip() for text in re.findall(r"<!-- (.*?) -->", file.read_text())]


def test_lines_that_coincide_are_one_with_both_names_and_the_others_keep_their_colours(tmp_path: Path) -> None:
    asked = grid("procs=1,2", "batch=8,16,4")
    rows = Sweep(asked, tmp_path).run(Counted())
    slower = [row | {METRIC: row[METRIC] / 2} if row["batch"] == 4 else row for row in rows]
    picture = tmp_path / "throughput.svg"
    assert draw(asked, slower, picture)
    assert "8 pages per chain = 16 pages per chain" in words_of(picture)
    assert [colour in picture.read_text() for colour in COLOURS[:3]] == [True, False, True]


def contrast_with_white(colour: str) -> float:
    """As accessibility guidelines have it: 1 is white on white, 21 black on white, and 3 the least for lines."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    red, green, blue = linear
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


@pytest.mark.parametrize("colour", [*COLOURS, WHOLE, GAIN, LOSS])
def test_no_colour_is_lost_on_white_paper(colour: str) -> None:
    assert contrast_with_white("#ffff00") < contrast_with_white("#ff7f0e") < 3 < contrast_with_white(colour)


def test_panels_have_one_scale_though_points_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    asked = grid("procs=1,4,30", "batch=1,8", "devices=2,8")
    rows = Sweep(asked, tmp_path).run(Counted())
    rows = [row | {"error": "broken"} if (row["procs"], row["devices"]) == (30, 2) else row for row in rows]
    assert draw(asked, rows, tmp_path / "throughput.svg")
    panels = figures[0].get_axes()
    assert len(panels) == 2
    for scale in ({axes.get_xlim() for axes in panels}, {axes.get_ylim() for axes in panels}):
        assert len(scale) == 1
    assert [list(axes.get_xticks()) for axes in panels] == [[1, 4, 30]] * 2


@pytest.mark.parametrize(("processes", "saturated"), [("1,2,4", False), ("1,4,8", True)])
def test_marks_are_explained_where_there_are_any(tmp_path: Path, processes: str, saturated: bool) -> None:
    asked = grid(f"procs={processes}")
    assert draw(asked, Sweep(asked, tmp_path).run(Counted()), tmp_path / "throughput.svg")
    words = words_of(tmp_path / "throughput.svg")
    assert ("saturated (95 %)" in words) == any("diamonds" in text for text in words) == saturated


def test_along_what_is_no_number_there_are_bars_with_names_and_heights(tmp_path: Path) -> None:
    asked = grid("kernel=base,8,8+9,v8", "folio=4K,64K")
    rows = Sweep(asked, tmp_path).run(Counted())
    rows = [row | {METRIC: (index + 1) * float(1 << 20)} for index, row in enumerate(rows)]
    rows[2]["error"] = "broken"
    assert draw(asked, rows, tmp_path / "throughput.svg")
    words = words_of(tmp_path / "throughput.svg")
    assert {"base", "patch 8", "patches 8+9", "v8", "4K folios", "64K folios", "kernel"} <= set(words)
    assert [f"{height}.0" in words for height in range(1, 9)] == [height != 3 for height in range(1, 9)]


def test_without_anything_to_compare_there_is_no_picture(tmp_path: Path) -> None:
    asked = grid("kernel=v8", "procs=1")
    assert not draw(asked, Sweep(asked, tmp_path).run(Counted()), tmp_path / "throughput.png")
    assert not (tmp_path / "throughput.png").exists()


def test_the_command_sweeps_and_says_what_failed(tmp_path: Path) -> None:
    args = ["sweep", "--grid", "folio=2M,64K", "procs=1", "--scale", "1/8192", "--workers", "1", "--out", str(tmp_path)]
    result = runner.invoke(app, args, env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == f"2 points, 1 failed; results in {tmp_path}"
    assert "folio=2M, procs=1: " in result.output
    assert (tmp_path / "throughput.png").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--grid", "speed=1"], "is no axis"),
        (["--grid", "batch=1,33"], "batch=1,33 cannot be read; write pages per chain, up to 32"),
        (["--grid", "procs=1", "--testbed", "mine"], f"use {TESTBED}"),
        (["--grid", "procs=1", "--scale", "none"], "write 1/64"),
        (["--grid", "kernel=99"], "swaplab sweep: there is no patch 99"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(tmp_path: Path, args: list[str], message: str) -> None:
    result = runner.invoke(app, ["sweep", *args, "--out", str(tmp_path / "out")], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "out").exists()


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs nothing: all figures are 1."""
    shown = "throughput_total_kBps", "elapsed_s", "sys_s", "zswpout"

    def counted(workers: int) -> sweeps.Run:
        return lambda points: nullcontext((point, dict.fromkeys(shown, 1) | {"error": None}) for point, _ in points)

    monkeypatch.setattr(sys.modules["swaplab.cli.sweep"], "run_locally", counted)


def test_a_grid_leaves_out_what_cannot_be() -> None:
    some = grid("folio=4K,64K", "batch=1,8,32")
    assert some.points() == [
        (("folio", "4K"), ("batch", 1)),
        (("folio", "64K"), ("batch", 1)),
        (("folio", "64K"), ("batch", 8)),
    ]
    assert list(some.left_out()) == [
        (("folio", "4K"), ("batch", 8)),
        (("folio", "4K"), ("batch", 32)),
        (("folio", "64K"), ("batch", 32)),
    ]
    assert (some.folios, some.varied()) == (["4K", "64K"], ["folio", "batch"])
    assert grid("folio=4K,64K", "batch=16").varied() == [], "one point is left"


def test_the_command_names_what_it_leaves_out(tmp_path: Path, counting: None) -> None:
    done = runner.invoke(app, ["sweep", "--grid", "batch=8,17,32", "--out", str(tmp_path)], env={"COLUMNS": "300"})
    assert done.exit_code == 0
    assert "left out: batch=17: a chain is no longer than a folio" in done.output
    assert "left out: batch=32: a chain is no longer than a folio" in done.output
    assert "1 points, 0 failed" in done.output


@pytest.mark.parametrize("name", ["results.csv", "results.parquet", "throughput.svg"])
def test_every_file_is_seen_to_before_the_work(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    done = runner.invoke(app, ["sweep", "--grid", "procs=1", "--out", str(tmp_path)], env={"COLUMNS": "300"})
    assert done.exit_code == 2 and f"{name} is a directory" in done.output
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_sweep_that_nobody_can_run_leaves_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(address: str) -> None:
        raise SweepError(f"no Dask scheduler answers at {address}")

    monkeypatch.setattr(sys.modules["swaplab.cli.sweep"], "run_on_dask", nobody)
    out = tmp_path / "deep" / "out"
    done = runner.invoke(app, ["sweep", "--grid", "procs=1", "--dask", "nowhere", "--out", str(out)])
    assert done.exit_code == 2 and "no Dask scheduler answers at nowhere" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_without_a_picture_says_why_and_leaves_none_of_another_grid(tmp_path: Path, counting: None) -> None:
    first = runner.invoke(app, ["sweep", "--grid", "folio=4K,64K", "--out", str(tmp_path)])
    assert first.exit_code == 0 and "no picture" not in first.output
    assert len(list(tmp_path.glob("throughput.*"))) == 2
    result = runner.invoke(app, ["sweep", "--grid", "folio=4K", "--out", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "no picture: no axis has several values to compare" in result.output
    assert not list(tmp_path.glob("throughput.*"))


def test_a_pager_that_closes_the_pipe_does_not_cost_the_picture(
    tmp_path: Path, counting: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError(EPIPE, "Broken pipe")

    monkeypatch.setattr("rich.console.Console.print", closed)
    assert runner.invoke(app, ["sweep", "--grid", "folio=4K,64K", "--out", str(tmp_path)]).exit_code != 0
    assert len(list(tmp_path.glob("throughput.*"))) == 2


def test_every_axis_says_what_to_write() -> None:
    assert all(wanted for _, wanted in AXES.values())
    assert issubclass(GridError, ValueError)
    assert sweeps.SCHEMA == "swaplab.sweep/1"


ON_A_CLUSTER = """
import sys
from pathlib import Path
from distributed import LocalCluster
from swaplab.cli.commands import app
from swaplab.experiments.grid import parse_grid
from swaplab.experiments.sweep import Sweep, SweepError, run_on_dask
from swaplab.model.testbed import load_testbed

if __name__ == "__main__":
    out = Path(sys.argv[1])
    try:
        Sweep(parse_grid(["procs=1"], load_testbed("spr-2s-8iaa"), 1), out / "nowhere").run(run_on_dask("nowhere"))
    except SweepError as error:
        print(error)
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        where = ["--dask", cluster.scheduler_address, "--out", str(out / "dask")]
        app(["sweep", "--grid", "folio=2M,64K", "procs=1,2", "--scale", "1/8192", *where])
"""


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_results(tmp_path: Path) -> None:
    """In a process of its own: a client's threads outlive it."""
    script = tmp_path / "on_a_cluster.py"
    script.write_text(ON_A_CLUSTER)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=280, check=False
    )
    assert "no Dask scheduler answers at nowhere" in done.stdout
    assert not (tmp_path / "nowhere").exists()
    assert "4 points, 2 failed" in done.stdout, done.stderr
    assert done.returncode == 1
    Sweep(grid("folio=2M,64K", "procs=1,2"), tmp_path / "local").run(run_locally(1))
    for name in ("results.parquet", "results.csv"):
        assert (tmp_path / "dask" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
