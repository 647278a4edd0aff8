"""The doctor: verdicts, the map, advice, and the command."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iaa_emulator import DriverFeatures, MachineConfig, Topology, machine, preset
from iaa_emulator.hardware.save_config import dump_devices
from iaa_emulator.verdict import Verdict, examine, ranges
from swaplab.cli.commands import app
from swaplab.cli.diagnosis import DoctorReport

V8, BASE = DriverFeatures.v8(), DriverFeatures.base()
PRESETS = Path(__file__).parents[2] / "iaa_emulator" / "hardware" / "presets"


def advice(built: MachineConfig, features: DriverFeatures = V8, g_wqs: int = 0) -> str:
    verdict = examine(built, features, g_wqs)
    assert verdict.accepted
    return " ".join(said.text for said in verdict.advice)


def test_the_map_of_the_test_machine() -> None:
    verdict = examine(preset("spr-2s-8iaa"), V8, 1)
    assert verdict.advice == (), "nothing to change"
    assert [(row.cpus, row.package, row.device, row.nr_cpus) for row in verdict.rows[:2]] == [
        ("0-13, 112-125", "0", "iax1", 28),
        ("14-27, 126-139", "0", "iax3", 28),
    ]
    assert verdict.rows[1].compress == ("wq3.1", "wq5.1", "wq7.1", "wq1.1")
    assert verdict.rows[1].decompress == ("wq3.0",)
    assert sum(row.nr_cpus for row in verdict.rows) == 224


def test_patch_nine_and_its_attribute_do_nothing_without_the_patch() -> None:
    paper = preset("spr-2s-8iaa")
    assert examine(paper, BASE, 1).rows == examine(paper, BASE, 0).rows


def test_refusals_come_all_at_once_and_without_a_map() -> None:
    built = machine(devices=2)
    built.devices[0].work_queues[0].size = 200
    built.devices[1].work_queues[0].priority = 0
    built.devices[1].work_queues[0].name = ""
    verdict = examine(built, V8)
    assert [error.at.key for error in verdict.refusals if error.at] == ["size", "priority", "name"]
    assert (verdict.rows, verdict.advice, verdict.accepted, verdict.usable) == ((), (), False, False)


def test_an_impossible_queue_beside_a_good_one_leaves_a_map_without_it() -> None:
    built = machine(devices=2)
    built.devices[0].engines = {}
    verdict = examine(built, V8)
    assert (verdict.usable, verdict.accepted, verdict.loads) == (True, False, True)
    assert [found.outcome.value for found in verdict.queues] == ["impossible", "the driver's"]
    assert [row.device for row in verdict.rows] == ["iax3"]


@pytest.mark.parametrize(
    ("built", "features", "g_wqs", "said"),
    [
        (machine(devices=0), V8, 0, "No queue is left for the driver"),
        (machine(devices=1, slots_per_device=64), V8, 0, "uses 64 of 128 slots"),
        (machine(devices=1, engines_per_device=1), V8, 0, "1 of 2 engines that compress"),
        (machine(devices=3, packages=2), V8, 0, "do not divide over 2 packages"),
        (machine(devices=2, wqs_per_device=2), V8, 0, "Set g_wqs_per_iaa to 1"),
        (machine(devices=2), V8, 1, "no device has a second queue"),
        (machine(devices=1, cores_per_package=112), V8, 0, "may end in -EAGAIN"),
        (preset("many-nodes"), BASE, 0, "Use the mapping by package (patch 8)"),
    ],
)
def test_what_could_be_better(built: MachineConfig, features: DriverFeatures, g_wqs: int, said: str) -> None:
    assert said in advice(built, features, g_wqs)


def test_a_device_without_a_queue_for_the_driver_is_mentioned() -> None:
    built = machine(devices=2)
    built.devices[0].work_queues[0].driver_name = "dmaengine"
    assert "iax1 has no queue for the driver" in advice(built)
    assert [row.device for row in examine(built, V8).rows] == ["iax3"]


def test_cpu_lists() -> None:
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
    assert ranges([]) == ""


def test_a_machine_whose_packages_are_interleaved_shows_both() -> None:
    built = machine(devices=1)
    built.topology = Topology(packages=2, cores_per_package=4, numa_nodes=2, numbering="interleaved")
    verdict: Verdict = examine(built, V8)
    assert [row.package for row in verdict.rows] == ["0, 1"]


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["doctor", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_accepts() -> None:
    code, out, _ = run(str(PRESETS / "spr-2s-8iaa.json"), "--g-wqs-per-iaa", "1")
    assert code == 0
    first = out.splitlines()[0]
    assert first.endswith(": usable: the driver gets 16 of 16 queues; 224 cpus, 2 packages, 2 NUMA nodes")
    assert "iax3/wq3.1    the driver's  dedicated, 64 descriptors, group 0" in out
    assert "14-27, 126-139   0        iax3    wq3.1 wq5.1 wq7.1 wq1.1     wq3.0" in out
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_the_command_refuses_with_every_cause_and_remedy(tmp_path: Path) -> None:
    devices = preset("spr-2s-8iaa").devices[:2]
    devices[0].work_queues[0].size = 100
    devices[1].work_queues[1].driver_name = "user"
    file = tmp_path / "bad.conf"
    file.write_text(dump_devices(devices))
    code, out, _ = run(str(file), "--topology", "spr-2s-8iaa")
    assert code == 1
    (line,) = [number for number, text in enumerate(file.read_text().splitlines(), 1) if '"size": 64' in text][:1]
    assert (
        f"{file}:{line} size: with size 64 the queues of iax1 would have 164 descriptors together, and the device has"
        " 128; make the sizes sum up to 128 at most."
    ) in out.splitlines(), "each refusal is one line, however long"
    assert "driver name 'user'" in out


@pytest.mark.parametrize("saved", ['[{"dev": "dsa0"}]', '[{"dev": "iax1"}]', '[{"dev": "iax1"}, {"dev": "iax3"}]'])
def test_the_command_does_not_accept_what_leaves_the_driver_without_a_queue(saved: str, tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text(saved)
    code, out, _ = run(str(file))
    assert code == 1
    assert out.startswith(f"{file}: not usable: every write succeeds, and no queue is the driver's")
    said = " ".join(out.split())
    assert "compress answers -ENODEV" in said
    assert 'Configure an IAA device (iax1, ...) with a queue of type "kernel" and driver name "crypto".' in said
    assert "decompress" not in out, "there is no map"


def test_the_command_takes_cpus_from_a_preset_and_the_driver_by_name(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text(dump_devices(preset("many-nodes").devices))
    assert "384 cpus, 2 packages, 6 NUMA nodes" in run(str(file), "--topology", "many-nodes", "--kernel", "base")[1]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--g-wqs-per-iaa", str(2**31)], "'2147483648' is too large; write one from -2147483648 to 2147483647"),
        (["--g-wqs-per-iaa", str(-(2**31) - 1)], "'-2147483649' is too small"),
        (["--g-wqs-per-iaa", "0", "--kernel", "base"], "patch 9 brings it"),
    ],
)
def test_the_attribute_is_one_that_the_driver_would_take(arguments: list[str], why: str) -> None:
    code, _, err = run(str(PRESETS / "many-nodes.json"), *arguments)
    assert (code, why in " ".join(err.replace("│", "").split())) == (2, True)
    assert run(str(PRESETS / "many-nodes.json"), "--g-wqs-per-iaa", str(2**31 - 1))[0] == 0


@pytest.mark.parametrize("arguments", [["/nowhere"], [__file__], [str(PRESETS / "many-nodes.json"), "--topology", "x"]])
def test_the_command_says_what_it_cannot_use(arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert err.startswith("swaplab doctor: ")


def test_what_was_found_is_written_as_a_file(tmp_path: Path) -> None:
    file, found = tmp_path / "saved.conf", tmp_path / "found.json"
    file.write_text(dump_devices(machine(devices=1, wqs_per_device=2).devices).replace('"size": 64', '"size": 65', 1))
    code, _, _ = run(str(file), "--json", str(found))
    report = json.loads(found.read_text())
    assert (code, report["schema"], bool(report["swaplab"])) == (1, "swaplab.doctor/1", True)
    (one,) = report["files"]
    assert (one["file"], one["status"], one["map"]) == (str(file), "not usable", [])
    assert [(queue["queue"], queue["outcome"]) for queue in one["queues"]] == [
        ("iax1/wq1.0", "the driver's"),
        ("iax1/wq1.1", "impossible"),
    ]
    (refusal,) = one["refusals"]
    line = file.read_text().splitlines()[refusal["line"] - 1]
    assert (refusal["object"], refusal["key"], refusal["errno"], line.strip()) == ("wq1.1", "size", 22, '"size": 64,')
    assert "129 descriptors" in refusal["text"] and refusal["remedy"].startswith("Make the sizes")
    assert DoctorReport.model_validate(report).to_json() == found.read_text()


def test_a_file_with_thousands_of_faults_shows_the_first_ones(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text('[{"dev": "iax1"},\n' + "1,\n" * 5000 + "]")
    code, out, _ = run(str(file))
    assert code == 1
    assert f"{file}:2 dev: " in out and len(out.splitlines()) < 110
    assert out.splitlines()[-1] == "... and 4900 more; --json writes all of them"


def test_a_file_does_not_write_to_the_terminal_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text('[{"dev": "iax1", "\\u001b[2J": 1, "[red]": 2}, {"dev": "\\u001b[2J"}]')
    out = run(str(file))[1]
    assert "\x1b" not in out
    assert ":1 '\\x1b[2J': " in out and ":1 [red]: " in out


def test_a_directory_without_files_has_nothing_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("[]")
    (tmp_path / "deeper").mkdir()
    assert run(str(tmp_path))[:2] == (2, "0 files: none to examine\n")


def test_presets_say_what_they_are() -> None:
    for file in PRESETS.glob("*.json"):
        document = json.loads(file.read_text())
        assert document["schema"] == "swaplab.machine/1"
        assert document["description"]
