"""Loading as a sequence of writes: what fails is told and passed by, what is left is judged, what is written loads."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iaa_emulator import ConfigurationError, DeviceConfig
from iaa_emulator.hardware.config import WORK_QUEUE_SLOTS, WorkQueueConfig
from iaa_emulator.hardware.load_config import Loaded
from iaa_emulator.hardware.machine import accepted, machine, parse, written
from iaa_emulator.hardware.outcomes import Outcome, judge
from iaa_emulator.hardware.save_config import dump_devices

GOOD = {
    "mode": "dedicated",
    "size": 16,
    "group_id": 0,
    "priority": 10,
    "type": "kernel",
    "name": "iaa_crypto",
    "driver_name": "crypto",
}


def document(*queues: dict[str, Any], dev: str = "iax1", **of_device: Any) -> str:
    """One device with these queues, named in their order unless they have a name, and one engine; a key per line."""
    number = dev[3:]
    named = [{"dev": f"wq{number}.{n}"} | queue for n, queue in enumerate(queues)]
    group = {
        "dev": f"group{number}.0",
        "grouped_engines": [{"dev": f"engine{number}.0", "group_id": 0}],
        **({"grouped_workqueues": named} if named else {}),
    }
    return json.dumps([{"dev": dev, **of_device, "groups": [group]}], indent=1)


def load(text: str) -> Loaded:
    return parse(text)[1]


def outcomes(loaded: Loaded) -> dict[str, Outcome]:
    return {found.queue: found.outcome for found in judge(loaded).queues}


def said(errors: Sequence[ConfigurationError]) -> list[tuple[str, str]]:
    return [(error.at.object, error.at.key) for error in errors if error.at]


def test_every_failing_write_is_told_and_the_old_value_stays() -> None:
    bad = GOOD | {"priority": 16, "mode": "exclusive", "size": -1, "block_on_fault": 2, "name": 3, "type": "mdev"}
    loaded = load(document(GOOD, bad))
    keys = ["mode", "size", "priority", "type", "name", "block_on_fault"]
    assert said(loaded.refused) == [("wq1.1", key) for key in keys], "in file order"
    assert all(error.at and error.at.line and error.remedy for error in loaded.refused)
    left = WorkQueueConfig("wq1.1", group_id=0, driver_name="crypto")
    assert loaded.devices[0].work_queues[1] == left
    assert outcomes(loaded) == {"wq1.0": Outcome.DRIVER, "wq1.1": Outcome.IMPOSSIBLE}
    (_, found) = judge(loaded).queues
    assert {"mode", "priority", "name"} <= {error.at.key for error in found.causes if error.at}
    assert len(found.causes) == len({error.at for error in found.causes}), "what a failing write explains comes once"


@pytest.mark.parametrize(
    ("queue", "keys"),
    [
        ({"size": 16.0}, ["size"]),
        ({"size": True}, ["size"]),
        ({"size": None}, ["size"]),
        ({"size": {"of": 3}}, ["size"]),
        ({"size": 10**30}, ["size"]),
        ({"driver_name": ["crypto"]}, ["driver_name"]),
        ({"enqcmds_retries": 65}, ["enqcmds_retries"]),
    ],
)
def test_values_that_are_no_values(queue: dict[str, Any], keys: list[str]) -> None:
    loaded = load(document(GOOD | queue))
    assert [error.at.key for error in loaded.refused if error.at] == keys


def test_a_threshold_that_a_later_size_undercuts_cannot_be_enabled() -> None:
    text = document({**GOOD, "mode": "shared", "threshold": 8}, {"dev": "wq1.0", "size": 4})
    assert said(judge(load(text)).refusals) == [("wq1.0", "threshold")]


def test_a_queue_without_a_size_takes_what_the_kernel_gives_it() -> None:
    loaded = load(document({key: value for key, value in GOOD.items() if key != "size"}))
    (wq,) = judge(loaded).devices[0].work_queues
    assert (wq.size, wq.nr_descriptors) == (0, 16)
    assert any("16 descriptors" in advice.text for advice in judge(loaded).advice)


def advice_on(text: str) -> list[tuple[str, str, str]]:
    return [(said.at.object, said.at.key, said.text) for said in judge(load(text)).advice if said.at]


@pytest.mark.parametrize(
    ("value", "taken", "advised"),
    [
        (0, False, False),
        (1, True, False),
        (False, False, False),
        ("0", False, True),
        ("1", True, True),
        ("no", None, True),
        (2, None, True),
        (None, None, True),
        ([0], None, True),
    ],
)
def test_what_a_file_says_of_pasid(value: Any, taken: bool | None, advised: bool) -> None:
    text = document(GOOD, pasid_enabled=value)
    assert load(text).devices[0].pasid_enabled is taken
    assert ("iax1", "pasid_enabled", "pasid_enabled of iax1 is 0 or 1. Write it as a number.") in advice_on(
        text
    ) or not advised
    assert bool(advice_on(text)) is advised


def test_sizes_by_default_that_come_to_more_than_the_device_has() -> None:
    unsized = {key: value for key, value in GOOD.items() if key != "size"}
    (first, *_) = advice_on(document(GOOD | {"size": 120}, unsized))
    assert first[:2] == ("wq1.1", "size") and "gets 16 descriptors" in first[2]
    assert [text for *_, text in advice_on(document(GOOD | {"size": 120}, unsized)) if "come to 136" in text]
    assert not [text for *_, text in advice_on(document(GOOD | {"size": 112}, unsized)) if "come to" in text]


def test_a_priority_of_somebody_elses_queue_that_keeps_the_device_from_being_enabled() -> None:
    user = {"mode": "dedicated", "size": 16, "group_id": 0, "priority": 0, "type": "user", "driver_name": "user"}
    ((name, key, text),) = advice_on(document(GOOD, user))
    assert (name, key) == ("wq1.1", "priority") and "may not be enabled" in text and "1 to 15" in text
    assert advice_on(document(GOOD, user | {"priority": 1})) == []
    ungrouped = advice_on(document(GOOD, user | {"group_id": -1}))
    assert [key for _, key, _ in ungrouped] == ["group_id"], "what is in no group is not enabled"
    assert outcomes(load(document(GOOD, user)))["wq1.0"] is Outcome.DRIVER


NAMES = [
    ("iaxX", "replace 'X'"),
    ("iax<N>", "replace '<N>'"),
    ("iax", "complete it"),
    ("iax" + "9" * 5000, "`accel-config list` shows"),
    ("iax00", "`accel-config list` shows"),
    ("iax01", "name it with 1 instead of 01"),
    ("wq01.0", "name it with 1 instead of 01"),
    ("qat1", "name it as in iax1"),
    ("wq1.9", "numbered from 0"),
    ("wq1." + "9" * 5000, "numbered from 0"),
    ("wq1.x", "numbered from 0"),
    ("engine1.8", "numbered from 0"),
    ("group1.4", "numbered from 0"),
    ("wq7.0", "number of its device"),
    ("wqX.0", "replace 'X'"),
    ("", "name it as in iax1"),
]


@pytest.mark.parametrize(("name", "remedy"), NAMES, ids=[name[:8] for name, _ in NAMES])
def test_names_of_nothing_are_refused_and_the_others_go_on(name: str, remedy: str) -> None:
    good = json.loads(document(GOOD))
    good[0]["groups"].append({"dev": name})
    loaded = load(json.dumps(good, indent=1))
    (refused,) = loaded.refused
    assert remedy in refused.remedy[0].lower() + refused.remedy[1:]
    assert outcomes(loaded)["wq1.0"] is Outcome.DRIVER


@pytest.mark.parametrize("item", ["7", "null", '{"groups": 3}', '{"dev": 3}', '"iax1"'])
def test_what_has_no_name_is_refused(item: str) -> None:
    loaded = load(f'[{{"dev": "iax1"}},\n{item}]')
    (refused,) = loaded.refused
    assert refused.at and refused.at.key == "dev" and refused.at.line == 2


def test_the_devices_of_a_file_are_there_before_it_is_written() -> None:
    """Nesting means nothing: a queue may stand in another device's object, before its own device comes."""
    strayed = document({**GOOD, "dev": "wq3.0"}, dev="iax1")
    other = document(dev="iax3")
    loaded = load(json.dumps(json.loads(strayed) + json.loads(other)))
    assert [(device.dev, len(device.work_queues)) for device in loaded.devices] == [("iax1", 0), ("iax3", 1)]
    assert outcomes(loaded) == {"wq3.0": Outcome.DRIVER}


def test_nothing_of_a_dsa_device_is_judged_but_empty_lists() -> None:
    text = document({"dev": "wq0.0", "size": 999, "priority": -3, "nonsense": 1}, {"dev": "wq0.0"}, dev="dsa0")
    loaded = load(text)
    assert (loaded.refused, loaded.advice, loaded.devices) == ([], [], [])
    assert [(found.device, found.queue, found.outcome) for found in judge(loaded).queues] == [
        ("dsa0", "wq0.0", Outcome.OTHER)
    ]
    assert len(load('[{"dev": "dsa0", "groups": []}]').refused) == 1


OWNERS = [
    ({"type": "user", "driver_name": "user"}, Outcome.OTHER),
    ({"type": "user"}, Outcome.OTHER),
    ({"type": "kernel", "driver_name": "dmaengine"}, Outcome.OTHER),
    ({"type": "kernel", "driver_name": "iaa_crypto"}, Outcome.OTHER),
    ({"type": "kernel"}, Outcome.IMPOSSIBLE),
    ({"type": "user", "driver_name": "crypto"}, Outcome.DRIVER),
    ({"driver_name": "crypto"}, Outcome.DRIVER),
]


@pytest.mark.parametrize(("keys", "outcome"), OWNERS, ids=[str(keys) for keys, _ in OWNERS])
def test_whose_a_queue_is(keys: dict[str, str], outcome: Outcome) -> None:
    common = {"mode": "dedicated", "size": 16, "group_id": 0, "priority": 10}
    loaded = load(document({**common, **keys, "name": "mine"}))
    assert outcomes(loaded) == {"wq1.0": outcome}
    told = [advice.at.key for advice in judge(loaded).advice if advice.at]
    assert ("type" in told) == (outcome is Outcome.DRIVER)


def test_unknown_keys_are_advice_and_those_that_saved_files_have_are_none() -> None:
    known = {"ats_disable": 0, "op_config": "0", "max_groups": 4}
    loaded = load(document(GOOD | known, gen_cap="0x71f10901f0105", pasid_enabled=1, numa_node=0))
    assert [(advice.at.key if advice.at else "") for advice in loaded.advice] == ["max_groups"], "not of a queue"
    loaded = load(document({**GOOD, "piority": 3}, max_engines=4, read_buffer_limit=0))
    assert [advice.at.key for advice in loaded.advice if advice.at] == ["max_engines", "piority"]
    assert judge(loaded).loads


# What we write.


@pytest.mark.parametrize("mode", ["dedicated", "shared"])
def test_what_is_written_loads(mode: Any) -> None:
    built = machine(devices=3, wqs_per_device=2, mode=mode)
    built.devices[1].work_queues[1].group_id = 1
    built.devices[1].engines = {0: 0, 1: 1}
    built.devices[2].work_queues.append(WorkQueueConfig("wq5.5"))
    text = dump_devices(built.devices)
    assert "[]" not in text and "max_batch_size" not in text
    again, loaded = parse(text)
    assert (loaded.refused, again.devices) == ([], built.devices)
    assert judge(loaded).refusals == ()


@pytest.mark.parametrize("group", [0, -1])
def test_a_shared_queue_with_a_threshold_and_no_size_is_written_with_the_size_that_it_gets(group: int) -> None:
    built = machine(devices=1)
    (wq,) = built.devices[0].work_queues
    wq.mode, wq.threshold, wq.size, wq.group_id = "shared", 8, 0, group
    (device,) = parse(dump_devices(built.devices))[1].devices
    assert (device.work_queues[0].size, device.work_queues[0].threshold) == (16, 8)
    assert load(dump_devices(built.devices)).refused == []


def test_nothing_is_not_written() -> None:
    with pytest.raises(ValueError, match="needs a device"):
        dump_devices([])


WRITES = st.lists(
    st.one_of(
        st.tuples(st.just("mode"), st.sampled_from(["shared", "dedicated"])),
        st.tuples(st.just("type"), st.sampled_from(["none", "kernel", "user"])),
        st.tuples(st.sampled_from(["name", "driver_name"]), st.sampled_from(["", "crypto", "other"])),
        st.tuples(st.just("size"), st.integers(-1, 130)),
        st.tuples(st.just("threshold"), st.integers(0, 20)),
        st.tuples(st.sampled_from(["priority", "group_id"]), st.integers(-2, 16)),
        st.tuples(st.sampled_from(["block_on_fault", "prs_disable"]), st.integers(0, 2)),
        st.tuples(st.just("max_transfer_size"), st.sampled_from([0, 1, 3, 4096, 2 << 30, (2 << 30) + 1])),
    ),
    max_size=14,
)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 2), WRITES), max_size=5))
def test_whatever_was_written_is_reached_again_from_what_is_saved(queues: list[tuple[int, Any]]) -> None:
    loaded = load(document(*({"dev": f"wq1.{n}", **dict(writes)} for n, writes in queues)))
    (device,) = loaded.devices
    assert sum(wq.size for wq in device.work_queues) <= WORK_QUEUE_SLOTS
    for wq in device.work_queues:
        assert not (wq.mode == "dedicated" and wq.threshold)
        assert not (wq.prs_disable and wq.block_on_fault)
        if wq.mode == "shared" and wq.threshold > wq.size:
            return  # a size that came later undercuts it: such a queue is impossible, and need not load
    again = written([device])
    assert (again.refused, again.devices) == ([], [device])


@given(st.text(alphabet='{}[],:"iaxwqX0123456789. \n', max_size=60))
def test_any_file_is_judged_or_refused(noise: str) -> None:
    text = document(GOOD)
    with contextlib.suppress(ConfigurationError):
        loaded = load(text[: len(noise) * 5] + noise + text[len(noise) * 5 :])
        assert all(error.at and error.at.line for error in judge(loaded).refusals)


def test_a_machine_built_in_python_goes_the_same_way() -> None:
    built = machine(devices=2)
    built.devices[0].work_queues[0].max_transfer_size = 3
    assert accepted(built).devices[0].work_queues[0].max_transfer_size == 4
    built.devices[0].work_queues[0].size = 200
    with pytest.raises(ConfigurationError, match="200 descriptors together"):
        accepted(built)


MISNAMED = [
    ([DeviceConfig("iax1"), DeviceConfig("iax1")], 17, "iax1 is configured twice"),
    ([DeviceConfig("iax1", [WorkQueueConfig("wq1.0"), WorkQueueConfig("wq1.0")])], 17, "wq1.0 is configured twice"),
    ([DeviceConfig("dsa0")], 19, "dsa0 is not an IAA device"),
    ([DeviceConfig("iax1", [WorkQueueConfig("wq3.0")]), DeviceConfig("iax3")], 6, "wq3.0 is not of iax1"),
    ([DeviceConfig("iax1", [WorkQueueConfig("wq1.8")])], 6, "iax1 has no wq1.8"),
    ([DeviceConfig("iaxX")], 19, "'iaxX' is a template's name"),
]


@pytest.mark.parametrize(("devices", "code", "cause"), MISNAMED, ids=[cause for _, _, cause in MISNAMED])
def test_names_that_a_file_would_take_for_another_objects(devices: list[DeviceConfig], code: int, cause: str) -> None:
    with pytest.raises(ConfigurationError, match=cause) as refused:
        raise written(devices).refused[0]
    assert refused.value.errno == code
