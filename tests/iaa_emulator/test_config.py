"""The JSON of accel-config, machine files and presets: what is read, written again, and refused."""

import json
from pathlib import Path
from typing import Any

import pytest

import acomp
from iaa_emulator import ConfigurationError, DriverFeatures, MachineConfig, Platform, machine, preset, preset_names
from iaa_emulator.driver.features import NEEDS, PATCHES
from iaa_emulator.hardware.config import DeviceConfig, check, device, dump_devices, load, parse, parse_devices, refusals
from iaa_emulator.testing import SteppedEngine
from tests.iaa_emulator.rig import TEXT, Single, stepped

SAVED = """[
  {
    "dev":"dsa0",
    "groups":[]
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
            "max_batch_size":32,
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
  { "dev":"iax1", "groups":[] }
]"""


def saved(**changes: Any) -> list[DeviceConfig]:
    """The saved iax3, with its queue changed."""
    (config,) = [found for found in parse_devices(json.loads(SAVED)) if found.dev == "iax3"]
    for name, value in changes.items():
        setattr(config.groups[0].grouped_workqueues[0], name, value)
    return [config]


def test_what_accel_config_saves_is_read_in_probe_order_and_written_again() -> None:
    devices = parse_devices(json.loads(SAVED))
    assert [config.dev for config in devices] == ["iax1", "iax3"], "by id; the dsa device is not ours"
    written = json.loads(dump_devices(devices))
    queue = written[1]["groups"][0]["grouped_workqueues"][0]
    original = json.loads(SAVED)[1]["groups"][0]["grouped_workqueues"][0]
    assert {name: queue[name] for name in original} == original
    assert written[1]["read_buffer_limit"] == 0, "keys we do not use are kept"
    assert parse_devices(written) == devices


async def test_a_saved_file_opens_as_a_platform(tmp_path: Path) -> None:
    file = tmp_path / "saved.conf"
    file.write_text(SAVED)
    with acomp.registry():
        async with Platform.open(file, engine=SteppedEngine(auto=True)) as platform:
            assert [found.name for found in platform.devices] == ["iax1", "iax3"]
            assert platform.devices[1].compress_engines == 1, "the kernel's default assigns engine 0 only"
            assert await Single().compress(TEXT) == 0


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"size": 129}, 22, "129 slots together"),
    ({"size": -1}, 22, "has the size -1"),
    ({"priority": 0}, 22, "priority 0"),
    ({"priority": 16}, 22, "priority 16"),
    ({"mode": "shared"}, 22, "threshold 0"),
    ({"mode": "shared", "threshold": 129}, 22, "threshold 129"),
    ({"max_transfer_size": (2 << 30) + 1}, 22, "max_transfer_size of 2147483649 bytes"),
    ({"group_id": 1}, 22, "says group 1 and is listed in group 0"),
    ({"threshold": 3}, 22, "dedicated and has a threshold"),
    ({"name": ""}, 22, "has no name"),
    ({"type": "user"}, 19, "type 'user'"),
    ({"driver_name": "dmaengine"}, 19, "driver name 'dmaengine'"),
    ({"dev": "wq3.8"}, 6, "has no wq3.8"),
    ({"dev": "wq1.0"}, 6, "not of iax3"),
]


@pytest.mark.parametrize(("changes", "code", "cause"), REFUSED, ids=[str(case[0]) for case in REFUSED])
def test_what_the_kernel_refuses_is_refused(changes: dict[str, Any], code: int, cause: str) -> None:
    assert list(refusals(saved())) == []
    (refusal,) = refusals(saved(**changes))
    assert (refusal.errno, cause in refusal.cause, bool(refusal.remedy)) == (code, True, True)
    assert refusal.cause in str(refusal) and refusal.remedy in str(refusal)
    with pytest.raises(ConfigurationError):
        check(saved(**changes))


def test_queues_without_engines_or_group_are_refused() -> None:
    (config,) = saved()
    config.groups[0].grouped_engines = []
    assert [refusal.cause for refusal in refusals([config])] == ["the group of iax3/wq3.0 has no engine"]
    (config,) = saved()
    config.ungrouped_workqueues = config.groups[0].grouped_workqueues
    config.groups[0].grouped_workqueues = []
    assert [refusal.cause for refusal in refusals([config])] == ["iax3/wq3.0 is in no group"]


def test_names_given_twice_are_refused() -> None:
    assert [refusal.errno for refusal in refusals(saved() + saved())] == [17]
    (config,) = saved()
    config.groups[0].grouped_workqueues = [
        found.model_copy(update={"size": 64}) for found in config.groups[0].grouped_workqueues * 2
    ]
    assert [refusal.cause for refusal in refusals([config])] == ["iax3 has wq3.0 twice"]


@pytest.mark.parametrize("options", [{"wqs": 9, "size": 8}, {"engines": 9}, {"wqs": 3, "size": 64}])
def test_more_than_a_device_has_is_refused(options: dict[str, int]) -> None:
    assert list(refusals([device(1, **options)]))  # type: ignore[arg-type]  # sizes and counts


def test_a_device_of_another_kind_is_refused() -> None:
    assert [refusal.errno for refusal in refusals([DeviceConfig(dev="dsa0")])] == [19]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "not JSON"),
        ('{"schema": "swaplab.machine/2"}', "'swaplab.machine/2'"),
        ("{}", "schema None"),
        ("3", "at the top level"),
        ('[{"dev": "iax"}]', "at dev"),
        ('[{"dev": "iax1", "groups": [{"dev": "group1.0", "grouped_workqueues": [{"dev": "wq1"}]}]}]', "at groups.0"),
        ('{"schema": "swaplab.machine/1", "topology": {"cores": 4}, "devices": []}', "at topology.cores"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    assert cause in refused.value.cause
    assert refused.value.remedy


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        load(tmp_path / "missing")
    assert refused.value.errno == 2


# Presets.


def test_every_preset_is_a_machine_without_refusals() -> None:
    assert preset_names()[0] == "host"
    assert {"spr-2s-8iaa", "spr-2s-8iaa-1wq", "many-nodes"} < set(preset_names())
    for name in preset_names():
        assert list(refusals(preset(name).devices)) == []
    with pytest.raises(ConfigurationError, match="no preset 'papre'"):
        preset("papre")


def test_the_paper_machine() -> None:
    paper = preset("spr-2s-8iaa")
    assert paper.topology.nr_cpus == 224
    assert [config.dev for config in paper.devices] == [f"iax{n}" for n in range(1, 16, 2)]
    assert [[wq.size for wq in config.work_queues()] for config in paper.devices] == [[64, 64]] * 8
    assert all(config.engines_of(0) == list(range(8)) for config in paper.devices)
    assert [[wq.size for wq in config.work_queues()] for config in preset("spr-2s-8iaa-1wq").devices] == [[128]] * 8


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
    assert parse(json.loads(paper.model_dump_json(by_alias=True))) == paper


async def test_what_is_no_machine_is_refused() -> None:
    with acomp.registry():
        with pytest.raises(TypeError, match="a machine is"):
            async with Platform.open(3):  # type: ignore[arg-type]  # the mistake itself
                pass
        with pytest.raises(ValueError, match="alloc_pause_ns must be at least 0, not -1"):
            async with Platform.open(alloc_pause_ns=-1):
                pass
        built = machine()
        built.devices[0].groups[0].grouped_engines = []
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
