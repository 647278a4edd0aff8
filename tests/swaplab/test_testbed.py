"""Testbed files: what is shipped can be used, what is read is written again, and what cannot be used is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acomp import cpu
from iaa_emulator.presets import HOST, preset, preset_names
from swaplab import sim
from swaplab import testbed as testbeds
from swaplab.columns import V8
from swaplab.machine import Setup, open_machine
from swaplab.testbed import Testbed, TestbedError, load_testbed

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
        (lambda c: c["parameters"].pop("mm.touch_ns"), "lacks mm.touch_ns; correct it"),
        (lambda c: c["length_factors"].pop("zstd"), "lacks zstd"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(value=-1), "parameters.mm.touch_ns.value: .*greater"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(value=float("inf")), "mm.touch_ns.value: .*finite"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(firmness="sure"), "mm.touch_ns.firmness: .*'fitted'"),
        (lambda c: c["parameters"]["mm.touch_ns"].update(note="x"), "mm.touch_ns.note: Extra inputs"),
        (lambda c: c["parameters"]["iaa.compress_engines"].update(value=0), "compress_engines is 0, but .*1 or more"),
        (
            lambda c: c["parameters"]["iaa.compress_engines"].update(value=1.5),
            "engines is 1.5, but .*whole number",
        ),
        (lambda c: c["parameters"]["iaa.submit_ns"].update(unit="us"), "iaa.submit_ns is in ns, not in us"),
        (lambda c: c["parameters"]["mm.jitter"].update(unit="ns"), "mm.jitter is in factor, not in ns"),
        (lambda c: c["parameters"]["mm.jitter"].update(value=1), "mm.jitter is a spread below 1"),
        (lambda c: c["parameters"].update({"iaa.foo": c["parameters"]["mm.jitter"]}), "iaa.foo is none that"),
        (
            lambda c: c["parameters"].update({"mm.fault_ns.1G": c["parameters"]["mm.fault_ns"]}),
            "ns.1G is none",
        ),
        (lambda c: c["length_factors"].update(lz4=c["length_factors"]["zstd"]), "lz4 takes none, only deflate-iaa and"),
        (lambda c: c["length_factors"]["zstd"].update(value=0.5), "zstd is a factor from 1 to 10"),
        (lambda c: c["length_factors"]["zstd"].update(value=100), "zstd is a factor from 1 to 10"),
        (lambda c: c.update(platform="foo"), "platform: 'foo' is none of .*spr-2s-8iaa"),
        (lambda c: c.update(platform="host"), "platform: 'host' is none of"),
        (lambda c: c["usemem"].update(processes=0), "usemem.processes: .*greater"),
        (lambda c: c["published"][0]["cells"][0].update(values=[]), "cells.0.values: .*at least 1"),
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
