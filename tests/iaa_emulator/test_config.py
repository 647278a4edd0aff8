"""The JSON of accel-config, machine files and presets: what is read, written again, and refused."""

from pathlib import Path
from typing import Any

import pytest

import acomp
from iaa_emulator import (
    ConfigurationError,
    DriverFeatures,
    MachineConfig,
    Platform,
    Topology,
    machine,
    preset,
    preset_names,
)
from iaa_emulator.driver.features import NEEDS, PATCHES
from iaa_emulator.hardware.machine import accepted, device, dump_machine, load, parse, written
from iaa_emulator.testing import SteppedEngine
from tests.iaa_emulator.rig import TEXT, Single, stepped

SAVED = """[
  {
    "dev":"dsa0",
    "groups":[ { "dev":"group0.0", "grouped_workqueues":[ { "dev":"wq0.0", "type":"user" } ] } ]
  },
  {
    "dev":"iax3",
    "read_buffer_limit":0,
    "groups":[
      {
        "dev":"group3.0",
        "read_buffers_reserved":0,
        "use_read_buffer_limit":0,
        "read_buffers_allowed":8,
        "grouped_workqueues":[
          {
            "dev":"wq3.0",
            "mode":"dedicated",
            "size":128,
            "group_id":0,
            "priority":10,
            "block_on_fault":0,
            "max_transfer_size":2147483648,
            "type":"kernel",
            "driver_name":"crypto",
            "name":"iaa_crypto",
            "threshold":0
          }
        ],
        "grouped_engines":[ { "dev":"engine3.0", "group_id":0 } ]
      },
      { "dev":"group3.1", "read_buffers_allowed":8 }
    ],
    "ungrouped_engines":[ { "dev":"engine3.1" } ]
  },
  { "dev":"iax1" }
]"""


def changed(**keys: Any) -> MachineConfig:
    """What was saved, with the queue of iax3 changed."""
    built, _ = parse(SAVED)
    for name, value in keys.items():
        setattr(built.devices[1].work_queues[0], name, value)
    return built


def test_what_accel_config_saves_is_read_in_probe_order() -> None:
    built, loaded = parse(SAVED)
    assert [config.dev for config in built.devices] == ["iax1", "iax3"], "by id; the dsa device is not ours"
    assert (loaded.refused, loaded.advice) == ([], [])
    assert built.devices[1].engines == {0: 0}
    assert built.topology == Topology.of_host()


async def test_a_saved_file_opens_as_a_platform(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text(SAVED)
    with acomp.registry():
        async with Platform.open(file, engine=SteppedEngine(auto=True)) as platform:
            assert [found.name for found in platform.devices] == ["iax1", "iax3"]
            assert platform.devices[1].compress_engines == 1, "the kernel's default assigns engine 0 only"
            assert await Single().compress(TEXT) == 0


async def test_a_file_that_is_refused_does_not_open_and_says_where(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text(SAVED.replace('"priority":10', '"priority":16'))
    line = SAVED[: SAVED.index('"priority"')].count("\n") + 1
    with acomp.registry():
        with pytest.raises(ConfigurationError, match=rf"saved\.conf:{line} priority: priority 16 is refused by wq3\.0"):
            async with Platform.open(file):
                pass
        assert not acomp.crypto_has_acomp("deflate-iaa")


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"size": 129}, 22, "129 descriptors together"),
    ({"size": -1}, 22, "size -1"),
    ({"priority": 0}, 22, "priority 0"),
    ({"priority": 16}, 22, "priority 16"),
    ({"mode": "shared"}, 22, "threshold 0"),
    ({"mode": "shared", "threshold": 129}, 22, "threshold 129"),
    ({"max_transfer_size": (2 << 30) + 1}, 22, "max_transfer_size 2147483649"),
    ({"group_id": 1}, 22, "no engine"),
    ({"group_id": -1}, 22, "in no group"),
    ({"name": ""}, 22, "has no name"),
    ({"driver_name": ""}, 19, "no driver_name"),
    ({"dev": "wq3.8"}, 6, "has no wq3.8"),
    ({"dev": "wq1.0"}, 6, "not of iax3"),
]


@pytest.mark.parametrize(("changes", "code", "cause"), REFUSED, ids=[str(case[0]) for case in REFUSED])
def test_what_the_kernel_refuses_is_refused(changes: dict[str, Any], code: int, cause: str) -> None:
    assert accepted(changed()) == changed()
    with pytest.raises(ConfigurationError) as refused:
        accepted(changed(**changes))
    refusal = refused.value
    assert (refusal.errno, cause in refusal.cause, bool(refusal.remedy)) == (code, True, True)
    assert refusal.cause in str(refusal) and refusal.remedy in str(refusal)


@pytest.mark.parametrize("keys", [{"type": "user"}, {"driver_name": "dmaengine"}])
async def test_a_queue_of_others_is_no_reason_to_refuse(keys: dict[str, str]) -> None:
    others = changed(**keys | ({"driver_name": "user"} if "type" in keys else {}))
    async with stepped(others) as platform:
        assert not platform.enabled
        assert [device.work_queues for device in platform.devices] == [[], []]


@pytest.mark.parametrize(
    ("options", "key"),
    [({"wqs": 9, "size": 8}, "dev"), ({"engines": 9}, "dev"), ({"wqs": 3, "size": 64}, "size")],
)
def test_more_than_a_device_has_is_refused(options: dict[str, int], key: str) -> None:
    (refused,) = written([device(1, **options)]).refused  # type: ignore[arg-type]  # sizes and counts
    assert refused.at and refused.at.key == key


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "no key in quotes"),
        ("", "nothing in it"),
        ('{"schema": "swaplab.machine/2"}', "'swaplab.machine/2'"),
        ("{}", "schema None"),
        ("3", "no list of devices"),
        ("[1, 2]", "no list of devices"),
        ('[{"dev": "iax"}]', ":1 dev: 'iax' is a template"),
        (
            '[{"dev": "iax1", "groups": [{"dev": "group1.0",\n "grouped_workqueues": [{"dev": "wq1"}]}]}]',
            ":2 dev: 'wq1'",
        ),
        ('{"schema": "swaplab.machine/1",\n"topology": {"cores": 4}, "devices": []}', ":2 topology.cores: Unexpected"),
        ('{"schema": "swaplab.machine/1",\n"devices": []}', ":1 topology: Field required"),
        ('{"schema": "swaplab.machine/1", "topology": {}}', "no list of devices"),
        ("[" * 100_000, "31 deep"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    assert cause in refused.value.cause and "bad.json" in refused.value.cause
    assert refused.value.remedy


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        load(tmp_path / "missing")
    assert refused.value.errno == 2
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigurationError, match="more than 1 MiB"):
        load(tmp_path / "sparse")
    (tmp_path / "wide").write_bytes("[]".encode("utf-16"))
    with pytest.raises(ConfigurationError, match="UTF-16"):
        load(tmp_path / "wide")


def test_bytes_that_are_no_utf_8_are_taken_in_comments_and_texts(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_bytes(SAVED.replace("[", "[ // pour l'acc\u00e9l\u00e9rateur\n", 1).encode("latin-1"))
    assert load(file).devices == changed().devices


# Presets.


def test_every_preset_is_a_machine_without_refusals() -> None:
    assert preset_names()[0] == "host"
    assert {"spr-2s-8iaa", "spr-2s-8iaa-1wq", "many-nodes"} < set(preset_names())
    for name in preset_names():
        assert accepted(preset(name)) == preset(name)
    with pytest.raises(ConfigurationError, match="no preset 'papre'"):
        preset("papre")


def test_the_paper_machine() -> None:
    paper = preset("spr-2s-8iaa")
    assert paper.topology.nr_cpus == 224
    assert [config.dev for config in paper.devices] == [f"iax{n}" for n in range(1, 16, 2)]
    assert [[wq.size for wq in config.work_queues] for config in paper.devices] == [[64, 64]] * 8
    assert all(config.engines_of(0) == list(range(8)) for config in paper.devices)
    assert [[wq.size for wq in config.work_queues] for config in preset("spr-2s-8iaa-1wq").devices] == [[128]] * 8


async def test_the_base_mapping_goes_wrong_on_many_nodes_and_patch_eight_mends_it() -> None:
    loads = []
    for features in (DriverFeatures.base(), DriverFeatures.v8()):
        async with stepped(preset("many-nodes"), features=features) as platform:
            table = platform.driver.tables.device_of_cpu
            loads.append([table.count(n) for n in range(8)])
    assert max(loads[0]) > 2 * min(loads[0])
    assert loads[1] == [48] * 8


def test_a_machine_file_survives() -> None:
    paper = preset("spr-2s-8iaa")
    assert parse(dump_machine(paper))[0] == paper
    empty = MachineConfig(paper.topology, [])
    assert parse(dump_machine(empty))[0] == empty


async def test_what_is_no_machine_is_refused() -> None:
    with acomp.registry():
        with pytest.raises(TypeError, match="a machine is"):
            async with Platform.open(3):  # type: ignore[arg-type]  # the mistake itself
                pass
        with pytest.raises(ValueError, match="alloc_pause_ns must be at least 0, not -1"):
            async with Platform.open(alloc_pause_ns=-1):
                pass
        built = machine()
        built.devices[0].engines = {}
        with pytest.raises(ConfigurationError, match="no engine"):
            async with Platform.open(built):
                pass
        with pytest.raises(ConfigurationError, match="Choose one of"):
            async with Platform.open(attributes={"sync_mode": "x"}):
                pass
        assert not acomp.crypto_has_acomp("deflate-iaa"), "nothing is left of a failed opening"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": 5}, r"engine .* WorkerThreads\(\), not int"),
        ({"engine": SteppedEngine}, "not the class SteppedEngine"),
        ({"features": "v8"}, r"features .* DriverFeatures\.v8\(\), .* not str"),
        ({"features": {4}}, r"DriverFeatures\.of\(4\).*, not set"),
        ({"attributes": "async"}, "attributes .* by name, .* not str"),
        ({"attributes": {"sync_mode": 1}}, "sync_mode is written as text, .* not int"),
        ({"attributes": {"g_wqs_per_iaa": None}}, "g_wqs_per_iaa is written as text, .* not NoneType"),
        ({"completion_timeout": "1"}, "completion_timeout is a number of seconds, not str"),
        ({"completion_timeout": True}, "completion_timeout is a number of seconds, not bool"),
        ({"alloc_pause_ns": 1.5}, "alloc_pause_ns is an int, .* not float"),
        ({"batch_size": True}, "batch_size is an int, in requests per chain, not bool"),
    ],
)
async def test_wrong_types_are_refused_with_the_remedy(options: dict[str, Any], said: str) -> None:
    with acomp.registry():
        with pytest.raises(TypeError, match=said):
            async with Platform.open(**options):
                pass
        assert not acomp.crypto_has_acomp("deflate-iaa")


@pytest.mark.parametrize("timeout", [0, -1.0, float("inf"), float("nan")])
async def test_a_completion_timeout_is_a_bound(timeout: float) -> None:
    with acomp.registry(), pytest.raises(ValueError, match=r"completion_timeout must be positive and finite"):
        async with Platform.open(completion_timeout=timeout):
            pass


@pytest.mark.parametrize("batch_size", [0, 129])
async def test_a_batch_is_no_longer_than_a_device_has_descriptors(batch_size: int) -> None:
    with acomp.registry(), pytest.raises(ValueError, match=f"batch_size must be 1 to 128, .* not {batch_size}"):
        async with Platform.open(batch_size=batch_size):
            pass


@pytest.mark.parametrize("options", [{"cores_per_package": 0}, {"packages": 2, "numa_nodes": 3}, {"wqs_per_device": 9}])
def test_machines_that_cannot_be_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        machine(**options)  # type: ignore[arg-type]  # counts


# Features.


@pytest.mark.parametrize("patch", PATCHES)
def test_what_a_patch_needs_comes_with_it_and_cannot_be_left_out(patch: int) -> None:
    features = DriverFeatures.of(patch)
    assert features.patches == {patch} | NEEDS.get(patch, frozenset())
    for need in NEEDS.get(patch, ()):
        with pytest.raises(ConfigurationError, match=f"patch {patch} .* cannot be without patch {need}"):
            features.without(need)
    assert DriverFeatures.base().with_patches(*PATCHES) == DriverFeatures.v8()
    with pytest.raises(ConfigurationError, match="no driver patch 12"):
        DriverFeatures.of(12)


def test_a_set_of_patches_is_made_by_its_constructors() -> None:
    with pytest.raises(TypeError, match=r"DriverFeatures\.of\(4, 9\)"):
        DriverFeatures({4, 9})  # type: ignore[arg-type]  # the mistake itself


def test_the_names_of_the_two_sets() -> None:
    assert (str(DriverFeatures.v8()), str(DriverFeatures.base())) == ("v8", "base")
    assert str(DriverFeatures.of(9)) == "base+8+9"
    assert MachineConfig(topology=preset("spr-2s-8iaa").topology, devices=[]).devices == []
