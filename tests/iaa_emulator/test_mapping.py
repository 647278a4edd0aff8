"""Which queue a cpu's jobs go to: examples worked by hand (docs/kernel.md#mapping), and the cases beside them."""

from collections.abc import Iterable

import pytest

from iaa_emulator import Device, Topology, machine
from iaa_emulator.driver.mapping import WqTables, base_cpu_to_device, package_cpu_to_device
from iaa_emulator.hardware.machine import device

PAPER = Topology(packages=2, cores_per_package=56, threads_per_core=2, numa_nodes=2)
MANY_NODES = Topology(packages=2, cores_per_package=96, threads_per_core=2, numa_nodes=6)


def spans(table: list[int]) -> list[tuple[int, int, int]]:
    """Runs of equal values as (first cpu, last cpu, value)."""
    runs: list[tuple[int, int, int]] = []
    for cpu, value in enumerate(table):
        if runs and runs[-1][2] == value:
            runs[-1] = (runs[-1][0], cpu, value)
        else:
            runs.append((cpu, cpu, value))
    return runs


def package_spans(devices: int) -> list[tuple[int, int, int]]:
    return spans([package_cpu_to_device(PAPER, cpu, devices) for cpu in range(PAPER.nr_cpus)])


def bound_one_by_one(
    topology: Topology, devices: int, wqs: int, *, g: int = 0, consecutive: int = 1, by_package: bool = True
) -> tuple[WqTables, list[Device]]:
    """Tables after every queue of every device was bound, one at a time, in device order."""
    tables = WqTables(topology, by_package=by_package, g_wqs_per_iaa=g, g_consec_descs_per_gwq=consecutive)
    listed: list[Device] = []
    for config in machine(devices=devices, wqs_per_device=wqs).devices:
        built = Device(config)
        for wq in built.work_queues:
            if not built.bound_queues:
                listed.append(built)
            built.bound_queues.append(wq)
            wq.bound = True
            tables.rebalance(listed)
    return tables, listed


def jobs(tables: WqTables, cpu: int, count: int) -> list[str]:
    return [wq.name for _ in range(count) if (wq := tables.next_for_compress(cpu)) is not None]


def names(queues: Iterable[object]) -> list[str]:
    return [wq.name for wq in queues]  # type: ignore[attr-defined]  # work queues


# The package map, worked by hand for 8, 2, 1 and 3 devices.


def test_eight_devices_serve_fourteen_cores_each_and_their_siblings() -> None:
    one_thread = [(14 * n, 14 * n + 13, n) for n in range(8)]
    assert package_spans(8) == one_thread + [(first + 112, last + 112, n) for first, last, n in one_thread]


def test_one_device_per_package() -> None:
    assert package_spans(2) == [(0, 55, 0), (56, 111, 1), (112, 167, 0), (168, 223, 1)]


def test_one_device_in_all() -> None:
    assert package_spans(1) == [(0, 223, 0)]


def test_three_devices() -> None:
    first_threads = [(0, 36, 0), (37, 92, 1), (93, 111, 2)]
    assert package_spans(3) == first_threads + [(first + 112, last + 112, n) for first, last, n in first_threads]


def test_without_devices_every_cpu_is_at_zero() -> None:
    assert package_spans(0) == [(0, 223, 0)]


@pytest.mark.parametrize("devices", [1, 2, 3, 4, 8])
def test_siblings_are_mapped_like_their_cores(devices: int) -> None:
    table = [package_cpu_to_device(PAPER, cpu, devices) for cpu in range(PAPER.nr_cpus)]
    assert table[:112] == table[112:]


# The base map.


def test_the_base_gives_twenty_eight_neighbours_to_a_device() -> None:
    assert spans(base_cpu_to_device(PAPER, 8)) == [
        (0, 27, 0),
        (28, 55, 1),
        (56, 83, 4),
        (84, 111, 5),
        (112, 139, 2),
        (140, 167, 3),
        (168, 195, 6),
        (196, 223, 7),
    ]


def test_the_base_with_one_device() -> None:
    assert base_cpu_to_device(PAPER, 1) == [0] * 224


def test_more_nodes_than_packages_over_subscribe_the_first_device() -> None:
    table = base_cpu_to_device(MANY_NODES, 8)
    load = [table.count(n) for n in range(8)]
    assert sum(load) == 384
    assert load[0] > 3 * min(load), "what is left over falls to the first device"
    fair = [package_cpu_to_device(MANY_NODES, cpu, 8) for cpu in range(384)]
    assert [fair.count(n) for n in range(8)] == [48] * 8, "patch 8 mends it"


def test_the_first_of_two_jobs_goes_to_the_second_queue() -> None:
    for by_package in (False, True):
        tables, _ = bound_one_by_one(PAPER, 8, 2, by_package=by_package)
        assert jobs(tables, 0, 4) == ["wq1.1", "wq1.0", "wq1.1", "wq1.0"]


# Local and global queues.


@pytest.mark.parametrize(("wqs", "g", "local"), [(1, 0, 1), (2, 0, 2), (2, 1, 1), (4, 1, 1), (4, 3, 1), (4, -1, 4)])
def test_the_split_of_queues_bound_one_at_a_time(wqs: int, g: int, local: int) -> None:
    _, devices = bound_one_by_one(PAPER, 8, wqs, g=g)
    for built in devices:
        assert [wq.mapped for wq in built.bound_queues] == ["local"] * local + ["global"] * (wqs - local)


def test_with_two_queues_each_job_goes_to_the_next_device_from_the_nearest_on() -> None:
    tables, _ = bound_one_by_one(PAPER, 8, 2, g=1)
    assert jobs(tables, 0, 8) == ["wq1.1", "wq3.1", "wq5.1", "wq7.1"] * 2
    assert jobs(tables, 14, 3) == ["wq3.1", "wq5.1", "wq7.1"]
    assert jobs(tables, 42 + 112, 2) == ["wq7.1", "wq1.1"], "wrapped around"
    assert jobs(tables, 56, 2) == ["wq9.1", "wq11.1"], "the other package"
    assert [tables.next_local(14).name for _ in range(2)] == ["wq3.0"] * 2  # type: ignore[union-attr]  # there is one


def test_consecutive_jobs_stay_on_one_queue() -> None:
    tables, _ = bound_one_by_one(PAPER, 8, 2, g=1, consecutive=3)
    assert jobs(tables, 0, 8) == ["wq1.1"] * 3 + ["wq3.1"] * 3 + ["wq5.1"] * 2


@pytest.mark.parametrize(("consecutive", "first"), [(0, "wq3.1"), (-1, "wq1.1")])
def test_nonsense_for_consecutive_never_rotates(consecutive: int, first: str) -> None:
    tables, _ = bound_one_by_one(PAPER, 8, 2, g=1, consecutive=consecutive)
    assert jobs(tables, 0, 5) == [first] * 5


def test_several_global_queues_of_a_device_are_adjacent() -> None:
    """Rotation moves to the next entry, maybe the same device's, and starts are not the nearest."""
    tables, _ = bound_one_by_one(PAPER, 8, 4, g=1)
    assert names(tables.package_table(0))[:4] == ["wq1.1", "wq1.2", "wq1.3", "wq3.1"]
    assert jobs(tables, 14, 3) == ["wq1.2", "wq1.3", "wq3.1"], "cpu 14 is mapped to iax3 and starts at iax1"
    assert jobs(tables, 42, 2) == ["wq3.1", "wq3.2"], "cpu 42 is mapped to iax7"


def test_a_start_at_each_devices_own_queues_when_the_value_says_how_many() -> None:
    tables, _ = bound_one_by_one(PAPER, 8, 4, g=3)
    assert [jobs(tables, cpu, 1)[0] for cpu in (0, 14, 28, 42)] == ["wq1.1", "wq3.1", "wq5.1", "wq7.1"]
    tables, _ = bound_one_by_one(PAPER, 8, 2, g=3)
    assert jobs(tables, 28, 1) == ["wq1.1"], "beyond the table: its first entry"


def test_without_global_queues_compress_and_decompress_share_a_cursor() -> None:
    tables, _ = bound_one_by_one(PAPER, 8, 2)
    assert [tables.next_for_compress(0).name, tables.next_local(0).name] == ["wq1.1", "wq1.0"]  # type: ignore[union-attr]
    tables, _ = bound_one_by_one(PAPER, 8, 3, g=1)
    assert [tables.next_for_compress(0).name, tables.next_local(0).name] == ["wq1.1", "wq1.0"]  # type: ignore[union-attr]


def test_a_third_device_of_two_packages_is_in_no_package_table() -> None:
    """Its global queues are never used, though cpus are mapped to it locally."""
    tables, _ = bound_one_by_one(PAPER, 3, 2, g=1)
    assert names(tables.package_table(0)) == ["wq1.1"]
    assert names(tables.package_table(56)) == ["wq3.1"]
    assert tables.device_of_cpu[111] == 2
    assert names(tables.local_table(111)) == ["wq5.0"]


def test_one_device_in_all_leaves_the_second_package_the_local_rule() -> None:
    """Package 1 compresses on wq.0 of the only device."""
    tables, _ = bound_one_by_one(PAPER, 1, 2, g=1)
    assert jobs(tables, 0, 2) == ["wq1.1"] * 2
    assert jobs(tables, 56, 2) == ["wq1.0"] * 2


def test_a_rebalance_resets_cursors_but_not_the_consecutive_count() -> None:
    """With the count at its limit, the first compression after a rebalance uses start + 1."""
    tables, devices = bound_one_by_one(PAPER, 8, 2, g=1)
    assert jobs(tables, 0, 1) == ["wq1.1"]
    tables.rebalance(devices)
    assert jobs(tables, 0, 1) == ["wq3.1"]
    assert jobs(tables, 1, 1) == ["wq1.1"]


def test_a_rebalance_resets_the_local_cursor() -> None:
    tables, devices = bound_one_by_one(PAPER, 8, 2)
    assert jobs(tables, 0, 1) == ["wq1.1"]
    tables.rebalance(devices)
    assert jobs(tables, 0, 1) == ["wq1.1"]


def test_devices_bound_one_by_one_are_assigned_wrongly_until_all_are_there() -> None:
    """The second device of socket 0 serves package 1 for a while."""
    tables, devices = bound_one_by_one(PAPER, 8, 1)
    tables.rebalance(devices[:2])
    assert names(tables.local_table(56)) == ["wq3.0"]
    tables.rebalance(devices)
    assert names(tables.local_table(56)) == ["wq9.0"]


def test_numbering_that_is_not_in_blocks_gets_the_package_of_the_strides_first_cpu() -> None:
    interleaved = Topology(packages=2, cores_per_package=4, numa_nodes=2, numbering="interleaved")
    assert [interleaved.package_of(cpu) for cpu in range(8)] == [0, 1] * 4
    tables, _ = bound_one_by_one(interleaved, 2, 2, g=1)
    assert [names(tables.package_table(cpu)) for cpu in range(8)] == [["wq1.1"]] * 8, "cpu 4 begins in package 0 too"


def test_a_removed_queue_leaves_the_tables_and_a_device_is_split_afresh() -> None:
    tables, devices = bound_one_by_one(PAPER, 2, 2, g=1)
    local, global_ = devices[0].bound_queues
    devices[0].bound_queues.remove(local)
    tables.rebalance(devices)
    assert global_.mapped == "local"
    assert jobs(tables, 0, 2) == ["wq1.1"] * 2, "no global queue is left in the package: the local rule"
    local.mapped = None
    devices[0].bound_queues.append(local)
    tables.rebalance(devices)
    assert [wq.mapped for wq in (global_, local)] == ["local", "global"], "it may change sides, as in the kernel"


def test_a_cpu_that_the_machine_does_not_have_gets_no_queue() -> None:
    tables, _ = bound_one_by_one(PAPER, 2, 1)
    assert tables.next_for_compress(224) is None
    assert tables.next_local(224) is None


def test_numbering_and_nodes_of_the_test_machine() -> None:
    assert [PAPER.package_of(cpu) for cpu in (0, 55, 56, 111, 112, 167, 168, 223)] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert PAPER.cpus_of_node(0) == [*range(56), *range(112, 168)]
    assert MANY_NODES.cpus_of_node(1) == [*range(32, 64), *range(224, 256)]
    assert sorted(cpu for node in range(6) for cpu in MANY_NODES.cpus_of_node(node)) == list(range(384))


@pytest.mark.parametrize("nodes", [1, 3, 12])
def test_nodes_that_do_not_divide_are_refused(nodes: int) -> None:
    with pytest.raises(ValueError, match="do not divide"):
        Topology(packages=2, cores_per_package=8, numa_nodes=nodes)


def test_a_device_compresses_on_two_of_eight_engines() -> None:
    assert [Device(device(1, engines=n)).compress_engines for n in (1, 2, 8)] == [1, 2, 2]
