"""Testbed files: what is shipped can be used, what is read is written again, and what cannot be used is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acomp import cpu
from iaa_emulator.hardware.presets import HOST, preset, preset_names
from swaplab import sim
from swaplab.experiments.kernbench import KernbenchColumn
from swaplab.experiments.tables import TableColumn
from swaplab.experiments.usemem import UsememColumn
from swaplab.model import testbed as testbeds
from swaplab.model.columns import V8
from swaplab.model.machine import Setup, open_machine
from swaplab.model.published import COUNTED, MEASURED
from swaplab.model.testbed import Testbed, TestbedError, load_testbed

SHIPPED = "spr-2s-8iaa"
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(testbeds.testbed_file(SHIPPED).read_text())
    return content


@pytest.mark.parametrize("name", testbeds.testbed_names())
def test_a_shipped_testbed_says_of_every_number_what_it_is(name: str) -> None:
    testbed = load_testbed(name)
    assert testbed.name == name
    for parameter_name, parameter in (testbed.parameters | testbed.length_factors).items():
        assert parameter.source
        assert ("_ns" in parameter_name) == (parameter.unit == "ns")


@pytest.mark.parametrize("name", testbeds.testbed_names())
def test_a_file_that_is_read_and_written_again_is_the_same(name: str) -> None:
    assert load_testbed(name).to_json() == testbeds.testbed_file(name).read_text()


def test_only_numbers_of_the_model_are_fitted() -> None:
    assert set(load_testbed(SHIPPED).fitted()) == {
        "iaa.service_ns",
        "zswap.lru_hold_ns",
        "zswap.free_hold_ns",
        "zswap.free_hold_zstd_factor",
        "zswap.free_hold_unbatched_factor",
        "zstd.compress_ns",
        "mm.touch_ns",
        "mm.reclaim_ns",
    }


def test_a_folio_size_may_have_a_parameter_of_its_own() -> None:
    testbed = load_testbed(SHIPPED)
    assert testbed.ns("mm.fault_ns", "2M") == testbed.parameters["mm.fault_ns.2M"].value
    assert (
        testbed.ns("mm.fault_ns", "4K") == testbed.ns("mm.fault_ns", "64K") == testbed.parameters["mm.fault_ns"].value
    )


def test_published_figures_are_found_and_runs_are_averaged() -> None:
    tables = load_testbed(SHIPPED).published
    zstd = next(table for table in tables if (table.workload, table.compressor) == ("usemem", "zstd"))
    cell = zstd.cell("v8", "elapsed_s")
    assert cell is not None and cell.value == pytest.approx((88.77 + 89.79) / 2)
    assert zstd.cell("v9", "elapsed_s") is None


def test_other_values_leave_the_loaded_testbed_alone() -> None:
    testbed = load_testbed(SHIPPED)
    before = testbed.value("mm.touch_ns")
    assert testbed.with_values({"mm.touch_ns": 1.0}).value("mm.touch_ns") == 1.0
    assert load_testbed(SHIPPED).value("mm.touch_ns") == before
    with pytest.raises(KeyError, match="tuch_ns"):
        testbed.with_values({"mm.tuch_ns": 1.0})


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(TestbedError, match=f"no testbed 'spr'; use {SHIPPED}, or a .json file"):
        load_testbed("spr")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(schema="swaplab.testbed/2"), "swaplab.testbed/2 was written by swaplab .*; use that one"),
        (lambda c: c.update(schema="swaplab.table/1"), "no testbed; one begins with"),
        (lambda c: c.pop("schema"), "no testbed; one begins with"),
        (lambda c: c["parameters"].pop("mm.touch_ns"), "parameters lacks mm.touch_ns; correct it"),
        (lambda c: c["length_factors"].pop("zstd"), "length_factors lacks zstd"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(value=float("inf")), "mm.touch_ns.value: .*finite"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(value=True), "mm.touch_ns.value: .*valid number"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(value="200"), "mm.touch_ns.value: .*valid number"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(firmness="sure"), "mm.touch_ns.firmness: .*'fitted'"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(note="x"), "mm.touch_ns.note: Extra inputs"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(source=" "), "mm.touch_ns.source: it is empty; say"),
        (lambda c: c["parameters"].update({"iaa.foo": c["parameters"]["mm.jitter"]}), "iaa.foo is none that"),
        (
            lambda c: c["parameters"].update({"mm.fault_ns.1G": c["parameters"]["mm.fault_ns"]}),
            "ns.1G is none",
        ),
        (
            lambda c: c["length_factors"].update(lz4=c["length_factors"]["zstd"]),
            "lz4 is none .*; there are deflate-iaa",
        ),
        (lambda c: c.update(platform="foo"), "platform: 'foo' is none of .*spr-2s-8iaa"),
        (lambda c: c.update(platform="host"), "platform: 'host' is none of"),
        (lambda c: c["usemem"].update(processes=0), "usemem.processes: .*greater"),
        (lambda c: c["usemem"].update(processes="30"), "usemem.processes: .*valid integer"),
        (lambda c: c["usemem"].update(memory_high_pages=1 << 30), "usemem: nothing would be swapped out; memory_high"),
        (lambda c: c.update(name=""), "name: it is empty"),
        (lambda c: c["calibration"].update(scale="abc"), "calibration.scale: 'abc' is no fraction; write 1/64"),
        (lambda c: c["calibration"].update(scale="2"), "calibration.scale: 2 is not above 0 and up to 1"),
        (lambda c: c["kernbench"].pop("cpus"), "kernbench.cpus: Field required"),
    ],
)
def test_what_cannot_be_used_is_refused_with_place_and_remedy(
    content: dict[str, Any], tmp_path: Path, edit: Edit, message: str
) -> None:
    edit(content)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    with pytest.raises(TestbedError, match=f"mine.json: .*{message}"):
        load_testbed(str(file))


@pytest.mark.parametrize(
    ("section", "name", "change", "message"),
    [
        ("parameters", "mm.touch_ns", {"value": -1}, "is -1, but must be a whole number from 0 to 1,000,000,000 "),
        ("parameters", "mm.touch_ns", {"value": 0}, "is fitted and 0, and a fit moves by factors; begin"),
        ("parameters", "mm.fault_ns", {"value": 0.5}, "is 0.5, but must be a whole number from 0"),
        ("parameters", "iaa.service_ns", {"value": 0}, "is 0, but must be a whole number from 1 to"),
        ("parameters", "iaa.service_ns", {"value": 1e30}, "is 1e\\+30, but must be"),
        ("parameters", "iaa.submit_ns", {"unit": "us"}, "is in ns, not in us"),
        ("parameters", "mm.jitter", {"unit": "ns"}, "is in factor, not in ns"),
        ("parameters", "mm.jitter", {"value": 1}, "is 1, but must be a number from 0 to 0.99"),
        ("parameters", "iaa.compress_engines", {"value": 0}, "is 0, but must be a whole number from 1 to 8"),
        ("parameters", "iaa.compress_engines", {"value": 1.5}, "is 1.5, but must be a whole number"),
        ("parameters", "iaa.compress_engines", {"value": 9}, "is 9, but must be"),
        ("parameters", "iaa.compress_engines", {"firmness": "fitted"}, "is declared fitted, but no fit moves it"),
        ("parameters", "zswap.free_hold_zstd_factor", {"value": 0}, "is 0, but must be a number from 0.01 to 100"),
        ("length_factors", "zstd", {"value": 0.5}, "is 0.5, but must be a number from 1 to 10"),
        ("length_factors", "zstd", {"value": 100}, "is 100, but must be"),
        ("length_factors", "zstd", {"firmness": "fitted"}, "is declared fitted, but no fit moves it; declare it input"),
        ("kernbench", "cpus", {"value": 0}, "is 0, but must be a whole number from 1"),
        ("kernbench", "cpus", {"value": 1000}, "is more than the 112 cpus of package 0"),
        ("kernbench", "threads", {"value": 1.5}, "is 1.5, but must be a whole number"),
        ("kernbench", "footprint", {"value": 0.5}, "is 0.5, but must be a number from 1 to 2 "),
        ("kernbench", "footprint", {"value": 4}, "is 4, but must be"),
        ("kernbench", "file_share", {"value": 2}, "is 2, but must be a number from 0 to 1"),
        ("kernbench", "memory_max_pages", {"value": 0}, "is 0, but must be a whole number from 1"),
        ("kernbench", "order0_ns", {"unit": "s"}, "is in ns, not in s"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_the_bounds(
    content: dict[str, Any], tmp_path: Path, section: str, name: str, change: dict[str, Any], message: str
) -> None:
    content[section][name].update(change)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    with pytest.raises(
        TestbedError, match=rf"mine.json: {section}.{name} {message}.*; correct it, or copy a shipped one"
    ):
        load_testbed(str(file))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t["cells"][0].update(values=[]), "0.cells.0.values: .*at least 1"),
        (lambda t: t["cells"][0].update(values=[0]), "0: throughput_total_kBps of base is 0, and errors .*; leave"),
        (lambda t: t["cells"][0].update(values=[-5]), "0.cells.0.values.0: .*greater"),
        (lambda t: t["cells"][0].update(metric="thruput"), "0: there is no metric 'thruput' of usemem; use through"),
        (lambda t: t["cells"][0].update(metric="real_s"), "0: there is no metric 'real_s' of usemem"),
        (lambda t: t["cells"][0].update(column="v9"), "0.cells.0.column: .*'base' or 'v8'"),
        (lambda t: t["cells"].append(t["cells"][0]), "0: throughput_total_kBps of base is there twice; a run"),
        (lambda t: t.update(compressor="lz4"), "0.compressor: .*'zstd'"),
        (lambda t: t.update(compressor="zstd"), ": the table usemem 64K zstd is there twice; leave one out"),
        (lambda t: t.update(source=""), "0.source: it is empty"),
    ],
)
def test_a_published_table_has_figures_that_ours_have_too(
    content: dict[str, Any], tmp_path: Path, edit: Edit, message: str
) -> None:
    edit(content["published"][0])
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    with pytest.raises(TestbedError, match=rf"mine.json: published\.?{message}"):
        load_testbed(str(file))


def test_a_build_without_the_counts_that_it_works_off_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    build = next(table for table in content["published"] if table["workload"] == "kernbench")
    build["cells"] = [cell for cell in build["cells"] if cell["metric"] != "zswpin"]
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    with pytest.raises(TestbedError, match="zswpin of base is missing, and the build works it off; add the cell"):
        load_testbed(str(file))


@pytest.mark.parametrize(("workload", "column"), [("usemem", UsememColumn), ("kernbench", KernbenchColumn)])
def test_published_metrics_are_those_of_our_tables(workload: str, column: type[TableColumn]) -> None:
    ours = [field.alias or name for name, field in column.model_fields.items() if name not in TableColumn.model_fields]
    assert sorted(MEASURED[workload] + COUNTED[workload]) == sorted(ours)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", "\N{SNOWMAN}"])
def test_a_file_that_is_no_testbed_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TestbedError, match=r"mine.json: .*; "):
        load_testbed(str(file))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TestbedError, match="name a testbed in JSON"):
        load_testbed(str(file))


def test_a_testbed_of_ones_own_is_used_by_file_name(content: dict[str, Any], tmp_path: Path) -> None:
    content["name"] = "mine"
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    testbed = load_testbed(str(file))
    assert isinstance(testbed, Testbed) and testbed.name == "mine"


def test_the_machine_has_the_cpus_of_its_platform(content: dict[str, Any], tmp_path: Path) -> None:
    assert load_testbed(SHIPPED).topology.nr_cpus == 224
    content["platform"] = next(name for name in preset_names() if name not in (SHIPPED, HOST))
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    setup = Setup(load_testbed(str(file)), V8, "deflate-iaa", "64K")

    async def cpus() -> int:
        async with open_machine(setup, 1024, {}):
            return cpu.nr_cpu_ids()

    assert sim.run(cpus()) == preset(content["platform"]).topology.nr_cpus != 224


@pytest.mark.parametrize(
    ("edit", "other"),
    [
        (lambda c: c["parameters"]["mm.touch_ns"].update(value=1), True),
        (lambda c: c["length_factors"]["zstd"].update(value=2), True),
        (lambda c: c["usemem"].update(sleep_s=100), True),
        (lambda c: c["kernbench"]["order0_ns"].update(value=1), True),
        (lambda c: c.update(title="mine", name="mine"), False),
        (lambda c: c["parameters"]["mm.touch_ns"].update(source="measured"), False),
    ],
)
def test_two_machines_have_one_digest_if_they_are_one(
    content: dict[str, Any], tmp_path: Path, edit: Edit, other: bool
) -> None:
    edit(content)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(content))
    assert (load_testbed(str(file)).machine_sha256 != load_testbed(SHIPPED).machine_sha256) == other
