"""The tables against a second transcription of the formulas, and I7 of docs/invariants.md, over random machines."""

import asyncio
from collections import Counter
from errno import EAGAIN

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import acomp
from acomp import cpu
from iaa_emulator import Platform, Topology, machine
from iaa_emulator.driver.mapping import WqTables
from iaa_emulator.testing import SteppedEngine
from tests.iaa_emulator.rig import TEXT, Single, assert_balanced, assert_whole
from tests.iaa_emulator.test_mapping import bound_one_by_one


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    packages, nodes_per_package = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    return Topology(
        packages=packages,
        cores_per_package=nodes_per_package * draw(st.integers(1, 8)),
        threads_per_core=draw(st.integers(1, 2)),
        numa_nodes=packages * nodes_per_package,
        numbering=draw(st.sampled_from(["blocks", "interleaved"])),
    )


def formula_8_2(topology: Topology, cpu: int, nr_iaa: int) -> int:
    """docs/kernel.md#package-map, read again."""
    cores = topology.cores_per_package
    cpus_per_iaa = max((topology.packages * cores) // nr_iaa, 1)
    per_package = max(nr_iaa // topology.packages, 1)
    wanted = topology.package_of(cpu) * per_package + (cpu % cores) // cpus_per_iaa
    return wanted if 0 <= wanted < nr_iaa else nr_iaa - 1


def formula_6_5(topology: Topology, nr_iaa: int) -> dict[int, int]:
    """docs/kernel.md#base-map, read again."""
    share = max((topology.numa_nodes * (topology.nr_cpus // topology.numa_nodes)) // nr_iaa, 1)
    order = [
        cpus[at : at + share]
        for cpus in map(topology.cpus_of_node, range(topology.numa_nodes))
        for at in range(0, len(cpus), share)
    ]
    return {cpu: number if number < nr_iaa else 0 for number, cpus in enumerate(order) for cpu in cpus}


def formula_8_3(topology: Topology, nr_iaa: int, wqs: int, g: int, cpu: int) -> list[str]:
    """The package table of a cpu, read again from docs/kernel.md#global-queues, queues bound one at a time."""
    if g < 1:
        return []
    per_package = max(nr_iaa // topology.packages, 1)
    stride_head = cpu - cpu % topology.cores_per_package
    first = topology.package_of(stride_head) * per_package
    members = [n for n in range(first, first + per_package) if n < nr_iaa]
    return [f"wq{2 * n + 1}.{index}" for n in members for index in range(1, wqs)]


@pytest.mark.slow
@given(topologies(), st.integers(1, 9), st.integers(1, 4), st.integers(-1, 4))
@settings(max_examples=150)
def test_tables_equal_the_formulas(topology: Topology, devices: int, wqs: int, g: int) -> None:
    for by_package in (True, False):
        tables, _ = bound_one_by_one(topology, devices, wqs, g=g, by_package=by_package)
        base = formula_6_5(topology, devices)
        for cpu_id in range(topology.nr_cpus):
            expected = formula_8_2(topology, cpu_id, devices) if by_package else base[cpu_id]
            assert tables.device_of_cpu[cpu_id] == expected
            local = 1 if g >= 1 else wqs
            mine = [f"wq{2 * expected + 1}.{n}" for n in range(local)]
            assert [wq.name for wq in tables.local_table(cpu_id)] == mine
            assert [wq.name for wq in tables.package_table(cpu_id)] == formula_8_3(topology, devices, wqs, g, cpu_id)


def counts_of(tables: WqTables, cpu_id: int, jobs: int) -> Counter[str]:
    counts: Counter[str] = Counter({wq.name: 0 for wq in tables.package_table(cpu_id) or tables.local_table(cpu_id)})
    for _ in range(jobs):
        wq = tables.next_for_compress(cpu_id)
        assert wq is not None
        counts[wq.name] += 1
    return counts


@given(topologies(), st.integers(1, 8), st.integers(1, 4), st.integers(0, 3), st.integers(1, 5), st.integers(1, 60))
@settings(max_examples=150)
def test_i7_jobs_of_a_cpu_are_spread_evenly(
    topology: Topology, devices: int, wqs: int, g: int, consecutive: int, jobs: int
) -> None:
    tables, _ = bound_one_by_one(topology, devices, wqs, g=g, consecutive=consecutive)
    for cpu_id in {0, topology.nr_cpus // 2, topology.nr_cpus - 1}:
        by_package = bool(tables.package_table(cpu_id))
        counts = counts_of(tables, cpu_id, jobs)
        assert max(counts.values()) - min(counts.values()) <= (consecutive if by_package else 1)


@pytest.mark.slow
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 2), st.integers(1, 3), st.integers(0, 2))
@settings(max_examples=150)
def test_i7_work_stays_in_its_package(
    packages: int, per_package: int, times: int, threads: int, wqs: int, g: int
) -> None:
    cores = per_package * times
    topology = Topology(packages=packages, cores_per_package=cores, threads_per_core=threads, numa_nodes=packages)
    tables, devices = bound_one_by_one(topology, packages * per_package, wqs, g=g)
    package_of_device = {device.name: n // per_package for n, device in enumerate(devices)}
    for cpu_id in range(topology.nr_cpus):
        for _ in range(3):
            for wq in (tables.next_for_compress(cpu_id), tables.next_local(cpu_id)):
                assert wq is not None
                assert package_of_device[wq.device.name] == topology.package_of(cpu_id)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 12), st.sampled_from(["sync", "async"]))
@settings(max_examples=25)
async def test_every_descriptor_is_returned(devices: int, wqs: int, slots: int, tasks: int, mode: str) -> None:
    built = machine(devices=devices, wqs_per_device=wqs, slots_per_device=slots * wqs)
    with acomp.registry():
        attributes = {"sync_mode": mode, "g_wqs_per_iaa": "1"}
        async with Platform.open(built, engine=SteppedEngine(auto=True), attributes=attributes) as platform:
            tfm = acomp.crypto_alloc_acomp("deflate-iaa")

            async def work(number: int) -> None:
                with cpu.on_cpu(number % cpu.nr_cpu_ids()):
                    for _ in range(2):
                        for result in await acomp.compress_pages(tfm, [TEXT] * 5):
                            assert result.err in (0, -EAGAIN)
                        await Single(tfm).compress(TEXT)

            await asyncio.gather(*(work(number) for number in range(tasks)))
            assert_whole(platform)
            assert_balanced(platform)
